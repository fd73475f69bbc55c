"""Who is sampled when: nominal trial schedules, power-law schedules, and the published one.

Shapes: S studies, I individuals, T scheduled samples (padded; the mask says which exist).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from agmpk.prior.config import Design, PriorConfig
from agmpk.prior.dosing import Doses
from agmpk.prior.laws import Streams, draw_integer, draw_normal, draw_switch, draw_uniform
from agmpk.prior.parameters import Typical

# Nominal clock times of pharmacokinetic protocols, in hours (any textbook schedule is a subset).
CLOCK = (
    0.083, 0.167, 0.25, 0.333, 0.5, 0.667, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8,
    9, 10, 12, 14, 16, 18, 20, 24, 28, 30, 32, 36, 40, 48, 60, 72, 84, 96,
)  # fmt: skip


def draw_present(design: Design, studies: int, streams: Streams) -> Tensor:
    """Who takes part, [S, I]: the first so many individuals, I being the largest number."""
    g = streams("individuals")
    if any(design.caps):
        cap = design.caps[int(draw_integer(0, len(design.caps) - 1, (1,), g))]
        number = torch.ceil(cap * design.filled.draw((studies, 1), g)).clamp(min=1)
        return torch.arange(cap) < number
    choices = torch.tensor(design.individuals)
    number = choices[draw_integer(0, len(choices) - 1, (studies, 1), g)]
    return torch.arange(max(design.individuals)) < number


def draw_schedule(
    config: PriorConfig,
    typical: Typical,
    horizon: Tensor,
    doses: Doses,
    present: Tensor,
    streams: Streams,
) -> tuple[Tensor, Tensor]:
    """Sampling times [S, I, T] in hours, increasing, and which of them are taken [S, I, T].

    Args:
        config: the prior, of which the design and one quantity of dosing are read.
        typical: typical parameters, for the published schedule.
        horizon: [S] h, how long a single dose is watched.
        doses: of every individual.
        present: [S, I], who takes part.
        streams: the random streams of the block.
    """
    design, (S, individuals) = config.design, present.shape
    T = design.observations[1]
    g = streams("nominal times")
    u = draw_uniform((S, 1), g) ** design.observations_power
    low, high = design.observations
    count = (low + torch.floor((high - low + 1) * u)).long().clamp(max=high)
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
    times = place_among_doses(config, times, horizon, doses, streams)

    count = count[..., None].expand(S, individuals, 1)
    sparse, few, own = draw_sparse(design, doses, present, T, streams)
    times, count = torch.where(sparse, own, times), torch.where(sparse, few, count)

    g = streams("missed")
    missed = draw_uniform((S, individuals, T), g) < design.missed.draw((S, 1, 1), g)
    exists = (torch.arange(T) < count) & ~(missed & ~sparse) & present[..., None]
    exists = exists & _still_there(design, times, doses, streams) & _kept(design, exists, streams)
    # Padded times go to the end so that sorting leaves the existing ones in front.
    times, order = torch.where(exists, times, math.inf).sort(dim=-1)
    exists = exists.gather(-1, order)
    # Two samples at the same minute (a schedule cut at the horizon) are one sample.
    twice = torch.nn.functional.pad(times.diff(dim=-1).nan_to_num(1.0) <= 1e-6, (1, 0))
    times, order = torch.where(exists & ~twice, times, math.inf).sort(dim=-1)
    exists = torch.isfinite(times)
    behind = torch.maximum(horizon[:, None], doses.end)[..., None]
    behind = torch.maximum(behind, torch.where(exists, times, 0.0).amax(-1, keepdim=True))
    return torch.where(exists, times, behind), exists


def place_among_doses(
    config: PriorConfig, times: Tensor, horizon: Tensor, doses: Doses, streams: Streams
) -> Tensor:
    """Times [S, I, T] after a single dose, moved to where they are taken among several doses.

    Of an evenly repeated dose inside the horizon, a share of the samples moves into what is left of
    the horizon after the last dose: t becomes last + t (horizon - last) / horizon.  Of a course or
    a crossover that share is taken after the last dose (of the second occasion) and the rest after
    the first one, both shrunk where the time until the next dose is shorter than the horizon; and
    some samples become troughs, right before a dose.  Which samples move is fixed per study.
    """
    design, (S, _, T) = config.design, times.shape
    g = streams("after last dose")
    share, last = config.dosing.after_last_dose.draw((S,), g), doses.last[..., None]
    moves = draw_uniform((S, 1, T), g) < share[:, None, None]
    span, own = horizon[:, None, None], (doses.repeated | doses.crossover)[:, None, None]
    g = streams("late only")
    late = own & ~doses.crossover[:, None, None]
    late = late & draw_switch(design.late_only_probability, (S, 1, 1), g)
    several, left = last > 0, torch.where(own, doses.after[..., None], span - last)
    # Until the second dose, which a single dose does not have.
    free = torch.where(several, doses.time[..., 1:2].sum(-1, keepdim=True), span)
    before = torch.where(own, times * (free / span).clamp(max=1), times)
    after = last + times * (left / span).clamp(max=1)
    times = torch.where(several, torch.where(moves | late, after, before), times)

    g = streams("troughs")
    some = draw_switch(design.trough_probability, (S, 1, 1), g) & own & several
    which = draw_uniform((2, S, 1, T), g)
    trough = some & (which[0] < design.troughs.draw((S, 1, 1), g))
    # A dose after the first; in late-only studies the last two.
    number = doses.number[..., None]
    any_later = 1 + torch.floor((number - 1) * which[1])
    place = torch.where(late, number - 1 - torch.floor(2 * which[1]), any_later).long()
    before_dose = doses.time.gather(-1, place.clamp(0, doses.time.shape[-1] - 1))
    early = torch.where(draw_switch(0.5, (S, 1, 1), g), 0.0, 0.5)
    early = early * draw_uniform(times.shape, g)
    return torch.where(trough & (before_dose > 1), before_dose - early, times)


def draw_sparse(
    design: Design, doses: Doses, present: Tensor, T: int, streams: Streams
) -> tuple[Tensor, Tensor, Tensor]:
    """Sparse designs: which studies [S, 1, 1], numbers of samples [S, I, 1] and times [S, I, T].

    Each sample follows a dose: of monitored individuals one of the last three, and the same one in
    most; of the others any.  It is a trough before the next dose, near a peak, or anywhere.
    """
    S, individuals = present.shape
    g, count = streams("sparse"), present.sum(-1)[:, None, None]
    p = torch.where(count > 16, design.sparse_large_probability, design.sparse_probability)
    sparse = draw_uniform((S, 1, 1), g) < p
    sparse = sparse | doses.sparse[:, None, None]
    number = draw_integer(*design.sparse_observations, (S, individuals, 1), g)

    shape, g = (S, individuals, T), streams("sparse times")
    u = draw_uniform((5, *shape), g)
    last = doses.number[..., None] - 1
    monitored = doses.sparse[:, None, None] & (doses.reference == 70)[..., None]
    back = torch.floor(3 * torch.where(u[0, ..., :1] < 0.8, u[1, ..., :1], u[1]))
    place = torch.where(monitored, last - 1 - back, torch.floor((last + 1) * u[1]))
    place = torch.minimum(place.clamp(min=0), last.clamp(min=0)).long()
    start = doses.time.gather(-1, place)
    following = doses.time.gather(-1, (place + 1).clamp(max=doses.time.shape[-1] - 1))
    ended = place >= last
    end = torch.where(ended, doses.end[..., None], following)
    given = doses.duration.gather(-1, place)
    peak = torch.minimum(start + given + 0.25 + 2.5 * u[2], 0.5 * (start + end))
    exact = draw_switch(0.4, (S, 1, 1), g)
    trough = end - torch.where(exact, 0.0, torch.minimum(u[2], 0.2 * (end - start)))
    # Single doses: anywhere, early times being as likely as late ones on the logarithmic scale.
    anywhere = start + (end - start) * torch.where(ended, 0.01 ** u[2], 0.02 + 0.98 * u[2])
    kind = torch.where((doses.number > 1)[..., None], u[3], 1.0)
    return sparse, number, torch.where(kind < 0.4, trough, torch.where(kind < 0.7, peak, anywhere))


def _still_there(design: Design, times: Tensor, doses: Doses, streams: Streams) -> Tensor:
    """Samples [S, I, T] before their individual drops out."""
    (S, individuals, _), g = times.shape, streams("dropout")
    some = draw_switch(design.dropout_probability, (S, 1), g)
    u = draw_uniform((2, S, individuals), g)
    drops = some & (u[0] < design.dropout.draw((S, 1), g)) & ~doses.sparse[:, None]
    until = torch.where(drops, u[1] * doses.end, math.inf)
    return times <= until[..., None]


def _kept(design: Design, exists: Tensor, streams: Streams) -> Tensor:
    """Samples [S, I, T] that are left where an individual has only one to four."""
    (S, individuals, _), g = exists.shape, streams("thin")
    some = draw_switch(design.thin_probability, (S, 1), g)
    u = draw_uniform((S, individuals), g)
    thin = some & (u < design.thin.draw((S, 1), g))
    left = draw_integer(1, 4, (S, individuals, 1), g)
    score = draw_uniform(exists.shape, g) + exists
    rank = score.argsort(dim=-1, descending=True).argsort(dim=-1)
    return ~thin[..., None] | (rank < left)


def _power_law(horizon: Tensor, count: Tensor, T: int, g: torch.Generator) -> Tensor:
    """Early-rich nominal times: horizon * u**power with u evenly spaced and slightly shaken."""
    S = len(horizon)
    shake = draw_uniform((S, T), g) - 0.5
    u = ((torch.arange(T) + 1 + 0.6 * shake) / count).clamp(0.02, 1.0)
    power = 1.3 + 2.2 * draw_uniform((S, 1), g)
    return horizon[:, None] * u**power


def _clock(horizon: Tensor, count: Tensor, T: int, g: torch.Generator) -> Tensor:
    """``count`` clock times up to the horizon, the horizon among them, the rest at random."""
    S = len(horizon)
    clock = torch.tensor(CLOCK, dtype=torch.float64).expand(S, -1)
    # Rounder times are more likely to be on a protocol: whole and half hours, then quarters.
    odd = (clock * 2 % 1 > 1e-6) | (clock > 12) & (clock % 12 > 1e-6)
    score = draw_uniform(clock.shape, g) + 0.5 * (~odd)
    score = torch.where(clock == horizon[:, None], 9.0, score)
    score = torch.where(clock > horizon[:, None], -1.0, score)
    rank = score.argsort(dim=-1, descending=True).argsort(dim=-1)
    chosen = (rank < count) & (score > 0)
    # Where the clock has too few times, the missing samples fall on the horizon and are merged.
    times = torch.where(chosen, clock, math.inf).sort(dim=-1).values[:, :T]
    return times.clamp(max=horizon[:, None])


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
    times = torch.cat([early, late], 1)[:, None] * torch.exp(shake)
    return torch.minimum(times, horizon[:, None, None])
