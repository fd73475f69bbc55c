"""One fit: stochastic-approximation EM by pynlme (Kuhn & Lavielle 2005), and whether a
pharmacometrician would stand behind it.

The engine wants care: it raises nothing on nonsense, and its start of the residual error (1, 1)
diverges. So concentrations are divided by a typical one, the error starts at (0.05, 0.15), every
number that comes back is checked, and the AIC uses the likelihood by importance sampling.

It knows no limit of quantification: observations below it are left out of its likelihood (method
M1 of Beal 2001). ``with_limits`` takes its estimate further, by Monte-Carlo EM on the likelihood
that counts them as P(y < limit) (M3).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from agmpk.errors import AgmpkError
from agmpk.nlme.closed_forms import DoseColumn, StructuralModel, dose_columns
from agmpk.nlme.population import Population, ResidualError, with_zeros
from agmpk.nlme.posterior import log_likelihood, posterior
from agmpk.nlme.start import FitData, is_flip_flop
from agmpk.studies.study import Array

ERROR_START = {
    "additive": (0.05,),
    "proportional": (0.0, 0.15),
    "combined": (0.05, 0.15),
    "exponential": (0.2,),
}
LARGEST_OMEGA = 2.0  # SD of a random effect on the log scale: a factor 50 between 2.5 % and 97.5 %
LARGEST_SE = 1.0  # of ln typical, about 100 % relative standard error
LARGEST_CORRELATION = 0.995
RANGES = {"F": 10.0, "CL": 30.0, "V": 300.0, "Q": 300.0, "V2": 300.0, "ka": 300.0, "tlag": 300.0}
"""The farthest factor from the value that the data suggest."""


class FitFailed(AgmpkError):
    """A nonlinear mixed-effects fit did not succeed; the message says of what and why.

    It is never replaced by another model's answer: who catches it reports it.
    """


@dataclass(frozen=True)
class Candidate:
    """What to fit: structure, residual error, which parameters vary, diagonal or full Omega."""

    structure: StructuralModel
    error: str = "combined"
    fixed: tuple[str, ...] = ()
    """Parameters without a random effect."""
    correlated: bool = False


class Effort(NamedTuple):
    """Iterations of simulated annealing, of exploration, and of averaging; Markov chains per
    individual (None: 100 over the number of individuals)."""

    iterations: tuple[int, int, int]
    chains: int | None


FULL = Effort((150, 150, 100), None)
SCREENING = Effort((100, 80, 40), 5)
ROUNDS, DRAWS = 20, 100
"""Of the Monte-Carlo EM for limits: rounds, and draws an individual for the residual error."""


def fit(
    data: FitData, candidate: Candidate, start: Array, seed: int = 0, effort: Effort = FULL
) -> Population:
    """Fit a candidate from one start.

    Args:
        data: the study, stacked.
        candidate: the statistical model.
        start: float64[P], starting values of the typical parameters, positive.
        seed: same seed, same estimates.
        effort: how long the engine runs.

    Raises:
        FitFailed: the engine raised, or returned a number that is not finite.
        AgmpkError: the engine is not installed.
    """
    structure, scale, names = candidate.structure, data.scale, candidate.structure.parameters
    random = np.array([name not in candidate.fixed for name in names])
    count = int(random.sum())
    failure = (
        f"The {structure.name} model with {candidate.error} error could not be fitted to "
        f"{data.compound}:"
    )
    try:
        with np.errstate(all="ignore"):
            beta, psi, stats, b = _engine(data, candidate, random, start, seed, effort)
    except AgmpkError:  # there is no engine
        raise
    except (ArithmeticError, ValueError, np.linalg.LinAlgError) as error:
        raise FitFailed(f"{failure} the engine stopped ({error}).") from error
    typical, errors = np.exp(beta), np.abs(stats.errorparam)
    omega = np.zeros((len(names), len(names)))
    omega[np.ix_(random, random)] = psi
    etas = with_zeros(b.T, random)
    found = (typical, omega, etas, errors, stats.logl)
    if not all(np.all(np.isfinite(np.asarray(x, dtype=float))) for x in found):
        raise FitFailed(f"{failure} an estimate is not finite.")
    parts = {"proportional": (0.0, errors[0]), "combined": (errors[0], errors[-1])}
    a, b_error = parts.get(candidate.error, (errors[0], 0.0))
    # Back to the data's unit; the exponential error is on the log scale and has none.
    a = a if candidate.error == "exponential" else a * scale
    variances = count * (count + 1) // 2 if candidate.correlated else count
    population = Population(
        compound=data.compound,
        structure=structure,
        error=ResidualError(candidate.error, float(a), float(b_error)),
        typical=typical,
        omega=omega,
        loglik=float(stats.logl - len(data.y) * np.log(scale)),
        n_parameters=len(names) + variances + (2 if candidate.error == "combined" else 1),
        se=np.full(len(names), np.nan),
        etas=etas,
        ids=tuple(one.id for one in data.people),
    )
    return replace(population, se=standard_errors(population, data))


def _engine(
    data: FitData,
    candidate: Candidate,
    random: NDArray[np.bool_],
    start: Array,
    seed: int,
    effort: Effort,
) -> tuple:
    """What pynlme estimates: ln typical, the covariance of the ``random`` effects, statistics, and
    the effects [R, I]; concentrations are in units of the data's scale."""
    try:
        from pynlme import nlmefitsa  # late: it is slow to import and only fitting needs it
    except ImportError:
        raise AgmpkError(
            "Fitting a mixed-effects model needs the extra 'nlme', which is not installed: run "
            "pip install -e '.[nlme]' in the clone."
        ) from None
    # The engine hands the rows of X to the model: time, then the columns of each dose.
    design = np.column_stack([data.times, *np.concatenate(data.doses)])
    width, count = len(DoseColumn._fields), int(random.sum())

    def model(values: Array, rows: Array) -> Array:
        columns = rows.T
        doses = [DoseColumn(*columns[k : k + width]) for k in range(1, len(columns), width)]
        return candidate.structure.concentration(values, columns[0], doses) / data.scale

    return nlmefitsa(
        design,
        data.y / data.scale,
        data.group,
        None,
        model,
        np.log(start),
        param_transform=[1] * len(random),
        re_params_select=random,
        cov_pattern=np.ones((count, count)) if candidate.correlated else None,
        error_model="constant" if candidate.error == "additive" else candidate.error,
        error_parameters=ERROR_START[candidate.error],
        vectorization="full",
        loglik_method="is",
        n_iterations=effort.iterations,
        n_chains=effort.chains,
        compute_std_errors=False,
        random_state=seed,
    )


def with_limits(population: Population, data: FitData, seed: int = 0) -> Population:
    """The estimate that counts the observations below their limit (M3), from one that does not.

    Monte-Carlo EM: the posterior of every individual by importance sampling, then the moments of
    eta as the new typical parameters and Omega, and a search for the residual error and the
    parameters without random effect. ``loglik`` is the M3 likelihood, not comparable with an AIC
    of fits without the limits; ``se`` are those of the quantified observations.
    """
    random = population.random
    pattern = population.omega != 0

    shift, means = 0.0, population.etas
    for k in range(ROUNDS + 1):
        near = means - shift
        found = [
            posterior(population, one, DRAWS, np.random.default_rng([seed, i]), False, near[i])
            for i, one in enumerate(data.people)
        ]
        means = np.stack([f.weights @ f.drawn for f in found])
        if k == ROUNDS:  # what the last round has found
            break
        squares = np.mean([(f.drawn.T * f.weights) @ f.drawn for f in found], axis=0)
        shift = means.mean(0)
        population = _error_step(population, data, [f.samples for f in found])
        population = replace(
            population,
            typical=population.typical * np.exp(np.where(random, shift, 0.0)),
            omega=np.where(pattern, squares - np.outer(shift, shift), 0.0),
        )
    loglik = float(sum(f.log_marginal for f in found))
    population = replace(population, etas=means, loglik=loglik)
    return replace(population, se=standard_errors(population, data))


def _error_step(population: Population, data: FitData, samples: list[Array]) -> Population:
    """Residual error, and typical parameters without random effect, that the draws of eta, [S, P]
    an individual, make most likely."""
    kind, fixed = population.error.kind, ~population.random
    start = np.array([population.error.a, population.error.b])
    moves = start > 0

    def moved(logs: Array) -> Population:
        typical, parts = population.typical.copy(), start.copy()
        parts[moves] *= np.exp(logs[: moves.sum()])
        typical[fixed] *= np.exp(logs[moves.sum() :])
        return replace(population, typical=typical, error=ResidualError(kind, *parts.tolist()))

    doses = [dose_columns(one) for one in data.people]

    def cost(logs: Array) -> float:
        model, drawn = moved(logs), zip(samples, data.people, doses, strict=True)
        return -float(sum(log_likelihood(model, *one).mean() for one in drawn))

    # A few steps a round are enough: the rounds go on from here.
    count = int(moves.sum() + fixed.sum())
    options = {"maxfev": 12 * count, "xatol": 1e-3, "fatol": 1e-3}
    return moved(minimize(cost, np.zeros(count), method="Nelder-Mead", options=options).x)


def standard_errors(population: Population, data: FitData) -> Array:
    """SE of ln typical [P], from the information of the model linearized at the etas; NaN where it
    is singular: sum_i J_i' V_i^-1 J_i with V_i = J_i Omega J_i' + diag(sd^2) (Lavielle 2014)."""
    omega, information = population.omega, np.zeros_like(population.omega)
    values = population.typical * np.exp(population.etas)[data.group]

    def predicted(at: Array) -> Array:
        return population.structure.concentration(at, data.times, data.doses)

    f, step = predicted(values), 1e-4
    moves = np.exp(step * np.eye(len(omega)))
    slopes = [(predicted(values * move) - predicted(values / move)) / (2 * step) for move in moves]
    jacobian = np.stack(slopes, -1)
    if population.error.kind == "exponential":
        jacobian = jacobian / np.maximum(f, 1e-300)[:, None]
    sd = population.error.sd(f)
    try:
        for i in range(len(data.people)):
            mine = data.group == i
            j = jacobian[mine]
            information += j.T @ np.linalg.solve(j @ omega @ j.T + np.diag(sd[mine] ** 2), j)
        variances = np.diag(np.linalg.inv(information))
    except np.linalg.LinAlgError:
        return np.full(len(omega), np.nan)
    return np.sqrt(np.where(variances > 0, variances, np.nan))


def fault(
    population: Population, reference: dict[str, float], flip_flop: bool = False
) -> str | None:
    """What is wrong with a fit, in a few words, or None.

    Args:
        population: the fit.
        reference: ``suggested`` by the same data.
        flip_flop: whether slow absorption is allowed (metabolites: formation is often slower than
            elimination).
    """
    structure = population.structure
    clearance, tmax = reference["CL"], max(reference["Tmax"], 1e-3)
    volume = clearance / reference["lambda_z"]
    expected = {"F": 0.5, "CL": clearance, "Q": clearance, "V": volume, "V2": volume}
    expected |= {"ka": 1 / tmax, "tlag": tmax}
    names, omega = structure.parameters, population.omega
    for name, value, se in zip(names, population.typical, population.se, strict=True):
        factor = value / expected[name]
        if not 1 / RANGES[name] <= factor <= RANGES[name]:
            return f"{name} is {factor:.2g} times what the data suggest"
        if not se <= LARGEST_SE:
            return f"{name} is not identified (SE of its logarithm {se:.2g})"
    sd = np.sqrt(np.diag(omega))
    if sd.max() > LARGEST_OMEGA:
        return f"the SD of ln {names[int(sd.argmax())]} between individuals is {sd.max():.2g}"
    varying = sd > 0
    correlation = omega[np.ix_(varying, varying)] / np.outer(sd[varying], sd[varying])
    off = np.abs(correlation - np.eye(int(varying.sum())))
    if off.size and off.max() > LARGEST_CORRELATION:
        return "two random effects have become one (correlation of 1)"
    if not flip_flop and is_flip_flop(structure, population.typical, reference["Tmax"]):
        return "absorption and elimination have changed places (flip-flop)"
    return None
