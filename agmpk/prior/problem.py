"""The initial value problems of N individuals, posed in full: grid, rates, jumps.

What a solver needs and nothing else, so that any other solver can be held against ours.

Shapes: N individuals, M points of interest, D doses, E events, G grid points, X states,
K processes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from agmpk.prior.compartments import Layout, Rates, propagate, propagate_saturable
from agmpk.prior.dosing import Given
from agmpk.prior.exponential import ORDER
from agmpk.prior.laws import ou_from_noise, shared_at
from agmpk.prior.parameters import Parameters

COARSE = 6  # order of the approximation of exp in a coarse solution: errors of 2e-6
# Coarse points, to find where saturation changes: after each of one or two events, or half of
# those of more.
PILOT = 24


class Events:
    """The events of N individuals with parameters ``p`` and ``doses`` up to ``last`` [N] h; what
    enters later is left out.

    onset [N, E] h; jumps [N, E, X], what is added to the state (a rate for constant input).  The
    first D events are what comes first of each dose (the dose, its larger part, or the start of a
    constant input); the others, where there are any, what comes second (the later part of a split
    dose, or the end of that input).
    """

    def __init__(self, p: Parameters, doses: Given, layout: Layout, last: Tensor) -> None:
        oral, zero = doses.oral, (p.zero_duration > 0)[:, None]
        by_mouth = torch.where(oral, doses.amount * torch.exp(p.F[:, None] + doses.gain), 0.0)
        hours = torch.where(oral, torch.where(zero, p.zero_duration[:, None], 0.0), doses.duration)
        first = doses.time + torch.where(oral, p.lag[:, None], 0.0)
        second = first + torch.where(oral & ~zero, p.split_delay[:, None], hours)

        released = by_mouth * p.zero_part[:, None]
        later = torch.where(zero, 0.0, p.split_fraction[:, None])
        constant = torch.where(oral, released, doses.amount)
        rate = torch.where(hours > 0, constant / hours.clamp(min=1e-9), 0.0)
        bolus = torch.where(oral | (hours > 0), 0.0, doses.amount)
        at_once = by_mouth - torch.where(zero, released, 0.0)

        entry = chain_entry(p.transits, layout.gut, layout.size)[:, None]
        unit = torch.eye(layout.size, dtype=entry.dtype)
        to_gut = (oral & p.zero_gut[:, None])[..., None]
        runs = torch.where(to_gut, unit[layout.release], unit[layout.infusion]) * rate[..., None]
        start = (at_once * (1 - later))[..., None] * entry + runs
        start = start + bolus[..., None] * unit[layout.central]
        end = (at_once * later)[..., None] * entry - runs
        twice = doses.dosed & ((hours > 0) | (at_once * later > 0))
        self.onset, self.jumps = _until(first, start, doses.dosed, last)
        second, end = _until(second, end, twice, last)
        if end.any():
            self.onset = torch.cat([self.onset, second], 1)
            self.jumps = torch.cat([self.jumps, end], 1)

    def on_grid(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Time 0, ``points`` [N, M] and the events in order [N, G], that order, jumps [N, G, X]."""
        grid = torch.cat([torch.zeros_like(self.onset[:, :1]), points, self.onset], -1)
        # Stable: at equal times the sample comes before the dose: a trough.
        grid, order = grid.sort(dim=-1, stable=True)
        jumps = torch.nn.functional.pad(self.jumps, (0, 0, 1 + points.shape[1], 0))
        return grid, order, jumps.gather(1, order[..., None].expand(-1, -1, jumps.shape[-1]))


def chain_entry(transits: Tensor, gut: int, size: int) -> Tensor:
    """Share of a dose that enters each state of the chain, [N, D], for a real number of stages [N].

    Savic et al. (2007) let a dose reach the gut by a gamma density of real shape n + 1.  A chain
    of k stages of rate ka gives shapes k + 1; between two whole numbers k < n < k + 1 the share
    n - k of the dose takes one stage more.  Mean transit time is that of the gamma density,
    (n + 1) / ka; the variance exceeds it by (n - k)(k + 1 - n) / ka^2, at most 1/4 of 1 / ka^2.
    """
    below = transits.floor()
    share = transits - below
    place = gut - torch.stack([below, transits.ceil()], -1).long()
    entry = transits.new_zeros((len(transits), size))
    return entry.scatter_add_(1, place, torch.stack([1 - share, share], -1))


def _until(onset: Tensor, jumps: Tensor, real: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """Onsets and jumps with those left out (at time 0, nothing) that are not ``real`` or later."""
    keep = real & (onset < last[:, None])
    return torch.where(keep, onset, 0.0), torch.where(keep[..., None], jumps, 0.0)


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

    def __getitem__(self, individuals: slice) -> Problem:
        """The problem of some individuals alone."""
        parts = {k: v for k, v in vars(self).items() if isinstance(v, Tensor | Rates)}
        return replace(self, **{name: part[individuals] for name, part in parts.items()})

    def states(self, order: int = ORDER) -> Tensor:
        """Amounts [N, G, D] just after each grid point."""
        if self.km_amount is None:
            return propagate(self.rates, self.layout, self.steps, self.jumps, order)
        return propagate_saturable(
            self.rates, self.layout, self.steps, self.jumps, self.km_amount, order
        )

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
