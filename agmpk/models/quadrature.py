"""How much time each sample stands for: the weights of continuum attention.

In continuum attention (Calvello et al. 2024) a softmax over samples becomes one over time: each key
counts with the trapezoidal weight of its place in its curve's grid, so that the answer tends to an
integral as a curve is sampled more densely, and a sample taken twice counts once.  Time is the
warped one, on which early hours count as late ones.
"""

from __future__ import annotations

import torch
from torch import Tensor

SMALLEST = 1e-6


def log_weights(u: Tensor, mask: Tensor) -> Tensor:
    """Logarithm [..., T] of the trapezoidal weights of increasing warped times ``u`` [..., T].

    Real points (``mask``) stand in front; a curve of one point weighs 1; 0 at padding.
    """
    gap = torch.where(mask[..., 1:] & mask[..., :-1], u[..., 1:] - u[..., :-1], 0.0) / 2
    edge = torch.zeros_like(u[..., :1])
    weight = torch.cat([gap, edge], -1) + torch.cat([edge, gap], -1)
    weight = torch.where(mask.sum(-1, keepdim=True) > 1, weight.clamp(min=SMALLEST), 1.0)
    return torch.where(mask, weight, 1.0).log()
