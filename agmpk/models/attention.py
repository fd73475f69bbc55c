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
    slopes = u.new_tensor([*TIME_SLOPES, *[0.0] * heads][:heads])
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
        y = attend(query, key.transpose(-2, -3), value.transpose(-2, -3), bias).to(x.dtype)
        return self.out(y.transpose(-2, -3).flatten(-2))


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """Scaled dot-product attention [N, H, Q, D / H].

    On a GPU in half precision wherever matrix products need not be exact (``allow_tf32``), which
    is several times faster; on a CPU never, where its backward pass is thirty times slower.
    """
    if query.device.type == "cpu":
        kind = bias.dtype
    else:
        exact = query.dtype == torch.float32 and not torch.backends.cuda.matmul.allow_tf32
        kind = query.dtype if exact else torch.bfloat16
    with torch.autocast(query.device.type, enabled=False):
        query, key, value, bias = (a.to(kind) for a in (query, key, value, bias))
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias).to(value.dtype)


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
