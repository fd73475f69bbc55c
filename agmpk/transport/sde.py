"""Samplers of dx = f(x, t) dt + g(t) L dW, noise that does not depend on x, from t = 0 to t = 1.

Kloeden & Platen 1992, sections 10.2 and 15.1; for such noise Heun's method has weak order 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

Drift = Callable[[Tensor, float], Tensor]
Diffuse = Callable[[float], Tensor]  # a fresh draw of g(t) L z


def euler_maruyama(drift: Drift, diffuse: Diffuse, x: Tensor, steps: int) -> Tensor:
    """``steps`` equal steps of one evaluation each; weak error O(1 / steps)."""
    h = 1.0 / steps
    for k in range(steps):
        x = x + h * drift(x, k * h) + math.sqrt(h) * diffuse(k * h)
    return x


def stochastic_heun(drift: Drift, diffuse: Diffuse, x: Tensor, steps: int) -> Tensor:
    """``steps`` equal steps of two evaluations each; weak error O(steps**-2)."""
    h = 1.0 / steps
    for k in range(steps):
        t = k * h
        f, noise = drift(x, t), math.sqrt(h) * diffuse(t + h / 2)
        ahead = drift(x + h * f + noise, t + h)
        x = x + 0.5 * h * (f + ahead) + noise
    return x
