"""Ornstein-Uhlenbeck deviations of log-parameters along an individual's own time grid.

d theta = -lambda (theta - mu) dt + sigma dW, started in its stationary law; here the deviation
theta - mu is drawn, by its exact transition, so that the grid does not have to be fine or even.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agmpk.prior.laws import draw_normal


def ou_paths(
    times: Tensor, stationary_sd: Tensor, time_scale: Tensor, generator: torch.Generator
) -> Tensor:
    """Deviations [..., G, K] of K independent processes at increasing ``times`` [..., G] in hours.

    ``stationary_sd`` is [..., K] (sigma / sqrt(2 lambda)), ``time_scale`` is [...] in hours
    (1 / lambda).  Mean 0, variance stationary_sd**2, autocorrelation exp(-|t - t'| / time_scale).
    """
    steps = times.shape[-1]
    noise = draw_normal((*times.shape, stationary_sd.shape[-1]), generator)
    decay = torch.exp(-times.diff(dim=-1) / time_scale[..., None])
    innovation = torch.sqrt((1 - decay.square()).clamp(min=0))
    path = [noise[..., 0, :]]
    for k in range(1, steps):
        path.append(
            decay[..., k - 1, None] * path[-1] + innovation[..., k - 1, None] * noise[..., k, :]
        )
    return torch.stack(path, dim=-2) * stationary_sd[..., None, :]
