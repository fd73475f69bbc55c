"""The initial value problems of N individuals, posed in full: grid, rates, jumps.

What a solver needs and nothing else, so that any other solver can be held against ours.

Shapes: N individuals, M points of interest, G grid points, D states, K processes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from agmpk.prior.compartments import Layout, Rates, propagate
from agmpk.prior.events import Events
from agmpk.prior.exponential import ORDER
from agmpk.prior.ou import ou_from_noise, shared_at
from agmpk.prior.parameters import Parameters
from agmpk.prior.saturable import propagate_saturable

COARSE = 6  # order of the approximation of exp in a coarse solution: errors of 2e-6
PILOT = 24  # coarse points per event of one or two, half of them all of more, to find where saturation changes


@dataclass(frozen=True)
class Problem:
    """``steps`` [N, G - 1] h, ``rates`` constant in each, ``jumps`` [N, G, D] at the grid points.

    ``volume`` [N, G]; ``km_amount`` [N, G - 1] where elimination is saturable, else None;
    ``place`` [N, M] where on the grid the points of interest are.
    """

    layout: Layout
    rates: Rates
    steps: Tensor
    jumps: Tensor
    volume: Tensor
    km_amount: Tensor | None
    place: Tensor

    def __len__(self) -> int:
        return len(self.steps)

    def first(self, individuals: int) -> Problem:
        """The problem of the first individuals alone."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        picked = {k: v[:individuals] for k, v in values.items() if isinstance(v, Tensor)}
        return replace(self, rates=self.rates.first(individuals), **picked)

    def states(self, device: torch.device | str = "cpu", order: int = ORDER) -> Tensor:
        """Amounts [N, G, D] just after each grid point, solved on ``device``."""
        rates, steps, jumps = (x.to(device) for x in (self.rates, self.steps, self.jumps))
        if self.km_amount is None:
            return propagate(rates, self.layout, steps, jumps, order).cpu()
        km = self.km_amount.to(device)
        return propagate_saturable(rates, self.layout, steps, jumps, km, order).cpu()

    def concentrations(self, states: Tensor, metabolite: Tensor) -> Tensor:
        """Concentrations [N, M] of the parent, or where ``metabolite`` [N] of the metabolite."""
        parent, formed = states[..., self.layout.central], states[..., self.layout.metabolite]
        amount = torch.where(metabolite[:, None], formed, parent)
        return (amount / self.volume).gather(-1, self.place)


def pose(
    p: Parameters,
    layout: Layout,
    events: Events,
    points: Tensor,
    others: Tensor,
    noise: Tensor,
    km: Tensor | None,
) -> Problem:
    """The problems of N individuals.

    ``points`` [N, M] are the times of interest and ``others`` further grid times, in h; ``noise``
    [N, G, 2 K] drives the processes, in the order time 0, points, others, events; ``km`` [N] is the
    concentration Km, None for linear kinetics.
    """
    grid, order, jumps = events.on_grid(torch.cat([points, others], -1))
    noise = noise.gather(1, order[..., None].expand_as(noise))
    values, means = ou_from_noise(grid, p.ou_sd, p.ou_time_scale, noise)
    if p.shared.any():
        shared, shared_means = shared_at(p.frequency, p.shared, grid)
        values, means = values + shared, means + shared_means
    volume = torch.exp(p.V[:, None] + values[..., 2])
    middle = torch.exp(p.V[:, None] + means[..., 2])
    return Problem(
        layout=layout,
        rates=rates_between(p, means),
        steps=grid.diff(dim=-1),
        jumps=jumps,
        volume=volume,
        km_amount=None if km is None else km[:, None] * middle,
        place=order.argsort(dim=-1)[:, 1 : 1 + points.shape[1]],
    )


def where_elimination_changes(
    p: Parameters, layout: Layout, events: Events, horizon: Tensor, km: Tensor, points: int
) -> Tensor:
    """``points`` times per individual, dense where saturation changes, from a coarse solution."""
    if events.onset.shape[1] <= 2:
        u = (torch.arange(1, PILOT + 1) / PILOT) ** 2
        span = (horizon[:, None] - events.onset).clamp(min=0)
        pilot = (events.onset[..., None] + span[..., None] * u).flatten(1)
    else:  # the doses themselves are part of the coarse grid
        pilot = horizon[:, None] * torch.arange(1, 2 * PILOT + 1) / (2 * PILOT)
    still = horizon.new_zeros((len(horizon), 1 + events.onset.shape[1] + pilot.shape[1], 1))
    coarse = pose(
        p, layout, events, pilot, pilot[:, :0], still.expand(-1, -1, 2 * p.ou_sd.shape[1]), km
    )
    central = coarse.states(order=COARSE)[..., layout.central]
    change = (1 / (1 + central / (km[:, None] * coarse.volume))).diff(dim=-1).abs()
    return _share_out(coarse.steps, coarse.rates.ke * coarse.steps * change, points)


def _share_out(steps: Tensor, error: Tensor, points: int) -> Tensor:
    """Times [N, points] at which second-order steps make the least error in all.

    An interval's error falls with the square of the number of steps in it, so the sum is least
    where that number follows the cube root of ``error`` [N, G - 1].  A twentieth is spread evenly.
    """
    weight = error ** (1 / 3)
    weight = weight + (0.05 / weight.shape[-1]) * weight.sum(-1, keepdim=True) + 1e-12
    total = torch.nn.functional.pad(weight.cumsum(-1), (1, 0))
    times = torch.nn.functional.pad(steps.cumsum(-1), (1, 0))
    wanted = total[:, -1:] * torch.arange(1, points + 1) / points
    k = torch.searchsorted(total, wanted).clamp(1, total.shape[-1] - 1)
    low, high = total.gather(-1, k - 1), total.gather(-1, k)
    start, end = times.gather(-1, k - 1), times.gather(-1, k)
    return start + (end - start) * (wanted - low) / (high - low)


def rates_between(p: Parameters, middle: Tensor) -> Rates:
    """Rates of each interval, whose logarithms' mean deviations are ``middle`` [N, G - 1, K]."""
    P, back = p.k_out.shape[-1], 4 + (middle.shape[-1] - 4) // 2
    ke = torch.exp(p.ke[:, None] + middle[..., 1])
    return Rates(
        ka=torch.exp(p.ka[:, None] + middle[..., 0]),
        ke=ke,
        km=torch.exp(p.km[:, None] + middle[..., 3]),
        k_form=ke * p.formed[:, None],
        k_out=torch.exp(p.k_out[:, None] + middle[..., 4 : 4 + P]) * p.exchange[:, None],
        k_in=torch.exp(p.k_in[:, None] + middle[..., back : back + P]),
        ktr=torch.exp(p.ktr[:, None] + middle[..., 0]),
        first_pass=p.first_pass[:, None].expand_as(ke),
    )
