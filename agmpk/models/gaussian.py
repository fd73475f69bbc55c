"""Gaussian likelihood of a curve's unseen points, shared by the models that end in one.

Shapes: N curves (any leading axes), T points, D width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SD_FLOOR = 0.02


class GaussianHead(nn.Module):
    """Mean and standard deviation of a point from its state; mean 0 and SD ``start`` at first."""

    def __init__(self, width: int, start: float = 0.7) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, 2)
        nn.init.zeros_(self.out.weight)
        with torch.no_grad():
            self.out.bias.copy_(torch.tensor([0.0, math.log(math.expm1(start - SD_FLOOR))]))

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """[..., D] -> mean [...], SD [...]."""
        # In mixed precision the likelihood is still computed in the weights' own.
        mean, raw = self.out(self.norm(state)).to(self.out.weight.dtype).unbind(-1)
        return mean, F.softplus(raw) + SD_FLOOR


def point_nll(mean: Tensor, sd: Tensor, x: Tensor) -> Tensor:
    """-ln N(x; mean, sd^2), without its constant."""
    return sd.log() + 0.5 * ((x - mean) / sd).square()


def curve_loss(mean: Tensor, sd: Tensor, x: Tensor, free: Tensor, beta: float = 0.0) -> Tensor:
    """Negative log-likelihood averaged over each curve's unseen points, then over the curves.

    Each point is weighted by sd^(2 beta), taken as a constant (Seitzer et al. 2022, eq. 5): at
    beta = 0.5 a point's squared error counts as error^2 / sd, as in a mean of root mean squares,
    instead of error^2 / sd^2, which would train the mean on the easy curves only.
    """
    weight = free.to(mean.dtype)
    nll = point_nll(mean, sd, x)
    if beta:
        nll = nll * sd.detach().pow(2 * beta)
    points = weight.sum(-1)
    curve = (nll * weight).sum(-1) / points.clamp(min=1)
    return curve.sum() / (points > 0).sum().clamp(min=1)


def antithetic(samples: int, like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal noise [samples, ...] in pairs of opposite sign, drawn on the CPU.

    Every draw is standard normal and the mean over an even number of them is exactly zero, so
    that the mean of the samples of a Gaussian forecast is the Gaussian's mean.
    """
    half = torch.randn(((samples + 1) // 2, *like.shape), generator=generator, dtype=like.dtype).to(
        like.device
    )
    return torch.cat([half, -half])[:samples]
