"""Multi-head attention whose heads look at different neighbourhoods.

Some heads see everything, some only points of the same individual, some mostly points near in
time: an additive bias, fixed rather than learned, says which.

Shapes: N sequences, Q queries, K keys, H heads, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HEADS = 8
OWN_HEADS = 2  # see their own individual only
TIME_SLOPES = (1.0, 4.0, 16.0)  # bias -slope * |u - u'| of the heads that look near in time

# Bias of what must not be seen.  exp(-1e4) is 0 exactly, and unlike -inf it does no harm where
# there is nothing to see at all.
INVISIBLE = -1e4


def context_bias(owner: Tensor, u: Tensor, weight: Tensor | None = None) -> Tensor:
    """Bias [B, H, L, L] of self-attention over packed context tokens.

    ``weight`` [B, L]: logarithms of the keys' weights.
    """
    bias = _time_bias(u, u, owner)
    same = owner[:, :, None] == owner[:, None, :]
    bias[:, :OWN_HEADS] = torch.where(same[:, None], 0.0, INVISIBLE)
    return bias if weight is None else bias + weight[:, None, None]


def cross_bias(u_query: Tensor, owner: Tensor, u: Tensor, weight: Tensor | None = None) -> Tensor:
    """Bias [B, H, Q, L + 1] of queries at warped times [B, Q]; key 0 is a learned empty token."""
    bias = _time_bias(u_query, u, owner)
    if weight is not None:
        bias = bias + weight[:, None, None]
    return F.pad(bias, (1, 0))


def _time_bias(u_query: Tensor, u: Tensor, owner: Tensor) -> Tensor:
    distance = (u_query[:, :, None] - u[:, None, :]).abs()
    B, Q, K = distance.shape
    bias = u.new_zeros((B, HEADS, Q, K))
    for h, slope in enumerate(TIME_SLOPES):
        bias[:, OWN_HEADS + h] = -slope * distance
    return bias.masked_fill((owner < 0)[:, None, None, :], INVISIBLE)


class Attention(nn.Module):
    """softmax(q k / sqrt(d) + bias) v with separate sources of queries and keys."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.out.weight)

    def keys(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values [N, H, K, D / H], which can be computed once for many queries."""
        key, value = self.key_value(source).unflatten(-1, (2, HEADS, -1)).unbind(-3)
        return key.transpose(-2, -3), value.transpose(-2, -3)

    def forward(self, x: Tensor, keys: tuple[Tensor, Tensor], bias: Tensor) -> Tensor:
        """Attend from ``x`` [N, Q, D]."""
        query = self.query(x).unflatten(-1, (HEADS, -1)).transpose(-2, -3)
        y = attend(query, *keys, bias)
        return self.out(y.transpose(-2, -3).flatten(-2))


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """Scaled dot-product attention [N, H, Q, D / H], on a CPU never in half precision.

    There the backward pass of half-precision attention is thirty times slower, which would undo
    what bf16 matrix products gain.
    """
    if query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    with torch.autocast("cpu", enabled=False):
        query, key, value = (a.to(bias.dtype) for a in (query, key, value))
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)


class FeedForward(nn.Sequential):
    """Pre-normed two-layer perceptron, zero at the start so that a block begins as identity."""

    def __init__(self, width: int, factor: int = 4) -> None:
        super().__init__(
            nn.LayerNorm(width),
            nn.Linear(width, factor * width),
            nn.GELU(),
            nn.Linear(factor * width, width),
        )
        nn.init.zeros_(self[-1].weight)
        nn.init.zeros_(self[-1].bias)
