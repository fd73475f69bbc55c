"""Conditional flow matching on the straight path (Lipman et al. 2023).

    x_t = t x_1 + (1 - t) x_0 + sigma_min eps,     target velocity  v = x_1 - x_0

Flow time t runs from the reference (0) to the data (1).
"""

from __future__ import annotations

from torch import Tensor

SIGMA_MIN = 1e-4


def interpolate(x_0: Tensor, x_1: Tensor, t: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """State x_t and target velocity; ``t`` broadcasts against the points."""
    return t * x_1 + (1 - t) * x_0 + SIGMA_MIN * noise, x_1 - x_0


def velocity_loss(predicted: Tensor, target: Tensor, free: Tensor) -> Tensor:
    """Mean squared error over the unseen points: first over each curve, then over the curves.

    Every curve weighs the same however many points it has, as in the metric (one error per
    individual).
    """
    weight = free.to(predicted.dtype)
    points = weight.sum(-1)
    error = ((predicted - target).square() * weight).sum(-1) / points.clamp(min=1)
    return error.sum() / (points > 0).sum().clamp(min=1)
