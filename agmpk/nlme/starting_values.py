"""Starting values from the data: noncompartmental analysis, then pooled least squares.

CL = dose / AUC0_inf, V = CL / lambda_z and ka = 3 / Tmax give the scale; the pooled fit (one curve
for everybody, residuals in the logarithm) is run from several of them, with early and late
absorption, ka above and below ke (flip-flop), and short and long lags, because each of these is a
hill of its own. The best distinct solutions start the mixed-effects fits.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from agmpk.evaluation.nca import nca
from agmpk.nlme.acceptable import is_flip_flop
from agmpk.nlme.data import FitData
from agmpk.nlme.structural import StructuralModel


def noncompartmental(data: FitData) -> dict[str, float]:
    """Medians over individuals: CL [volume/h], lambda_z [1/h], Tmax [h], first [h] (the time of
    the first observation); a terminal slope that nobody has is taken from the last time."""
    rows = []
    for one in data.people:
        start, doses = one.doses[0].time, one.single_doses()
        times, values = one.times - start, one.concentrations
        if data.oral:  # nothing is absorbed yet at time 0
            times, values = np.append(0.0, times), np.append(0.0, values)
        found = nca(times, values)
        area = found["AUC0_inf"] if np.isfinite(found["AUC0_inf"]) else 1.5 * found["AUC0_t"]
        slope = found["lambda_z"] if np.isfinite(found["lambda_z"]) else 2 / times[-1]
        amount = sum(dose.amount for dose in doses)
        rows.append((amount / max(area, 1e-300), slope, found["Tmax"], one.times[0] - start))
    medians = np.median(rows, axis=0)
    return dict(zip(("CL", "lambda_z", "Tmax", "first"), map(float, medians), strict=True))


def guesses(
    data: FitData, structure: StructuralModel, flip_flop: bool = False
) -> list[NDArray[np.float64]]:
    """Parameter vectors [P] that span the hills; ka < ke only with ``flip_flop``."""
    base = noncompartmental(data)
    cl, ke = base["CL"], base["lambda_z"]
    fast = max(3 / max(base["Tmax"], 1e-3), 1.5 * ke)
    # (ka, ke): usual, slow absorption, flip-flop
    rates = [(fast, ke), (1.2 * ke, 1.1 * ke), (ke, fast)][: 3 if flip_flop else 2]
    rates = rates if structure.oral else [(np.nan, ke)]
    lags = [0.5 * base["first"], 0.5 * base["Tmax"]] if structure.lag else [np.nan]
    splits = [(0.5, 1.0), (0.15, 0.3)] if structure.compartments == 2 else [(1.0, np.nan)]
    found = []
    for (ka, k), lag, (central, exchange) in itertools.product(rates, lags, splits):
        v = cl / k
        named = {
            "ka": ka,
            "tlag": max(lag, 1e-3),
            "CL": cl,
            "V": central * v,
            "Q": exchange * cl,
            "V2": max(1 - central, 0.1) * v,
        }
        found.append(np.array([named[name] for name in structure.parameters]))
    return found


def starting_values(
    data: FitData, structure: StructuralModel, count: int = 2, flip_flop: bool = False
) -> list[NDArray[np.float64]]:
    """Up to ``count`` distinct vectors [P] of typical parameters, the best pooled fit first.

    Without ``flip_flop``, solutions with ka below the terminal rate are left out unless there is
    no other.
    """
    # Before the lag the prediction is 0: half the smallest value keeps its logarithm finite.
    small = data.y.min() / 2
    target = np.log(data.y + small)
    doses = data.doses_of(data.group)

    def residual(logs: NDArray) -> NDArray:
        f = structure.concentration(np.exp(logs)[None], data.times, doses)
        return np.nan_to_num(np.log(f + small) - target, nan=50.0, posinf=50.0, neginf=-50.0)

    solutions = []
    for guess in guesses(data, structure, flip_flop):
        x0 = np.log(guess)
        # Within a factor e^3 = 20 of the guess: far enough to matter, near enough to be sane.
        solved = least_squares(
            residual, x0, bounds=(x0 - 3, x0 + 3), loss="soft_l1", diff_step=1e-3, max_nfev=60
        )
        solutions.append((solved.cost, solved.x))
    if not flip_flop:
        tmax = noncompartmental(data)["Tmax"]
        usual = [s for s in solutions if not is_flip_flop(structure, np.exp(s[1]), tmax)]
        solutions = usual or solutions
    solutions.sort(key=lambda pair: pair[0])
    kept: list[NDArray] = []
    for _, logs in solutions:
        if all(np.max(np.abs(logs - other)) > 0.3 for other in kept):
            kept.append(logs)
    return [np.exp(logs) for logs in kept[:count]]
