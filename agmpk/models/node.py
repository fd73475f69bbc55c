"""NODE-PK baseline (Lu et al. 2021): a recurrent encoder, a latent ordinary differential equation.

A GRU reads the prefix backwards, ending nearest the dose, and gives the latent state at the time
of the first dose; the state follows

    dz/ds = f(z, code, time and dosing at s),     z(0) from the encoder,

and a head turns state, time and dosing into a Gaussian of ln concentration.  No study level: two
scalars of the context set the scales (see ``own_frame``).

All individuals are integrated at once on one grid.  Each one's horizon, which no asked time moves,
is mapped to s in [0, 1], half logarithmic and half linear in time, so that equal Runge-Kutta steps
resolve absorption and elimination alike.  Between the nodes the state is interpolated by cubic
Hermite polynomials, which use dz/ds itself; beyond the horizon it stays, and the head is told how
far beyond.

Shapes: N targets, T points, K steps, G places of the grid, Z latent width, W width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from agmpk.models.heads import Count, Factor, GaussianHead
from agmpk.models.own_frame import (
    POINT_CHANNELS,
    PREFIX_CHANNELS,
    QUERY_CHANNELS,
    OwnFrame,
    OwnModel,
)

EARLY = 0.02  # share of the horizon below which the grid is linear in time
SUBSTEPS = 3  # the 3/8 rule evaluates at thirds of a step


@dataclass(frozen=True)
class NodeConfig:
    """Sizes; ``steps`` of the integration; ``beta`` of the likelihood's weights (see
    ``beta_loss``); ``scalars`` False: prefix only; ``temperature``: factor on the SD in
    sampling."""

    width: Count = 128
    latent: Count = 32
    steps: Count = 16
    beta: Factor = 0.5
    scalars: bool = True
    temperature: Factor = 1.0


class NodeModel(OwnModel):
    """Learns with ``loss``, answers with ``sample`` and ``mean``."""

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        width = config.width
        self.embed = nn.Sequential(nn.Linear(PREFIX_CHANNELS, width), nn.GELU())
        self.gru = nn.GRU(width, width, batch_first=True)
        self.start = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, config.latent)
        )
        self.ode = LatentODE(config.latent, width, config.steps)
        self.read = nn.Sequential(
            nn.Linear(config.latent + QUERY_CHANNELS, width),
            nn.GELU(),
            nn.Linear(width, width),
            nn.GELU(),
        )
        self.head = GaussianHead(width)

    def forward(self, frame: OwnFrame) -> tuple[Tensor, Tensor]:
        """Mean and SD [B, R, T] of ln y from the frame's centre."""
        kind = self.head.out.weight.dtype
        B, R = frame.centre.shape
        tau = self.ode.tau.to(frame.scale)
        forcing = frame.points(frame.horizon[..., None] * tau).to(kind).flatten(0, 1)
        s = to_grid((frame.target.times / frame.horizon[..., None]).clamp(0, 1)).to(kind)
        # Recurrence and integration add up many small steps, so they stay out of mixed precision.
        with torch.autocast(frame.scale.device.type, enabled=False):
            code = self.encode(frame.prefix.to(kind).flatten(0, 1), frame.seen.flatten(0, 1))
            z = self.ode(self.start(code), code, forcing, s.flatten(0, 1))
        query = frame.query.to(kind).flatten(0, 1)
        return self.head(self.read(torch.cat([z, query], -1)).unflatten(0, (B, R)))

    def encode(self, prefix: Tensor, seen: Tensor) -> Tensor:
        """The GRU's state [N, W] after the prefix [N, P, C], read from its last point back."""
        count = seen.sum(-1, keepdim=True)
        order = (count - 1 - torch.arange(seen.shape[1], device=seen.device)).clamp(min=0)
        h = self.embed(prefix.gather(1, order[..., None].expand_as(prefix)))
        states, _ = self.gru(h)
        final = (count - 1).clamp(min=0)[..., None].expand(-1, -1, states.shape[-1])
        return states.gather(1, final)[:, 0]


class LatentODE(nn.Module):
    """From the state at the first dose to the states at asked times."""

    def __init__(self, latent: int, width: int, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.state = nn.Linear(latent, width)
        self.code = nn.Linear(width, width, bias=False)
        self.forcing = nn.Linear(POINT_CHANNELS, width, bias=False)
        self.hidden = nn.Linear(width, width)
        self.out = nn.Linear(width, latent)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.register_buffer("tau", grid_times(SUBSTEPS * steps + 1), persistent=False)

    def rate(self, z: Tensor, known: Tensor) -> Tensor:
        """f: dz/ds from the state and what is known at that place of the grid."""
        return self.out(torch.tanh(self.hidden(torch.tanh(self.state(z) + known))))

    def forward(self, start: Tensor, code: Tensor, forcing: Tensor, s: Tensor) -> Tensor:
        """States [N, T, Z] at ``s`` [N, T] from ``start`` [N, Z], ``code`` [N, W] and the channels
        of time and dosing ``forcing`` [N, G, C]."""
        known = (self.forcing(forcing) + self.code(code)[:, None]).transpose(0, 1)
        nodes = self.integrate(start, known)
        slopes = self.rate(nodes, known[::SUBSTEPS])
        return hermite(nodes.transpose(0, 1), slopes.transpose(0, 1), s, self.steps)

    def integrate(self, z: Tensor, known: Tensor) -> Tensor:
        """States [K + 1, N, Z] at the nodes from z [N, Z], by Kutta's 3/8 rule.

        ``torchdiffeq.odeint`` with ``method="rk4"`` gives the same numbers; written out, no clock
        is read back from the device at every evaluation.
        """
        h, nodes, inputs = 1.0 / self.steps, [z], known.unbind(0)
        for k in range(self.steps):
            a, b, c, d = inputs[SUBSTEPS * k : SUBSTEPS * (k + 1) + 1]
            f1 = self.rate(z, a)
            f2 = self.rate(z + h / 3 * f1, b)
            f3 = self.rate(z + h * (f2 - f1 / 3), c)
            f4 = self.rate(z + h * (f1 - f2 + f3), d)
            z = z + h / 8 * (f1 + 3 * (f2 + f3) + f4)
            nodes.append(z)
        return torch.stack(nodes)


def to_grid(tau: Tensor) -> Tensor:
    """Share of the horizon -> s."""
    return 0.5 * torch.log1p(tau / EARLY) / math.log1p(1 / EARLY) + 0.5 * tau


def grid_times(points: int) -> Tensor:
    """Shares of the horizon at ``points`` equal places of s in [0, 1]."""
    fine = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, 20_000)])
    s = to_grid(torch.from_numpy(fine)).numpy()
    return torch.from_numpy(np.interp(np.linspace(0, 1, points), s, fine))


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
