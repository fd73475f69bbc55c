"""The context's mean log-curve, and how far its individuals stray from it.

This is the naive forecast (interpolate every context individual's log-curve linearly in time,
constant beyond its range, and average), used both as a baseline and as the point from which the
networks count: they learn what is left after it.

Shapes: B studies, J context individuals, K their observations, Q query times.
"""

from __future__ import annotations

import torch
from torch import Tensor


def interpolate(times: Tensor, values: Tensor, mask: Tensor, query: Tensor) -> Tensor:
    """Linear interpolation [B, J, Q] of each row at ``query`` [B, Q], constant beyond the ends.

    ``times`` [B, J, K] increase over the valid entries, which stand in front.
    """
    count = mask.sum(-1, keepdim=True)
    safe = torch.where(mask, times, torch.inf)
    query = query[:, None].expand(-1, times.shape[1], -1).contiguous()
    right = torch.searchsorted(safe.contiguous(), query)
    right = torch.minimum(right, (count - 1).clamp(min=0))
    left = (right - 1).clamp(min=0)
    t_left, t_right = times.gather(-1, left), times.gather(-1, right)
    y_left, y_right = values.gather(-1, left), values.gather(-1, right)
    width = t_right - t_left
    weight = torch.where(width > 0, (query - t_left) / torch.where(width > 0, width, 1.0), 1.0)
    return y_left + weight.clamp(0, 1) * (y_right - y_left)


def usable(mask: Tensor) -> Tensor:
    """Which individuals [B, J] count: two or more observations, or any where nobody has two."""
    count = mask.sum(-1)
    many = count >= 2
    return torch.where(many.any(-1, keepdim=True), many, count >= 1)


def mean_curve(curves: Tensor, use: Tensor) -> Tensor:
    """Average [B, Q] of the interpolated curves [B, J, Q] over the individuals that count."""
    weight = use.to(curves.dtype)
    total = weight.sum(-1, keepdim=True).clamp(min=1)
    return (curves * weight[..., None]).sum(1) / total


def inside(times: Tensor, mask: Tensor, query: Tensor, use: Tensor) -> Tensor:
    """Share [B, Q] of the individuals that count whose sampling range holds the query time."""
    first = torch.where(mask, times, torch.inf).amin(-1)
    last = torch.where(mask, times, -torch.inf).amax(-1)
    within = (query[:, None] >= first[..., None]) & (query[:, None] <= last[..., None])
    weight = use.to(times.dtype)
    return (within * weight[..., None]).sum(1) / weight.sum(-1, keepdim=True).clamp(min=1)
