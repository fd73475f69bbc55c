"""Multi-head attention and the pre-normed blocks made of it.

A bias is additive and broadcasts to [N, heads, Q, K]; ``INVISIBLE`` hides a key.

Shapes: N sequences, Q queries, K keys, H heads, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HEAD_WIDTH = 32
TIME_SLOPES = (1.0, 4.0, 16.0)  # bias -slope |u - u'| of the heads that look near in time

# exp(-1e4) is 0 exactly, and unlike -inf it does no harm where there is nothing to see at all.
INVISIBLE = -1e4


def hide(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Bias [N, 1, 1, K] that hides the keys [N, K] outside ``mask``."""
    return torch.where(mask, 0.0, INVISIBLE).to(dtype)[:, None, None]


def near_in_time(u_query: Tensor, u: Tensor, mask: Tensor, heads: int) -> Tensor:
    """Bias [N, H, Q, K] of queries at warped times [N, Q] on keys at [N, K]: some heads see
    everything in ``mask``, some mostly what is near in time."""
    distance = (u_query[:, :, None] - u[:, None, :]).abs()
    slopes = u.new_tensor([*TIME_SLOPES, *[0.0] * (heads - len(TIME_SLOPES))])
    bias = -slopes[:, None, None] * distance[:, None]
    return bias.masked_fill(~mask[:, None, None], INVISIBLE)


class Attention(nn.Module):
    """softmax(q k / sqrt(d) + bias) v with separate sources of queries and keys."""

    def __init__(self, width: int, source: int | None = None) -> None:
        super().__init__()
        self.heads = width // HEAD_WIDTH
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(source or width, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor, source: Tensor, bias: Tensor) -> Tensor:
        """Attend from ``x`` [N, Q, D] to ``source`` [N, K, source]."""
        query = self.query(x).unflatten(-1, (self.heads, -1)).transpose(-2, -3)
        key, value = self.key_value(source).unflatten(-1, (2, self.heads, -1)).unbind(-3)
        y = attend(query, key.transpose(-2, -3), value.transpose(-2, -3), bias)
        return self.out(y.transpose(-2, -3).flatten(-2))


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """Scaled dot-product attention [N, H, Q, D / H], on a CPU never in half precision.

    There the backward pass of half-precision attention is thirty times slower, which would undo
    what bf16 matrix products gain.
    """
    if query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
    with torch.autocast("cpu", enabled=False):
        query, key, value = (a.to(bias.dtype) for a in (query, key, value))
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)


class FeedForward(nn.Sequential):
    """Pre-normed two-layer perceptron, zero at the start so that a block begins as identity."""

    def __init__(self, width: int, factor: int = 3) -> None:
        super().__init__(
            nn.LayerNorm(width),
            nn.Linear(width, factor * width),
            nn.GELU(),
            nn.Linear(factor * width, width),
        )
        nn.init.zeros_(self[-1].weight)
        nn.init.zeros_(self[-1].bias)


class SelfBlock(nn.Module):
    """Self-attention, then a feed-forward layer; the identity at the start."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width)
        self.feed = FeedForward(width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        normed = self.norm(x)
        x = x + self.attention(normed, normed, bias)
        return x + self.feed(x)


class CrossBlock(nn.Module):
    """Queries look up encoded keys of width ``source``; ``feed``: then a feed-forward layer."""

    def __init__(self, width: int, source: int | None = None, feed: bool = True) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, source)
        self.feed = FeedForward(width) if feed else None

    def forward(self, x: Tensor, source: Tensor, bias: Tensor) -> Tensor:
        x = x + self.attention(self.norm(x), source, bias)
        return x if self.feed is None else x + self.feed(x)
