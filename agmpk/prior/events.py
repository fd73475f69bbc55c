"""Dosing events on an individual's own time grid: when something enters, how much, and where.

Shapes: N individuals, D doses, E events, G grid points, X states.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agmpk.prior.absorption import chain_entry
from agmpk.prior.compartments import Layout
from agmpk.prior.dosing import Doses
from agmpk.prior.parameters import Parameters


@dataclass(frozen=True)
class Events:
    """onset [N, E] h; jumps [N, E, X], what is added to the state (a rate for constant input).

    The first D events are what comes first of each dose (the dose, its larger part, or the start of
    a constant input); the others, where there are any, what comes second (the later part of a
    split dose, or the end of that input).
    """

    onset: Tensor
    jumps: Tensor

    def on_grid(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Time 0, ``points`` [N, M] and the events in order [N, G], that order, jumps [N, G, X]."""
        grid = torch.cat([torch.zeros_like(self.onset[:, :1]), points, self.onset], -1)
        # Stable: at equal times the sample comes before the dose: a trough.
        grid, order = grid.sort(dim=-1, stable=True)
        jumps = torch.nn.functional.pad(self.jumps, (0, 0, 1 + points.shape[1], 0))
        return grid, order, jumps.gather(1, order[..., None].expand(-1, -1, jumps.shape[-1]))


def dosing_events(p: Parameters, doses: Doses, layout: Layout, last: Tensor) -> Events:
    """The events of N individuals with parameters ``p`` and ``doses`` (rows) up to ``last`` [N] h.

    What enters later is left out.
    """
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
    first, start = _until(first, start, doses.dosed, last)
    second, end = _until(second, end, doses.dosed & ((hours > 0) | (at_once * later > 0)), last)
    if not end.any():
        return Events(first, start)
    return Events(torch.cat([first, second], 1), torch.cat([start, end], 1))


def _until(onset: Tensor, jumps: Tensor, real: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """Onsets and jumps with those left out (at time 0, nothing) that are not ``real`` or later."""
    keep = real & (onset < last[:, None])
    return torch.where(keep, onset, 0.0), torch.where(keep[..., None], jumps, 0.0)
