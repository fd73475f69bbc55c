"""Response of one exponential to first-order absorption (Bateman 1910)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def oral(
    t: NDArray[np.float64], rate: NDArray[np.float64], ka: NDArray[np.float64]
) -> NDArray[np.float64]:
    """ka / (ka - lambda) (exp(-lambda t) - exp(-ka t)) at t >= 0 h after a unit dose.

    Written as ka t exp(-min(ka, lambda) t) (1 - exp(-x)) / x with x = |ka - lambda| t, which holds
    for ka = lambda and does not overflow for ka < lambda (flip-flop kinetics).
    """
    x = np.abs(ka - rate) * t
    small = x < 1e-6
    shape = np.where(small, 1 - x / 2, -np.expm1(-x) / np.where(small, 1.0, x))
    return ka * t * np.exp(-np.minimum(ka, rate) * t) * shape
