"""One compartment: dC/dt = -(CL / V) C after a bolus that starts it at 1 / V."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Exponentials = list[tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Pairs (A [1 / volume], lambda [1/h]) of a unit bolus response sum A exp(-lambda t)."""


def one_compartment(cl: NDArray[np.float64], v: NDArray[np.float64]) -> Exponentials:
    """A = 1 / V and lambda = CL / V, of the shape of the arguments."""
    return [(1 / v, cl / v)]
