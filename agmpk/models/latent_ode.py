"""The latent differential equation of NODE-PK, integrated on one grid for all individuals.

Each individual's horizon is mapped to s in [0, 1], half logarithmic and half linear in time, so
that equal Runge-Kutta steps in s resolve absorption and elimination alike:

    dz/ds = f(z, code, time and dosing at s),     z(0) from the encoder.

Between the nodes the state is interpolated by cubic Hermite polynomials, which use dz/ds itself.

Shapes: N targets, T asked times, K steps, Z latent width, D width.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torchdiffeq import odeint

from agmpk.models.dosing import DOSING_CHANNELS
from agmpk.models.features import TIME_CHANNELS, time_features
from agmpk.models.own_frame import OwnFrame

EARLY = 0.02  # share of the horizon below which the grid is linear in time
SUBSTEPS = 3  # the 3/8 rule of torchdiffeq's rk4 evaluates at thirds of a step


def to_grid(tau: Tensor) -> Tensor:
    """Share of the horizon -> s."""
    return 0.5 * torch.log1p(tau / EARLY) / math.log1p(1 / EARLY) + 0.5 * tau


def grid_times(points: int) -> Tensor:
    """Shares of the horizon at ``points`` equal places of s in [0, 1]."""
    fine = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, 20_000)])
    s = to_grid(torch.from_numpy(fine)).numpy()
    return torch.from_numpy(np.interp(np.linspace(0, 1, points), s, fine))


class LatentODE(nn.Module):
    """From the state at the first dose to the states at asked times."""

    def __init__(self, latent: int, width: int, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.state = nn.Linear(latent, width)
        self.code = nn.Linear(width, width, bias=False)
        self.forcing = nn.Linear(TIME_CHANNELS + DOSING_CHANNELS, width, bias=False)
        self.hidden = nn.Linear(width, width)
        self.out = nn.Linear(width, latent)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.register_buffer("tau", grid_times(SUBSTEPS * steps + 1), persistent=False)

    def rate(self, z: Tensor, known: Tensor) -> Tensor:
        """f: dz/ds from the state and what is known at that place of the grid."""
        return self.out(torch.tanh(self.hidden(torch.tanh(self.state(z) + known))))

    def forward(self, start: Tensor, code: Tensor, frame: OwnFrame) -> Tensor:
        """States [N, T, Z] at the frame's times from ``start`` [N, Z] and ``code`` [N, D]."""
        kind = start.dtype
        tau = self.tau.to(frame.tau.dtype)
        inputs = torch.cat(
            [time_features(tau).expand(len(start), -1, -1), frame.dosing_at(tau)], -1
        )
        known = (self.forcing(inputs.to(kind)) + self.code(code)[:, None]).transpose(0, 1)
        places = SUBSTEPS * self.steps

        def rate(s: Tensor, z: Tensor) -> Tensor:
            return self.rate(z, known[round(float(s) * places)])

        grid = torch.linspace(0, 1, self.steps + 1, dtype=kind, device=start.device)
        nodes = odeint(rate, start, grid, method="rk4")
        slopes = self.rate(nodes, known[::SUBSTEPS])
        return hermite(
            nodes.transpose(0, 1), slopes.transpose(0, 1), to_grid(frame.tau).to(kind), self.steps
        )


def hermite(nodes: Tensor, slopes: Tensor, s: Tensor, steps: int) -> Tensor:
    """Cubic Hermite interpolation [N, T, Z] of ``nodes`` [N, K + 1, Z] at ``s`` [N, T]."""
    place = s.clamp(0, 1) * steps
    left = place.floor().clamp(max=steps - 1).long()
    w = (place - left)[..., None]

    def at(values: Tensor, index: Tensor) -> Tensor:
        return values.gather(1, index[..., None].expand(-1, -1, values.shape[-1]))

    a, b = at(nodes, left), at(nodes, left + 1)
    slope_a, slope_b = at(slopes, left) / steps, at(slopes, left + 1) / steps
    return (
        a * (1 + 2 * w) * (1 - w) ** 2
        + b * w**2 * (3 - 2 * w)
        + slope_a * w * (1 - w) ** 2
        - slope_b * w**2 * (1 - w)
    )
