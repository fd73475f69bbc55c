"""Pre-normed attention blocks: within one sequence, and from queries to keys.

Shapes: N sequences, Q queries, K keys, D width.  A bias is additive and broadcasts to
[N, heads, Q, K]; -inf hides a key.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agmpk.models.attention import Attention, FeedForward


class SelfBlock(nn.Module):
    """Self-attention, then a feed-forward layer; the identity at the start."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width)
        self.feed = FeedForward(width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        normed = self.norm(x)
        x = x + self.attention(normed, self.attention.keys(normed), bias)
        return x + self.feed(x)


class CrossBlock(nn.Module):
    """Functional attention: queries at any times look up encoded observations."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width)

    def forward(self, x: Tensor, keys: tuple[Tensor, Tensor], bias: Tensor) -> Tensor:
        return x + self.attention(self.norm(x), keys, bias)


def hide(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Bias [N, 1, 1, 1 + K] of keys [N, K] behind a first key that is always seen."""
    bias = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    bias = bias.masked_fill(~mask, -torch.inf)
    return nn.functional.pad(bias, (1, 0))[:, None, None]
