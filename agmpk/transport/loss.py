"""The training loss of a prediction along curves."""

from __future__ import annotations

import torch
from torch import Tensor


def curve_loss(
    predicted: Tensor, target: Tensor, free: Tensor, spread: Tensor | float = 1.0
) -> Tensor:
    """Squared error over the unseen points of each curve, averaged over the curves.

    A curve's squared errors in natural-log units (coordinate times ``spread``) are averaged and
    divided by its root mean square spread.  So every curve counts the same however many points it
    has, and a curve of twice the spread counts twice, not four times: the metric is a mean of
    root mean squares.  As ``spread`` is known before the curve is, it moves no optimum.

    ``free``, ``spread`` [..., T]; ``predicted`` and ``target`` may have a leading axis of draws.
    """
    weight = free.to(predicted.dtype)
    spread = spread * torch.ones_like(weight)
    points = weight.sum(-1)
    error = ((predicted - target) * spread).square() * weight
    scale = (spread.square() * weight).sum(-1)
    root = torch.sqrt(scale / points.clamp(min=1)).clamp(min=1e-6)
    curve = error.sum(-1) / points.clamp(min=1) / root
    draws = curve.numel() / points.numel()
    return curve.sum() / (draws * (points > 0).sum().clamp(min=1))
