"""Dosing events on an individual's own time grid: when something enters, how much, and where.

Shapes: N individuals, E doses, G grid points, D states.
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
    """onset [N, 2 E] h; amounts [N, 2 E], a rate for infusions; entry [N, D], where they go.

    Each dose is two events: what comes first (the dose, its larger part, or an infusion's start)
    and what comes second (the later part of a split dose, or the infusion's end).
    """

    onset: Tensor
    amounts: Tensor
    entry: Tensor

    def on_grid(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Time 0, the events and ``points`` [N, M] in order [N, G], that order, jumps [N, G, D]."""
        grid = torch.cat([torch.zeros_like(self.onset[:, :1]), self.onset, points], -1)
        # Stable: at equal times a dose comes before the sample, as in a trial.
        grid, order = grid.sort(dim=-1, stable=True)
        amounts = torch.nn.functional.pad(self.amounts, (1, points.shape[1]))
        jumps = amounts[..., None] * self.entry[:, None]
        return grid, order, jumps.gather(1, order[..., None].expand_as(jumps))


def dosing_events(
    p: Parameters, doses: Doses, study: Tensor, individual: Tensor, layout: Layout
) -> Events:
    """The events of N individuals with the parameters ``p`` (rows), given by their numbers."""
    oral, duration, additional = doses.oral[study], doses.duration[study], doses.additional[study]
    dose = doses.dose[study, individual]
    infused = ~oral & (duration > 0)
    number = torch.arange(int(additional.max()) + 1)
    given = (number <= additional[:, None])[..., None]
    first = doses.interval[study][:, None] * number + torch.where(oral, p.lag, 0.0)[:, None]
    second = first + torch.where(oral, p.split_delay, duration)[:, None]
    onset = torch.where(given, torch.stack([first, second], -1), 0.0)

    by_mouth = torch.where(oral, dose * torch.exp(p.F), 0.0)
    rate = torch.where(infused, dose / duration.clamp(min=1e-9), 0.0)
    bolus = torch.where(oral | infused, 0.0, dose)
    first = torch.where(oral, by_mouth * (1 - p.split_fraction), bolus + rate)
    second = torch.where(oral, by_mouth * p.split_fraction, -rate)
    amounts = torch.where(given, torch.stack([first, second], -1)[:, None], 0.0)

    entry = chain_entry(p.transits, layout.gut, layout.size)
    entry[~oral] = 0.0
    entry[~oral & ~infused, layout.central] = 1.0
    entry[infused, layout.infusion] = 1.0
    return Events(onset.flatten(1), amounts.flatten(1), entry)
