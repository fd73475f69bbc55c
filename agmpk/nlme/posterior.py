"""A new individual of a fitted population, given its observations.

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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_t

from agmpk.nlme.closed_forms import DoseColumn, dose_columns
from agmpk.nlme.population import Population, draw_etas, predict, with_zeros
from agmpk.studies.study import Array, Individual

PROPOSALS = 1500  # from each half of the mixture
MOST = 24000  # of them, where the weights stay uneven
LEAST_EFFECTIVE = 100
CLIMB = 40  # steps at most
DAMPING = np.array([0.0, 0.1, 1.0, 10.0, 100.0, 1e4])
FREEDOM = 5  # degrees of freedom of the Student proposal: tails heavier than the posterior's


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

    mode: Array
    samples: Array
    drawn: Array
    weights: Array
    log_marginal: float

    @property
    def effective(self) -> float:
        """The effective number of the importance weights."""
        return float(1 / np.sum(self.weights**2))


def log_likelihood(
    population: Population, etas: Array, seen: Individual, doses: Sequence[DoseColumn] | None = None
) -> Array:
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
    near: Array | None = None,
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
    full = partial(with_zeros, random=free)
    doses = dose_columns(seen)
    precision = np.linalg.inv(spread)
    constant = -0.5 * np.linalg.slogdet(2 * np.pi * spread)[1]

    def prior(reduced: Array) -> Array:
        return constant - 0.5 * ((reduced @ precision) * reduced).sum(-1)

    def joint(reduced: Array) -> Array:
        return log_likelihood(population, full(reduced), seen, doses) + prior(reduced)

    wide = draw_etas(population, PROPOSALS, rng, uncertain)[:, free]

    def curvature(eta: Array) -> Array:
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
    joint: Callable[[Array], Array], curvature: Callable[[Array], Array], wide: Array, others: Array
) -> Array:
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
    eta: Array,
    full: Callable[[Array], Array],
    doses: Sequence[DoseColumn],
) -> Array:
    """sum_j (df_j/deta)(df_j/deta)' / sd_j^2 at eta [R, R], over quantified observations."""
    step, count = 1e-4 * np.eye(len(eta)), len(eta)
    around = full(np.concatenate([eta[None], eta + step, eta - step]))
    f = predict(population, around, seen, seen.times[~seen.censored], doses)
    slopes = (f[1 : count + 1] - f[count + 1 :]) / 2e-4 / population.error.sd(f[0])
    if population.error.kind == "exponential":
        slopes = slopes / np.maximum(f[0], 1e-300)
    slopes = np.nan_to_num(slopes, posinf=0.0, neginf=0.0)
    return slopes @ slopes.T
