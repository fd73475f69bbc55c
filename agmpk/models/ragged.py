"""Lists of unequal length without computing on their padding.

A point is an entry of a flat list; ``place`` says where it stands when rows are laid side by side.

Shapes: P points, N rows, K longest row, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agmpk.models.attention import HEADS, FeedForward, attend


def positions(row: Tensor, rows: int) -> Tensor:
    """Place [P] of each point among the points of its ``row`` [P], in their order of appearance."""
    order = row.argsort(stable=True)
    count = torch.bincount(row, minlength=rows)
    first = count.cumsum(0) - count
    place = torch.empty_like(row)
    place[order] = torch.arange(len(row), device=row.device) - first[row[order]]
    return place


def side_by_side(values: Tensor, row: Tensor, place: Tensor, rows: int, fill: float = 0) -> Tensor:
    """[P, ...] -> [N, K, ...], ``fill`` where there is no point."""
    length = int(place.max()) + 1 if len(place) else 1
    out = values.new_full((rows, length, *values.shape[1:]), fill)
    return out.index_put((row, place), values)


class RaggedBlock(nn.Module):
    """Self-attention within each row, then a feed-forward layer; the identity at the start."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.feed = FeedForward(width)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor, row: Tensor, place: Tensor, bias: Tensor) -> Tensor:
        """``x`` [P, D]; ``bias`` [N, 1, 1, K] is -inf where a row has no point."""
        qkv = side_by_side(self.qkv(self.norm(x)), row, place, len(bias))
        q, k, v = qkv.unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        y = attend(q, k, v, bias)
        x = x + self.out(y.transpose(1, 2).flatten(2)[row, place])
        return x + self.feed(x)
