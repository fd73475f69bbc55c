"""Response of one exponential to an IV bolus."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def bolus(t: NDArray[np.float64], rate: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(-lambda t) at t >= 0 h after a unit bolus."""
    return np.exp(-rate * t)
