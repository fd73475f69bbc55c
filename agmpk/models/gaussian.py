"""What the models that end in a normal law at every asked time share: loss and draws.

Shapes: S draws, B studies, R targets, T points.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agmpk.models.heads import curve_mean, point_nll
from agmpk.models.process import normal


def beta_loss(
    mean: Tensor, sd: Tensor, x: Tensor, free: Tensor, beta: float, scale: Tensor | float = 1.0
) -> Tensor:
    """Negative log-likelihood of ``x`` [B, R, T] where ``free``, averaged over each curve's points
    and then over the curves.

    Each point is weighted by its SD in natural-log units to the power 2 ``beta``, taken as a
    constant (Seitzer et al. 2022, eq. 5): at 0.5 a squared error counts as error^2 / SD, as in a
    mean of root mean squares, instead of error^2 / SD^2, which would train the mean on the easy
    curves only.

    Args:
        scale: natural-log units of one unit of ``x``.
    """
    weight = (sd.detach() * scale).pow(2 * beta)
    return curve_mean(point_nll(mean, sd, x) * weight, free)


def antithetic(
    samples: int, shape: tuple[int, ...], generator: torch.Generator, like: Tensor
) -> Tensor:
    """Standard normal noise [S, *shape] in pairs of opposite sign.

    Every draw is standard normal, and the mean over an even number of them is exactly zero, so
    that the mean of the draws of a normal forecast is the forecast's mean.
    """
    half = normal(((samples + 1) // 2, *shape), generator, like)
    return torch.cat([half, -half])[:samples]
