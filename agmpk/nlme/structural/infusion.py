"""Response of one exponential to a constant-rate IV infusion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def infusion(
    t: NDArray[np.float64], rate: NDArray[np.float64], duration: NDArray[np.float64]
) -> NDArray[np.float64]:
    """At t >= 0 h after the start of a unit amount infused over ``duration`` > 0 h.

    (1 - exp(-lambda min(t, D))) / (lambda D) exp(-lambda max(t - D, 0)).
    """
    during, after = np.minimum(t, duration), np.maximum(t - duration, 0)
    return -np.expm1(-rate * during) / (rate * duration) * np.exp(-rate * after)
