"""Doses: route, amount (per study, per individual or per kg of body weight) and their schedule.

Shapes: S studies, I individuals per study.  All individuals of a study share route and schedule.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agmpk.prior.groups import Dosing
from agmpk.prior.laws import draw_normal, draw_switch
from agmpk.prior.streams import Streams

STANDARD_WEIGHT = 70.0  # kg


@dataclass(frozen=True)
class Doses:
    """dose [S, I] amount of each single dose; oral [S]; duration [S] h of an infusion, else 0;
    interval [S] h between doses, 0 for a single one; additional [S] doses after the first;
    weight [S, I] kg, 70 where doses are not per kg."""

    dose: Tensor
    oral: Tensor
    duration: Tensor
    interval: Tensor
    additional: Tensor
    weight: Tensor

    @property
    def last(self) -> Tensor:
        """Time of the last dose [S] in h."""
        return self.interval * self.additional


def draw_doses(d: Dosing, horizon: Tensor, individuals: int, streams: Streams) -> Doses:
    """Doses of ``individuals`` individuals in each study; ``horizon`` is [S] in hours."""
    S = len(horizon)
    g = streams("route")
    oral = draw_switch(d.oral_probability, (S,), g)
    infusion = ~oral & draw_switch(d.infusion_probability, (S,), g)
    duration = torch.where(infusion, d.infusion_duration.draw((S,), g) * horizon, 0.0)
    interval, additional = _schedule(d, horizon, streams("repeated"))
    duration = torch.where(additional > 0, torch.minimum(duration, interval), duration)

    g = streams("weight")
    per_kg = draw_switch(d.per_kg_probability, (S, 1), g)
    weight = d.weight.draw((S, 1), g) * torch.exp(
        d.sd_weight.draw((S, 1), g) * draw_normal((S, individuals), g)
    )
    weight = torch.where(per_kg, weight, STANDARD_WEIGHT)

    g = streams("dose")
    spread = d.sd_log_dose.draw((S, 1), g) * draw_normal((S, individuals), g)
    same = draw_switch(d.same_dose_probability, (S, 1), g)
    dose = torch.exp(d.log_dose.draw((S, 1), g) + torch.where(same, 0.0, spread))
    return Doses(dose * weight / STANDARD_WEIGHT, oral, duration, interval, additional, weight)


def _schedule(d: Dosing, horizon: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Interval [S] and number of additional doses [S]; the last one leaves an interval to watch."""
    S = len(horizon)
    repeated = draw_switch(d.repeated_probability, (S,), g)
    choices = torch.tensor(sorted(d.intervals), dtype=torch.float64)
    fitting = (2 * choices <= horizon[:, None]).sum(-1)
    u = torch.rand((2, S), generator=g, dtype=torch.float64)
    interval = choices[(u[0] * fitting).long().clamp(max=len(choices) - 1)]
    most = (torch.floor(horizon / interval) - 1).clamp(0, d.max_doses - 1)
    additional = (1 + torch.floor(u[1] * most)).clamp(max=most)
    repeated = repeated & (fitting > 0) & (most > 0)
    return torch.where(repeated, interval, 0.0), torch.where(repeated, additional, 0.0).long()


def move_after_last_dose(
    times: Tensor, horizon: Tensor, last: Tensor, share: Tensor, g: torch.Generator
) -> Tensor:
    """Move a ``share`` [S] of the scheduled times [S, I, T] into the time after the last dose.

    A moved time t becomes last + t (horizon - last) / horizon, so that the schedule that is dense
    after the first dose is dense after the last one.  Which samples move is fixed per study.
    """
    S, _, T = times.shape
    moves = torch.rand((S, 1, T), generator=g, dtype=torch.float64) < share[:, None, None]
    moved = last[:, None, None] + times * (1 - last / horizon)[:, None, None]
    return torch.where(moves & (last > 0)[:, None, None], moved, times)
