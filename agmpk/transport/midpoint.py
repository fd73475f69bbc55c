"""The midpoint method for dx/dt = v(x, t) from t = 0 to t = 1."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def midpoint(velocity: Callable[[Tensor, float], Tensor], x: Tensor, steps: int) -> Tensor:
    """Integrate with ``steps`` equal steps, two evaluations each; global error O(steps**-2).

    Unlike Heun's method, of the same order and cost, it never asks at t = 1, where the law of a
    well-predicted point is narrow and the velocity steep.
    """
    h = 1.0 / steps
    for k in range(steps):
        t = k * h
        halfway = x + 0.5 * h * velocity(x, t)
        x = x + h * velocity(halfway, t + 0.5 * h)
    return x
