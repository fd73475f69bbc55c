"""Conditional flow matching on the straight path (Lipman et al. 2023).

    x_t = t x_1 + (1 - t) x_0 + sigma_min eps,     target velocity  v = x_1 - x_0

Flow time t runs from the reference (0) to the data (1).
"""

from __future__ import annotations

import torch
from torch import Tensor

SIGMA_MIN = 1e-4


def interpolate(x_0: Tensor, x_1: Tensor, t: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """State x_t and target velocity; ``t`` broadcasts against the points."""
    return t * x_1 + (1 - t) * x_0 + SIGMA_MIN * noise, x_1 - x_0


def velocity_loss(
    predicted: Tensor, target: Tensor, free: Tensor, spread: Tensor | float = 1.0
) -> Tensor:
    """Squared error over the unseen points of each curve, averaged over the curves.

    A curve's squared errors in natural-log units (coordinate times ``spread``) are averaged and
    divided by its root mean square spread.  So every curve counts the same however many points it
    has, and a curve of twice the spread counts twice, not four times: the metric is a mean of
    root mean squares.  As ``spread`` is known before the curve is, it moves no optimum.
    """
    weight = free.to(predicted.dtype)
    spread = spread * torch.ones_like(predicted)
    points = weight.sum(-1)
    error = ((predicted - target) * spread).square() * weight
    scale = (spread.square() * weight).sum(-1)
    root = torch.sqrt(scale / points.clamp(min=1)).clamp(min=1e-6)
    curve = error.sum(-1) / points.clamp(min=1) / root
    return curve.sum() / (points > 0).sum().clamp(min=1)
