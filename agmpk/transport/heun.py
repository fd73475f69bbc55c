"""Heun's method for dx/dt = v(x, t) from t = 0 to t = 1."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def heun(velocity: Callable[[Tensor, float], Tensor], x: Tensor, steps: int) -> Tensor:
    """Integrate with ``steps`` equal steps, two evaluations each; global error O(steps**-2)."""
    h = 1.0 / steps
    for k in range(steps):
        t = k * h
        v = velocity(x, t)
        ahead = velocity(x + h * v, t + h)
        x = x + 0.5 * h * (v + ahead)
    return x
