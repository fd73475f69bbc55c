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
    noise = draw_normal((*times.shape, stationary_sd.shape[-1]), generator)
    return ou_from_noise(times, stationary_sd, time_scale, noise)


def ou_from_noise(
    times: Tensor, stationary_sd: Tensor, time_scale: Tensor, noise: Tensor
) -> Tensor:
    """The paths of :func:`ou_paths` from standard normal ``noise`` [..., G, K]."""
    decay = torch.exp(-times.diff(dim=-1) / time_scale[..., None])
    innovation = torch.sqrt((1 - decay.square()).clamp(min=0))
    path = [noise[..., 0, :]]
    for k in range(1, times.shape[-1]):
        path.append(
            decay[..., k - 1, None] * path[-1] + innovation[..., k - 1, None] * noise[..., k, :]
        )
    return torch.stack(path, dim=-2) * stationary_sd[..., None, :]


# Where the processes that a study shares are drawn: denser early, as sampling is.
NODES = 33


def shared_paths(
    horizon: Tensor, stationary_sd: Tensor, time_scale: Tensor, generator: torch.Generator
) -> Tensor:
    """Paths [S, NODES, K] at the times horizon * u**2 with u even on [0, 1]; ``horizon`` [S] h."""
    times = horizon[:, None] * torch.linspace(0, 1, NODES, dtype=horizon.dtype).square()
    return ou_paths(times, stationary_sd, time_scale, generator)


def shared_at(paths: Tensor, horizon: Tensor, times: Tensor) -> Tensor:
    """The paths [N, NODES, K] at ``times`` [N, G] in hours, linear in between: [N, G, K]."""
    place = torch.sqrt((times / horizon[:, None]).clamp(0, 1)) * (NODES - 1)
    left = place.floor().clamp(max=NODES - 2)
    index = left.long()[..., None].expand(-1, -1, paths.shape[-1])
    low, high = paths.gather(1, index), paths.gather(1, index + 1)
    return low + (place - left)[..., None] * (high - low)
