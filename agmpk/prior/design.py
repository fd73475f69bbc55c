"""Who is sampled when: nominal trial schedules, power-law schedules, and the published one.

Shapes: S studies, I individuals, T scheduled samples (padded; the mask says which exist).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from agmpk.prior.dosing import move_after_last_dose
from agmpk.prior.groups import Design
from agmpk.prior.laws import Law, draw_integer, draw_normal, draw_switch
from agmpk.prior.parameters import Typical
from agmpk.prior.streams import Streams

# Nominal clock times of pharmacokinetic protocols, in hours (any textbook schedule is a subset).
CLOCK = (
    0.083,
    0.167,
    0.25,
    0.333,
    0.5,
    0.667,
    0.75,
    1,
    1.25,
    1.5,
    1.75,
    2,
    2.5,
    3,
    3.5,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    12,
    14,
    16,
    18,
    20,
    24,
    28,
    30,
    32,
    36,
    40,
    48,
    60,
    72,
    84,
    96,
)


def draw_horizon(design: Design, studies: int, generator: torch.Generator) -> Tensor:
    """Last scheduled time of each study, [S] in hours."""
    choices = torch.tensor(design.horizons, dtype=torch.float64)
    return choices[draw_integer(0, len(choices) - 1, (studies,), generator)]


def draw_present(design: Design, studies: int, generator: torch.Generator) -> Tensor:
    """Who takes part, [S, I]: the first so many individuals, I being the largest number."""
    choices = torch.tensor(design.individuals)
    number = choices[draw_integer(0, len(choices) - 1, (studies, 1), generator)]
    return torch.arange(max(design.individuals)) < number


def draw_schedule(
    design: Design,
    typical: Typical,
    horizon: Tensor,
    last_dose: Tensor,
    after_last_dose: Law,
    streams: Streams,
) -> tuple[Tensor, Tensor]:
    """Sampling times [S, I, T] in hours, increasing, and which of them exist [S, I, T].

    ``last_dose`` [S] is the time of the last dose; ``after_last_dose`` the law of the share of the
    samples that are taken after it.
    """
    S, individuals, T = len(horizon), max(design.individuals), design.observations[1]
    g = streams("nominal times")
    count = draw_integer(*design.observations, (S, 1), g)
    power = _power_law(horizon, count, T, g)
    clock = _clock(horizon, count, T, g)
    use_clock = draw_switch(design.clock_schedule_probability, (S, 1), g)
    times = torch.where(use_clock, clock, power)[:, None].expand(S, individuals, T)

    g = streams("deviation of times")
    moved = draw_switch(design.deviation_probability, (S, 1, 1), g)
    deviation = design.time_deviation.draw((S, 1, 1), g) * draw_normal((S, individuals, T), g)
    times = times * torch.exp(torch.where(moved, deviation, 0.0))

    g = streams("peak schedule")
    use_peak = draw_switch(design.peak_schedule_probability, (S, 1, 1), g)
    times = torch.where(use_peak, _peak_schedule(typical, horizon, individuals, T, g), times)

    g = streams("after last dose")
    share = after_last_dose.draw((S,), g)
    times = move_after_last_dose(times, horizon, last_dose, share, g)

    g = streams("missed")
    missed = torch.rand((S, individuals, T), generator=g, dtype=torch.float64) < design.missed.draw(
        (S, 1, 1), g
    )
    exists = (torch.arange(T) < count)[:, None] & ~missed
    # Padded times go to the end so that sorting leaves the existing ones in front.
    times, order = torch.where(exists, times, math.inf).sort(dim=-1)
    exists = exists.gather(-1, order)
    # Two samples at the same minute (a schedule cut at the horizon) are one sample.
    exists[..., 1:] &= times.diff(dim=-1).nan_to_num(0.0) > 1e-6
    return torch.where(exists, times, horizon[:, None, None]), exists


def _power_law(horizon: Tensor, count: Tensor, T: int, g: torch.Generator) -> Tensor:
    """Early-rich nominal times: horizon * u**power with u evenly spaced and slightly shaken."""
    S = len(horizon)
    shake = torch.rand((S, T), generator=g, dtype=torch.float64) - 0.5
    u = ((torch.arange(T) + 1 + 0.6 * shake) / count).clamp(0.02, 1.0)
    power = 1.3 + 2.2 * torch.rand((S, 1), generator=g, dtype=torch.float64)
    return horizon[:, None] * u**power


def _clock(horizon: Tensor, count: Tensor, T: int, g: torch.Generator) -> Tensor:
    """``count`` clock times up to the horizon, the horizon among them, the rest at random."""
    S = len(horizon)
    clock = torch.tensor(CLOCK, dtype=torch.float64).expand(S, -1)
    # Rounder times are more likely to be on a protocol: whole and half hours, then quarters.
    odd = (clock * 2 % 1 > 1e-6) | (clock > 12) & (clock % 12 > 1e-6)
    score = torch.rand(clock.shape, generator=g, dtype=torch.float64) + 0.5 * (~odd)
    score = torch.where(clock == horizon[:, None], 9.0, score)
    score = torch.where(clock > horizon[:, None], -1.0, score)
    rank = score.argsort(dim=-1, descending=True).argsort(dim=-1)
    chosen = (rank < count) & (score > 0)
    # Where the clock has too few times, the missing samples fall on the horizon and are merged.
    return (
        torch.where(chosen, clock, math.inf).sort(dim=-1).values[:, :T].clamp(max=horizon[:, None])
    )


def _peak_schedule(
    typical: Typical, horizon: Tensor, individuals: int, T: int, g: torch.Generator
) -> Tensor:
    """The published design: four times evenly before T_peak, the rest at gaps widening by T_half.

    T_peak = (log ka - log ke) / (ka - ke), T_half = log 2 / ke.  The publication leaves the
    widening open; here the gaps after the peak grow geometrically up to the horizon.
    """
    ka, ke = typical.ka.exp(), typical.ke.exp()
    difference = torch.where((ka - ke).abs() < 1e-6, 1e-6, ka - ke)
    peak = torch.minimum((typical.ka - typical.ke) / difference, 0.5 * horizon)
    end = torch.minimum(horizon, peak + 5 * math.log(2) / ke)
    early = peak[:, None] * torch.arange(1, 5) / 4
    u = torch.arange(1, T - 3) / (T - 4)
    late = peak[:, None] + (end - peak)[:, None] * torch.expm1(2.5 * u) / math.expm1(2.5)
    shake = 0.1 * draw_normal((len(horizon), individuals, T), g)
    return torch.minimum(
        torch.cat([early, late], 1)[:, None] * torch.exp(shake), horizon[:, None, None]
    )
