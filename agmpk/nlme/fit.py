"""One fit: stochastic-approximation EM by pynlme (Kuhn & Lavielle 2005).

The engine wants care: it raises nothing on nonsense, and its start of the residual error (1, 1)
diverges. So concentrations are divided by a typical one, the error starts at (0.05, 0.15), every
number that comes back is checked, and the AIC uses the likelihood by importance sampling.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agmpk.nlme.data import FitData
from agmpk.nlme.errors import FitFailed
from agmpk.nlme.population import Population
from agmpk.nlme.residual import ResidualError
from agmpk.nlme.structural import StructuralModel
from agmpk.nlme.structural.superposition import DoseColumn

ENGINE_ERRORS = {
    "additive": "constant",
    "proportional": "proportional",
    "combined": "combined",
    "exponential": "exponential",
}
ERROR_START = {
    "additive": (0.05,),
    "proportional": (0.0, 0.15),
    "combined": (0.05, 0.15),
    "exponential": (0.2,),
}


@dataclass(frozen=True)
class Candidate:
    """What to fit: structure, residual error, which parameters vary, diagonal or full Omega."""

    structure: StructuralModel
    error: str = "combined"
    fixed: tuple[str, ...] = ()
    """Parameters without a random effect."""
    correlated: bool = False


@dataclass(frozen=True)
class Effort:
    """Iterations of simulated annealing, of exploration, and of averaging; Markov chains per
    individual (None: 100 over the number of individuals)."""

    iterations: tuple[int, int, int]
    chains: int | None


FULL = Effort((150, 150, 100), None)
SCREENING = Effort((100, 80, 40), 5)


def fit(
    data: FitData,
    candidate: Candidate,
    start: NDArray[np.float64],
    seed: int = 0,
    effort: Effort = FULL,
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
    """
    from pynlme import nlmefitsa  # slow to import, and only the fit needs it

    structure, scale = candidate.structure, data.scale
    names = structure.parameters
    random = np.array([name not in candidate.fixed for name in names])

    # The engine hands the rows of X to the model: time, then time, amount, duration of each dose.
    design = np.column_stack([data.times, *np.concatenate(data.doses_of(data.group))])

    def model(values: NDArray, rows: NDArray) -> NDArray:
        columns = rows.T
        doses = [DoseColumn(*columns[k : k + 3]) for k in range(1, len(columns), 3)]
        return structure.concentration(values, columns[0], doses) / scale

    count = int(random.sum())
    try:
        with np.errstate(all="ignore"):
            beta, psi, stats, b = nlmefitsa(
                design,
                data.y / scale,
                data.group,
                None,
                model,
                np.log(start),
                param_transform=[1] * len(names),
                re_params_select=random,
                cov_pattern=np.ones((count, count)) if candidate.correlated else None,
                error_model=ENGINE_ERRORS[candidate.error],
                error_parameters=ERROR_START[candidate.error],
                vectorization="full",
                loglik_method="is",
                n_iterations=effort.iterations,
                n_chains=effort.chains,
                compute_std_errors=False,
                random_state=seed,
            )
    except (ArithmeticError, ValueError, np.linalg.LinAlgError) as error:
        raise FitFailed(_failure(data, candidate, f"the engine stopped ({error})")) from error

    typical, errors = np.exp(beta), np.abs(stats.errorparam)
    omega = np.zeros((len(names), len(names)))
    omega[np.ix_(random, random)] = psi
    etas = np.zeros((len(data.people), len(names)))
    etas[:, random] = b.T
    found = (typical, omega, etas, errors, stats.logl)
    if not all(np.all(np.isfinite(np.asarray(x, dtype=float))) for x in found):
        raise FitFailed(_failure(data, candidate, "an estimate is not finite"))
    if candidate.error == "proportional":
        a, b_error = 0.0, errors[0]
    elif candidate.error == "combined":
        a, b_error = errors
    else:
        a, b_error = errors[0], 0.0
    # Back to the data's unit; the exponential error is on the log scale and has none.
    a = a if candidate.error == "exponential" else a * scale
    error = ResidualError(candidate.error, float(a), float(b_error))
    return Population(
        data.compound,
        structure,
        error,
        typical,
        omega,
        float(stats.logl - len(data.y) * np.log(scale)),
        len(names)
        + (count * (count + 1) // 2 if candidate.correlated else count)
        + error.n_parameters,
        standard_errors(data, structure, typical, omega, etas, error),
        etas,
        tuple(one.id for one in data.people),
    )


def standard_errors(
    data: FitData,
    structure: StructuralModel,
    typical: NDArray[np.float64],
    omega: NDArray[np.float64],
    etas: NDArray[np.float64],
    error: ResidualError,
) -> NDArray[np.float64]:
    """SE of ln typical [P], from the information of the model linearized at the etas; NaN where it
    is singular: sum_i J_i' V_i^-1 J_i with V_i = J_i Omega J_i' + diag(sd^2) (Lavielle 2014)."""
    information = np.zeros_like(omega)
    values = typical * np.exp(etas)[data.group]
    doses = data.doses_of(data.group)
    f = structure.concentration(values, data.times, doses)
    step = 1e-4
    columns = []
    for p in range(len(typical)):
        moved = np.exp(step * (np.arange(len(typical)) == p))
        up = structure.concentration(values * moved, data.times, doses)
        down = structure.concentration(values / moved, data.times, doses)
        columns.append((up - down) / (2 * step))
    jacobian = np.stack(columns, -1)
    if error.kind == "exponential":
        jacobian = jacobian / np.maximum(f, 1e-300)[:, None]
    sd = error.sd(f)
    try:
        for i in range(len(data.people)):
            mine = data.group == i
            j = jacobian[mine]
            information += j.T @ np.linalg.solve(j @ omega @ j.T + np.diag(sd[mine] ** 2), j)
        variances = np.diag(np.linalg.inv(information))
    except np.linalg.LinAlgError:
        return np.full(len(typical), np.nan)
    return np.sqrt(np.where(variances > 0, variances, np.nan))


def _failure(data: FitData, candidate: Candidate, reason: str) -> str:
    return (
        f"The {candidate.structure.name} model with {candidate.error} error could not be fitted "
        f"to {data.compound}: {reason}."
    )
