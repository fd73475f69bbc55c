"""The result of a fit, a population of individuals, and what it says about a new one.

phi_i = typical * exp(eta_i),  eta_i ~ N(0, Omega),  y_ij from the residual error around f(phi_i).

p(eta | y) is proportional to N(eta; 0, S) prod_j p(y_j | f(typical exp(eta), t_j)), where an
observation below its limit L has p = P(y < L) (method M3 of Beal 2001). S is Omega, or
Omega n / (n - 1) + diag(se^2), which adds what n individuals leave unknown about the typical
parameters (their standard errors) and about Omega (its unbiased estimate).
The mode (empirical Bayes estimate) is searched from the best of many draws of the population, since
a lag gives several modes. The posterior is sampled by importance resampling (Rubin 1987) from an
equal mixture of the population and a Student law around the mode with the information matrix
S^-1 + sum_j (df_j/deta)(df_j/deta)' / sd_j^2 of the Laplace approximation.

Shapes: S samples, M proposals, P parameters, R random effects, T observations, I individuals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, logsumexp, ndtr, ndtri
from scipy.stats import multivariate_t

from agmpk.errors import AgmpkError
from agmpk.nlme.closed_forms import DoseColumn, StructuralModel, dose_columns
from agmpk.studies import Dose, Individual, Study, Units

TINY = np.finfo(float).tiny
PROPOSALS = 1500  # from each half of the mixture
MOST = 24000  # of them, where the weights stay uneven
LEAST_EFFECTIVE = 100
CLIMB = 40  # steps at most
DAMPING = np.array([0.0, 0.1, 1.0, 10.0, 100.0, 1e4])
FREEDOM = 5  # degrees of freedom of the Student proposal: tails heavier than the posterior's


@dataclass(frozen=True)
class ResidualError:
    """Additive, proportional, combined or exponential, e ~ N(0, 1):

    additive      y = f + a e                    combined      y = f + (a + b f) e
    proportional  y = f + b f e                  exponential   ln y = ln f + a e

    ``combined`` adds standard deviations (as MATLAB and saemix do), not variances (NONMEM's habit):
    likelihoods are comparable among the four, not with a program that does otherwise.

    ``a``: SD [concentration unit], or of ln y where exponential; ``b``: fraction of f.
    """

    kind: str
    a: float
    b: float

    def sd(self, f: NDArray[np.float64]) -> NDArray[np.float64]:
        """SD of y (of ln y where exponential) around a prediction f, of the shape of f."""
        if self.kind == "exponential":
            return np.full_like(f, self.a)
        return np.maximum(self.a + self.b * f, np.finfo(float).eps)

    def log_density(self, y: NDArray[np.float64], f: NDArray[np.float64]) -> NDArray[np.float64]:
        """ln p(y | f), broadcast; the density of y itself for all four kinds."""
        sd = self.sd(f)
        if self.kind == "exponential":
            residual, jacobian = np.log(y) - np.log(np.maximum(f, TINY)), np.log(y)
        else:
            residual, jacobian = y - f, 0.0
        return -0.5 * (residual / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi) - jacobian

    def log_below(self, limit: NDArray[np.float64], f: NDArray[np.float64]) -> NDArray[np.float64]:
        """ln P(y < limit | f) = ln Phi((limit - f) / sd), broadcast."""
        if self.kind == "exponential":
            return log_ndtr((np.log(limit) - np.log(np.maximum(f, TINY))) / self.a)
        return log_ndtr((limit - f) / self.sd(f))

    def sample(self, f: NDArray[np.float64], u: NDArray[np.float64]) -> NDArray[np.float64]:
        """Observations y > 0 around f, from uniform numbers ``u`` of the same shape.

        Concentrations that are not positive are never quantified, so the normal law is truncated
        at zero.
        """
        u = np.clip(u, 1e-12, 1 - 1e-12)
        if self.kind == "exponential":
            return np.maximum(f, TINY) * np.exp(self.a * ndtri(u))
        sd = self.sd(f)
        below = ndtr(-f / sd)
        return np.maximum(f + sd * ndtri(below + (1 - below) * u), 1e-6 * (f + sd))


@dataclass(frozen=True)
class Population:
    """A fitted mixed-effects model of one compound.

    Attributes:
        compound: of the study it was fitted to.
        structure: the structural model; its parameters give the order of P.
        error: residual error.
        typical: float64[P], medians of the individual parameters.
        omega: float64[P, P], covariance of eta; a row of zeros where there is no random effect.
        loglik: marginal log-likelihood of the observations, by importance sampling.
        n_parameters: estimated parameters.
        se: float64[P], standard errors of ln typical from the linearized information.
        etas: float64[I, P], conditional means of the random effects.
        ids: the individuals' IDs.
    """

    compound: str
    structure: StructuralModel
    error: ResidualError
    typical: NDArray[np.float64]
    omega: NDArray[np.float64]
    loglik: float
    n_parameters: int
    se: NDArray[np.float64]
    etas: NDArray[np.float64]
    ids: tuple[str, ...]

    @property
    def aic(self) -> float:
        """-2 ln L + 2 parameters."""
        return 2 * self.n_parameters - 2 * self.loglik

    @property
    def random(self) -> NDArray[np.bool_]:
        """Which parameters have a random effect, bool[P]."""
        return np.diag(self.omega) > 0

    @property
    def name(self) -> str:
        """For example ``oral-1c-lag / combined / ka CL V / full``."""
        names = [n for n, r in zip(self.structure.parameters, self.random, strict=True) if r]
        correlated = np.any(self.omega != np.diag(np.diag(self.omega)))
        covariance = "full" if correlated else "diagonal"
        return f"{self.structure.name} / {self.error.kind} / {' '.join(names)} / {covariance}"

    @property
    def shrinkage(self) -> NDArray[np.float64]:
        """1 - SD(eta_i) / omega [P], NaN without a random effect (Savic & Karlsson 2009)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found = 1 - self.etas.std(0, ddof=1) / np.sqrt(np.diag(self.omega))
        return np.where(self.random, found, np.nan)

    def spread(self, uncertain: bool = True) -> NDArray[np.float64]:
        """Covariance [P, P] of ln phi of a new individual around ln typical.

        With ``uncertain`` it includes what the fit leaves unknown, see the module; a standard
        error that is missing adds nothing.
        """
        if not uncertain:
            return self.omega
        n = len(self.ids)
        return self.omega * (n / max(n - 1, 1)) + np.diag(np.square(np.nan_to_num(self.se)))

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings, for JSON."""
        return vars(self) | {
            "structure": self.structure.name,
            "error": vars(self.error),
            "typical": self.typical.tolist(),
            "omega": self.omega.tolist(),
            "se": [None if np.isnan(s) else s for s in self.se.tolist()],
            "etas": self.etas.tolist(),
            "ids": list(self.ids),
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Population:
        """The inverse of :meth:`to_dict`."""
        arrays = {name: np.array(found[name]) for name in ("typical", "omega", "etas")}
        arrays["se"] = np.array(found["se"], dtype=float)  # None becomes NaN
        structure = StructuralModel.named(found["structure"])
        error, ids = ResidualError(**found["error"]), tuple(found["ids"])
        return cls(**{**found, **arrays, "structure": structure, "error": error, "ids": ids})


@dataclass(frozen=True)
class Posterior:
    """An individual given its observations.

    Attributes:
        mode: float64[P], eta at the maximum.
        samples: float64[S, P] of eta, equally likely.
        drawn: float64[M, P], the proposals, and
        weights: float64[M], theirs; they sum to 1.
        log_marginal: ln p(y), by importance sampling.
    """

    mode: NDArray[np.float64]
    samples: NDArray[np.float64]
    drawn: NDArray[np.float64]
    weights: NDArray[np.float64]
    log_marginal: float

    @property
    def effective(self) -> float:
        """The effective number of the importance weights."""
        return float(1 / np.sum(self.weights**2))


def predict(
    population: Population,
    etas: NDArray[np.float64],
    one: Individual,
    times: NDArray[np.float64],
    doses: Sequence[DoseColumn] | None = None,
) -> NDArray[np.float64]:
    """f [S, T] without residual error, for etas [S, P], at ``times`` [h].

    ``doses`` are those of ``one``, where they have been expanded before.
    """
    values = population.typical * np.exp(etas)
    doses = dose_columns(one) if doses is None else doses
    return population.structure.concentration(values[:, None, :], times, doses)


def draw_etas(
    population: Population, n: int, rng: np.random.Generator, uncertain: bool = True
) -> NDArray[np.float64]:
    """eta [n, P] of virtual individuals, see :meth:`Population.spread`."""
    spread = population.spread(uncertain)
    free = np.diag(spread) > 0
    etas = np.zeros((n, len(free)))
    some = spread[np.ix_(free, free)]
    etas[:, free] = rng.multivariate_normal(np.zeros(len(some)), some, n, method="cholesky")
    return etas


def simulate(
    population: Population,
    times: NDArray[np.float64],
    doses: Sequence[Dose],
    n: int,
    seed: int,
    units: Units | None = None,
) -> Study:
    """``n`` virtual individuals V1 ... Vn of the population as estimated, for visual predictive
    checks and npde; observed at ``times`` [h], residual error included.

    Raises:
        AgmpkError: fewer than one individual, or times that are not increasing.
    """
    if n < 1:
        raise AgmpkError(f"At least one virtual individual is needed, not {n}.")
    rng = np.random.default_rng(seed)
    nobody = Individual("virtual", np.asarray(times, float), np.ones(len(times)), tuple(doses))
    curves = predict(population, draw_etas(population, n, rng, False), nobody, nobody.times)
    observed = population.error.sample(curves, rng.random(curves.shape))
    people = [Individual(f"V{i + 1}", times, row, nobody.doses) for i, row in enumerate(observed)]
    return Study(population.compound, tuple(people), units or Units())


def log_likelihood(
    population: Population,
    etas: NDArray[np.float64],
    seen: Individual,
    doses: Sequence[DoseColumn] | None = None,
) -> NDArray[np.float64]:
    """ln p(y | eta) [S] of the observations, for etas [S, P]; hopeless where not finite."""
    f = predict(population, etas, seen, seen.times, doses)
    logs = population.error.log_density(seen.concentrations, f)
    if seen.censored.any():
        below = population.error.log_below(seen.concentrations, f)
        logs = np.where(seen.censored, below, logs)
    logs = logs.sum(-1)
    return np.where(np.isfinite(logs), logs, -1e12)


def posterior(
    population: Population,
    seen: Individual,
    n_samples: int,
    rng: np.random.Generator,
    uncertain: bool = True,
    near: NDArray[np.float64] | None = None,
) -> Posterior:
    """The individual given its observations; the population itself where there are none.

    ``near``, an eta [P] close to the maximum, is taken for it and saves the search. Proposals are
    raised until their effective number is ``LEAST_EFFECTIVE`` or they are ``MOST``.
    """
    if not len(seen):
        drawn = draw_etas(population, 2 * PROPOSALS, rng, uncertain)
        samples = draw_etas(population, n_samples, rng, uncertain)
        equal = np.full(len(drawn), 1 / len(drawn))
        return Posterior(np.zeros(drawn.shape[1]), samples, drawn, equal, 0.0)
    spread = population.spread(uncertain)
    free = np.diag(spread) > 0
    spread = spread[np.ix_(free, free)]

    def full(reduced: NDArray) -> NDArray:
        etas = np.zeros((len(reduced), len(free)))
        etas[:, free] = reduced
        return etas

    doses = dose_columns(seen)
    precision = np.linalg.inv(spread)
    constant = -0.5 * np.linalg.slogdet(2 * np.pi * spread)[1]

    def prior(reduced: NDArray) -> NDArray:
        return constant - 0.5 * ((reduced @ precision) * reduced).sum(-1)

    def joint(reduced: NDArray) -> NDArray:
        return log_likelihood(population, full(reduced), seen, doses) + prior(reduced)

    wide = draw_etas(population, PROPOSALS, rng, uncertain)[:, free]

    def curvature(eta: NDArray) -> NDArray:
        return _information(population, seen, eta, full, doses) + precision

    others = population.etas[:, free]
    mode = _mode(joint, curvature, wide, others) if near is None else near[free]
    shape = np.linalg.inv(curvature(mode))
    local = multivariate_t(mode, (shape + shape.T) / 2, df=FREEDOM)
    while True:
        close = local.rvs(len(wide), random_state=rng).reshape(len(wide), -1)
        drawn = np.concatenate([wide, close])
        proposal = np.logaddexp(prior(drawn), local.logpdf(drawn)) - np.log(2)
        logs = joint(drawn) - proposal
        total = logsumexp(logs)
        weights = np.exp(logs - total)
        if 1 / np.sum(weights**2) >= LEAST_EFFECTIVE or len(wide) >= MOST:
            break
        wide = draw_etas(population, 4 * len(wide), rng, uncertain)[:, free]
    chosen = full(drawn[rng.choice(len(drawn), size=n_samples, p=weights)])
    marginal = float(total - np.log(len(drawn)))
    return Posterior(full(mode[None])[0], chosen, full(drawn), weights, marginal)


def _mode(
    joint: Callable[[NDArray], NDArray],
    curvature: Callable[[NDArray], NDArray],
    wide: NDArray,
    others: NDArray,
) -> NDArray[np.float64]:
    """The maximum, by climbing from the three best of: the typical individual, the population's
    draws, the context individuals.

    Each step is the best of several damped Gauss-Newton steps (Levenberg-Marquardt) and of none:
    the objective has a kink where a lag passes an observation.
    """
    starts = np.concatenate([np.zeros((1, wide.shape[1])), wide, others])
    climbs = []
    for at in starts[np.argsort(-joint(starts))[:3]]:
        moves = 1e-4 * np.eye(len(at))
        for _ in range(CLIMB):
            values = joint(np.concatenate([at[None], at + moves, at - moves]))
            slope = (values[1 : len(at) + 1] - values[len(at) + 1 :]) / 2e-4
            bent = curvature(at)
            bent = bent + DAMPING[:, None, None] * np.diag(np.diag(bent))
            tried = at + np.linalg.solve(bent, np.tile(slope, (len(DAMPING), 1))[..., None])[..., 0]
            heights = joint(tried)
            best = int(np.argmax(heights))
            if not heights[best] > values[0] + 1e-7:
                break
            at = tried[best]
        climbs.append(at)
    return climbs[int(np.argmax(joint(np.stack(climbs))))]


def _information(
    population: Population,
    seen: Individual,
    eta: NDArray[np.float64],
    full: Callable[[NDArray], NDArray],
    doses: Sequence[DoseColumn],
) -> NDArray[np.float64]:
    """sum_j (df_j/deta)(df_j/deta)' / sd_j^2 at eta [R, R], over quantified observations."""
    step, count = 1e-4 * np.eye(len(eta)), len(eta)
    around = full(np.concatenate([eta[None], eta + step, eta - step]))
    f = predict(population, around, seen, seen.times[~seen.censored], doses)
    slopes = (f[1 : count + 1] - f[count + 1 :]) / 2e-4 / population.error.sd(f[0])
    if population.error.kind == "exponential":
        slopes = slopes / np.maximum(f[0], 1e-300)
    slopes = np.nan_to_num(slopes, posinf=0.0, neginf=0.0)
    return slopes @ slopes.T
