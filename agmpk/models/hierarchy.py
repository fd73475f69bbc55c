"""The two encoders of AICMET: points to an individual, individuals to a study.

Neither knows an order: points of an individual carry their time, individuals carry nothing.

Shapes: P points, N curves, B studies, J individuals, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agmpk.models.blocks import SelfBlock, hide
from agmpk.models.curves import CURVE_CHANNELS, Curves
from agmpk.models.ragged import RaggedBlock, positions, side_by_side


class CurveEncoder(nn.Module):
    """Attention within each curve; a learned first token of every curve gathers the whole."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.embed = nn.Linear(CURVE_CHANNELS, width)
        self.whole = nn.Parameter(torch.zeros(1, width))
        self.layers = nn.ModuleList(RaggedBlock(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, features: Tensor, curve: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """Points [P, C] of curves [P] -> whole curves [N, D] and points [P, D]."""
        every = torch.arange(number, device=curve.device)
        row = torch.cat([every, curve])
        place = positions(row, number)
        filled = side_by_side(torch.ones_like(row, dtype=torch.bool), row, place, number)
        bias = hide(filled[:, 1:], features.dtype)
        x = torch.cat([self.whole.expand(number, -1), self.embed(features)])
        for layer in self.layers:
            x = layer(x, row, place, bias)
        x = self.norm(x)
        return x[:number], x[number:]

    def many(self, groups: list[Curves], kind: torch.dtype) -> list[tuple[Tensor, Tensor]]:
        """Encode several groups of curves in one pass."""
        start, curve = 0, []
        for group in groups:
            curve.append(group.curve + start)
            start += group.number
        features = torch.cat([group.features for group in groups]).to(kind)
        whole, points = self(features, torch.cat(curve), start)
        return list(
            zip(
                whole.split([group.number for group in groups]),
                points.split([len(group.curve) for group in groups]),
                strict=True,
            )
        )


class StudyEncoder(nn.Module):
    """Attention among the individuals of a study, as a set; a first token gathers the study."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.count = nn.Linear(1, width)
        self.layers = nn.ModuleList(SelfBlock(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, individuals: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """[B, J, D] where ``present`` [B, J] -> study [B, D], individuals in it [B, J, D]."""
        number = torch.log1p(present.sum(-1, keepdim=True).to(individuals.dtype))
        x = torch.cat([self.count(number)[:, None], individuals], 1)
        bias = hide(present, individuals.dtype)
        for layer in self.layers:
            x = layer(x, bias)
        x = self.norm(x)
        return x[:, 0], x[:, 1:]
