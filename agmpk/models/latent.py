"""Gaussian latent variables: their law, draws, and divergence.

Shapes: Z latent width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LATENT_FLOOR = 0.02


@dataclass(frozen=True)
class Normal:
    """Independent normal components: mean and sd [..., Z]."""

    mean: Tensor
    sd: Tensor

    def draw(self, noise: Tensor) -> Tensor:
        """A draw from standard normal ``noise`` of the same or a larger shape."""
        return self.mean + self.sd * noise.to(self.mean)

    def divergence(self, other: Normal) -> Tensor:
        """KL(self || other) [...] in nats."""
        ratio = self.sd / other.sd
        away = (self.mean - other.mean) / other.sd
        return (0.5 * (ratio.square() + away.square() - 1) - ratio.log()).sum(-1)


class LatentHead(nn.Module):
    """The law of a latent variable from what is known; SD 0.3 at the start."""

    def __init__(self, known: int, width: int, latent: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(known, width), nn.GELU())
        self.mean = nn.Linear(width, latent)
        self.sd = nn.Linear(width, latent)
        nn.init.zeros_(self.sd.weight)
        nn.init.constant_(self.sd.bias, math.log(math.expm1(0.3 - LATENT_FLOOR)))

    def forward(self, known: Tensor) -> Normal:
        """[..., known] -> law of [..., Z]."""
        h = self.body(known)
        mean, sd = (a(h).to(a.weight.dtype) for a in (self.mean, self.sd))
        return Normal(mean, F.softplus(sd) + LATENT_FLOOR)


def standard(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Standard normal noise from the CPU generator."""
    return torch.randn(shape, generator=generator)
