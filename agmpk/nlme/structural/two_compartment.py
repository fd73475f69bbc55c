"""Two compartments: V dC/dt = -CL C - Q (C - C2) and V2 dC2/dt = Q (C - C2).

With k10 = CL / V, k12 = Q / V, k21 = Q / V2 the rates are the roots of
lambda^2 - (k10 + k12 + k21) lambda + k10 k21 = 0, and with d = V (lambda_1 - lambda_2) the
coefficients are A_1 = (lambda_1 - k21) / d and A_2 = (k21 - lambda_2) / d
(Gabrielsson & Weiner 2016).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agmpk.nlme.structural.one_compartment import Exponentials


def two_compartment(
    cl: NDArray[np.float64],
    v: NDArray[np.float64],
    q: NDArray[np.float64],
    v2: NDArray[np.float64],
) -> Exponentials:
    """The fast and the slow exponential, each of the broadcast shape of the arguments."""
    k10, k12, k21 = cl / v, q / v, q / v2
    total = k10 + k12 + k21
    # The same root as sqrt(total^2 - 4 k10 k21), written as a sum of positive terms.
    root = np.sqrt((k10 + k12 - k21) ** 2 + 4 * k12 * k21)
    fast = (total + root) / 2
    slow = k10 * k21 / fast  # the product of the roots; no cancellation
    return [((fast - k21) / (v * root), fast), ((k21 - slow) / (v * root), slow)]
