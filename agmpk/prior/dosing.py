"""Doses: every individual has a list of its own, drawn by the study's kind of dosing.

The kinds: one dose; the same dose again at even intervals (both inside the horizon, as first
published); a course with loading, missed, changed and irregular doses; a crossover of two
occasions; therapeutic monitoring; newborns.  Arms lie over the first three.

Shapes: S studies, I individuals per study, D doses; what is the same for all individuals is [S, 1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from agmpk.prior.config import Dosing
from agmpk.prior.laws import Streams, draw_integer, draw_normal, draw_switch, draw_uniform

STANDARD_WEIGHT = 70.0  # kg
MANY = 20  # individuals from which a study can be one of newborns
MOST = 40  # doses of one individual


@dataclass(frozen=True)
class Given:
    """The doses of individuals, each [S, I, D]: time h, amount, duration h (0 for bolus and oral),
    oral, dosed (a real dose, in front and in order of time; the rest is 0); gain is ln F of this
    dose relative to the individual's own, 0 where F stays the same."""

    time: Tensor
    amount: Tensor
    duration: Tensor
    oral: Tensor
    dosed: Tensor
    gain: Tensor


@dataclass(frozen=True)
class Doses(Given):
    """The doses of every individual and what the sampling has to know about them.

    weight [S, I] kg, 70 where doses are not per kg; reference [S, 1] kg, the weight of which the
    study's typical rates are.
    after [S, I] h is how long the last dose is watched; sparse [S]: the kind asks for a few
    samples; repeated [S]: a course, monitoring or newborns; crossover [S]: the second dose starts
    the second occasion.
    """

    weight: Tensor
    reference: Tensor
    after: Tensor
    sparse: Tensor
    repeated: Tensor
    crossover: Tensor

    @property
    def number(self) -> Tensor:
        """Number of doses [S, I]."""
        return self.dosed.sum(-1)

    @property
    def last(self) -> Tensor:
        """Time of the last dose [S, I] in h."""
        return self.time.amax(-1)

    @property
    def end(self) -> Tensor:
        """Time until which an individual is watched [S, I] in h."""
        return self.last + self.after

    def rows(self, study: Tensor, individual: Tensor) -> Given:
        """The doses of N individuals, given by number of study and individual: [N, D]."""
        return Given(*(getattr(self, f.name)[study, individual] for f in fields(Given)))

    @property
    def level(self) -> Tensor:
        """Geometric mean of the first doses of a study [S]."""
        return torch.exp((self.amount[..., 0].clamp(min=1e-300).log() * self.dosed[..., 0]).sum(-1)
                         / self.dosed[..., 0].sum(-1).clamp(min=1))  # fmt: skip


def draw_doses(
    d: Dosing, horizon: Tensor, present: Tensor, streams: Streams, half_life: Tensor | None = None
) -> Doses:
    """Doses of every individual.

    Args:
        d: the quantities of dosing.
        horizon: [S] h, how long a single dose is watched.
        present: [S, I] who takes part.
        streams: the random streams of the block.
        half_life: [S] h, by which intervals are chosen; a quarter of the horizon where left out.
    """
    S, individuals = present.shape
    horizon = horizon[:, None]
    half_life = horizon / 4 if half_life is None else half_life[:, None]
    kind = _kinds(d, present.sum(-1, keepdim=True), streams)
    monitored, newborn, course = kind["monitoring"], kind["newborn"], kind["course"]
    cross, own = kind["crossover"], course | monitored | newborn
    oral, duration = _route(d, horizon, newborn, streams)

    interval, additional = _schedule(d, horizon, streams("repeated"))
    additional = torch.where(own | cross, 0, additional)
    every, number = _own_schedules(d, half_life, kind, individuals, streams)
    number = torch.where(own, number, 1 + additional)
    every = torch.where(own, every, interval)
    level, turned, slower = _arms(d, kind, individuals, streams)
    every = torch.where(course, every * slower, every)

    weight, reference = _weights(d, newborn, individuals, streams)
    amount = _amounts(d, monitored, weight, streams) * level
    k = torch.arange(max(int(number.max()), 1 + int(cross.any())))
    time, amount, given = _repeat(d, k, every, number, amount, own, newborn, streams)
    by_mouth = (oral ^ turned)[..., None].expand_as(given)
    occasions = cross[..., None]
    begin, factor, other = _occasions(d, k, horizon, half_life, individuals, streams)
    given = torch.where(occasions, k <= 1, given)
    time = torch.where(occasions, begin, time)
    amount = torch.where(occasions, amount[..., :1] * factor, amount)
    by_mouth = by_mouth ^ (occasions & other)
    duration = torch.where(by_mouth, 0.0, duration[..., None])

    # After a course some studies watch the decline, others a last interval.
    steady = monitored | newborn | course & draw_switch(0.4, (S, 1), streams("after course"))
    after = torch.where(steady, every, horizon - interval * additional)
    given = given & present[..., None]
    time, order = torch.where(given, time, math.inf).sort(dim=-1)
    most = max(int(given.sum(-1).max()), 1)
    given, order = given.gather(-1, order)[..., :most], order[..., :most]
    time = torch.where(given, time[..., :most], 0.0)
    # An infusion has ended when the next dose is given.
    free = torch.where(given[..., 1:], time.diff(dim=-1), math.inf)
    free = torch.nn.functional.pad(free, (0, 1), value=math.inf)
    duration = torch.minimum(duration.gather(-1, order), free)
    return Doses(
        time=time,
        amount=torch.where(given, amount.gather(-1, order), 0.0),
        duration=torch.where(given, duration, 0.0),
        oral=by_mouth.gather(-1, order) & given,
        dosed=given,
        gain=torch.zeros_like(time),
        weight=weight,
        reference=reference,
        after=after,
        sparse=(monitored | newborn)[:, 0],
        repeated=own[:, 0],
        crossover=cross[:, 0],
    )


def _kinds(d: Dosing, count: Tensor, streams: Streams) -> dict[str, Tensor]:
    """Which studies [S, 1] are of which kind, by the number of people [S, 1]; those of none have
    one dose or evenly repeated ones."""
    shape, kinds = count.shape, {}
    left = torch.ones(shape, dtype=torch.bool)
    for name, probability, possible in (
        ("monitoring", d.monitoring_probability, left),
        ("newborn", d.newborn_probability, count >= MANY),
        ("crossover", d.crossover_probability, left),
        ("course", d.course_probability, left),
    ):
        kinds[name] = left & possible & draw_switch(probability, shape, streams(name))
        left = left & ~kinds[name]
    return kinds


def _route(d: Dosing, horizon: Tensor, newborn: Tensor, streams: Streams) -> tuple[Tensor, Tensor]:
    """Who is dosed orally, and how long the intravenous doses last in h, 0 for a bolus; [S, 1]."""
    shape, g = horizon.shape, streams("route")
    oral = draw_switch(d.oral_probability, shape, g) & ~newborn
    infusion = draw_switch(d.infusion_probability, shape, g)
    duration = d.infusion_duration.draw(shape, g) * horizon
    if d.short_infusion:
        g = streams("infusion")
        long = draw_switch(d.long_infusion_probability, shape, g)
        short, hours = d.short_infusion.draw(shape, g), d.long_infusion.draw(shape, g)
        duration = torch.where(long, hours, short)
    return oral, torch.where(infusion, duration, 0.0)


def _weights(
    d: Dosing, newborn: Tensor, individuals: int, streams: Streams
) -> tuple[Tensor, Tensor]:
    """Weights [S, I] kg, 70 where doses are not per kg, and that of typical rates [S, 1] kg."""
    S, g = len(newborn), streams("weight")
    per_kg = draw_switch(d.per_kg_probability, (S, 1), g) | newborn
    median = d.weight.draw((S, 1), g)
    small = d.newborn_weight.draw((S, 1), streams("newborn weight"))
    median = torch.where(newborn, small, median)
    spread = d.sd_weight.draw((S, 1), g) * draw_normal((S, individuals), g)
    weight = torch.where(per_kg, median * torch.exp(spread), STANDARD_WEIGHT)
    return weight, torch.where(newborn, small, STANDARD_WEIGHT)


def _amounts(d: Dosing, monitored: Tensor, weight: Tensor, streams: Streams) -> Tensor:
    """Amount of a usual dose [S, I]: of the study, of the individual, or per kg."""
    (S, individuals), g = weight.shape, streams("dose")
    spread = d.sd_log_dose.draw((S, 1), g) * draw_normal((S, individuals), g)
    same = draw_switch(d.same_dose_probability, (S, 1), g)
    dose = torch.exp(d.log_dose.draw((S, 1), g) + torch.where(same, 0.0, spread))
    g = streams("monitored amounts")
    spread = d.monitoring_spread.draw((S, 1), g) * draw_normal((S, individuals), g)
    return dose * torch.exp(torch.where(monitored, spread, 0.0)) * weight / STANDARD_WEIGHT


def _schedule(d: Dosing, horizon: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Interval [S, 1] h and number of additional doses [S, 1]; the last one leaves an interval to
    watch."""
    repeated = draw_switch(d.repeated_probability, horizon.shape, g)
    choices = torch.tensor(sorted(d.intervals), dtype=torch.float64)
    fitting = (2 * choices <= horizon).sum(-1, keepdim=True)
    u = draw_uniform((2, *horizon.shape), g)
    interval = choices[(u[0] * fitting).long().clamp(max=len(choices) - 1)]
    most = (torch.floor(horizon / interval) - 1).clamp(0, d.max_doses - 1)
    additional = (1 + torch.floor(u[1] * most)).clamp(max=most)
    repeated = repeated & (fitting > 0) & (most > 0)
    return torch.where(repeated, interval, 0.0), torch.where(repeated, additional, 0.0).long()


def _own_schedules(
    d: Dosing, half_life: Tensor, kind: dict[str, Tensor], individuals: int, streams: Streams
) -> tuple[Tensor, Tensor]:
    """Interval [S, I] h and number of doses [S, I] of courses, monitoring and newborns."""
    S, g = len(half_life), streams("own schedule")
    wanted = half_life * d.intervals_per_half_life.draw((S, 1), g)
    # Monitored individuals differ in their intervals by up to one place of the list.
    own = torch.exp(0.5 * draw_normal((S, individuals), g))
    every = nearest(d.intervals, torch.where(kind["monitoring"], wanted * own, wanted))
    every = torch.where(kind["newborn"], nearest((8.0, 12.0, 24.0), wanted), every)
    number = torch.ones((S, individuals), dtype=torch.int64)
    for name, (low, high), size in (
        ("course", d.course_doses, 1),
        ("monitoring", d.monitoring_doses, individuals),
        ("newborn", d.newborn_doses, individuals),
    ):
        drawn = draw_integer(low, high, (S, size), streams(f"number of {name} doses"))
        number = torch.where(kind[name], drawn, number)
    return every.expand(S, individuals), number.clamp(max=MOST)


def _arms(
    d: Dosing, kind: dict[str, Tensor], individuals: int, streams: Streams
) -> tuple[Tensor, Tensor, Tensor]:
    """Each individual's level relative to the usual dose, whether its route is the other one, and
    the factor of its interval, all [S, I]; 1, no and 1 without arms.

    Levels are evenly spaced in their logarithm, and the amounts of an arm are exact multiples.
    """
    S, g = len(kind["course"]), streams("arms")
    armed = draw_switch(d.arms_probability, (S, 1), g)
    armed = armed & ~(kind["monitoring"] | kind["newborn"])
    arms = draw_integer(*d.arms, (S, 1), g)
    arm = torch.floor(arms * draw_uniform((S, individuals), g))
    place = arm / (arms - 1).clamp(min=1)
    level = d.arm_range.draw((S, 1), g) ** (place - 0.5)
    routes = draw_switch(d.arm_routes_probability, (S, 1), g)
    stretched = draw_switch(d.arm_intervals_probability, (S, 1), g)
    other = armed & routes & (arm % 2 == 1)
    slower = torch.where(armed & stretched & (arm >= 1), 2.0, 1.0)
    # Arms of other routes or intervals get the same amount in half of the studies.
    alike = (routes | stretched) & draw_switch(0.5, (S, 1), g)
    return torch.where(armed & ~alike, level, 1.0), other, slower


def _repeat(
    d: Dosing,
    k: Tensor,
    every: Tensor,
    number: Tensor,
    amount: Tensor,
    own: Tensor,
    newborn: Tensor,
    streams: Streams,
) -> tuple[Tensor, Tensor, Tensor]:
    """Times h, amounts, and which doses are given [S, I, D], of schedules of ``number`` doses
    ``every`` so many hours; ``k`` [D] counts them.  Nothing happens to the first dose but loading.
    """
    S, shape = len(every), (*every.shape, len(k))
    given, first = k < number[..., None], k == 0
    time, amount = every[..., None] * k, amount[..., None].expand(shape)
    several = (own & (number > 1))[..., None]

    g = streams("loading")
    loaded = draw_switch(d.loading_probability, (S, 1, 1), g) | newborn[..., None]
    loading = d.loading.draw((S, 1, 1), g)
    amount = torch.where(several & loaded & first, amount * loading, amount)

    g = streams("missed doses")
    careless = draw_switch(d.missed_dose_probability, (S, 1, 1), g) & several & ~newborn[..., None]
    missed = draw_uniform(shape, g) < d.missed_doses.draw((S, 1, 1), g)
    given = given & ~(careless & missed & ~first)

    g = streams("changed amounts")
    changed = draw_switch(d.changed_probability, (S, 1, 1), g) & several
    changed = changed & draw_switch(0.6, (*every.shape, 1), g)
    when = 1 + torch.floor(draw_uniform((*every.shape, 1), g) * (number - 1)[..., None])
    factor = d.changed.draw((*every.shape, 1), g)
    amount = torch.where(changed & (k >= when), amount * factor, amount)

    g = streams("irregular doses")
    irregular = draw_switch(d.irregular_probability, (S, 1, 1), g) & several
    moved = (d.irregular.draw((S, 1, 1), g) * draw_normal(shape, g)).clamp(-0.4, 0.4)
    time = torch.where(irregular & ~first, time + every[..., None] * moved, time)
    return time, amount, given


def _occasions(
    d: Dosing, k: Tensor, horizon: Tensor, half_life: Tensor, individuals: int, streams: Streams
) -> tuple[Tensor, Tensor, Tensor]:
    """Of the occasions ``k`` [D] (0 and 1) of a crossover: time [S, 1, D] h, amount relative to
    that of the first treatment, and whether the route is the other one [S, I, D]."""
    S, g = len(horizon), streams("occasions")
    gap = torch.maximum(horizon, half_life * d.washout.draw((S, 1), g))
    gap = (24 * torch.ceil(gap / 24)).clamp(max=672.0)
    reversed_ = draw_switch(0.5, (S, individuals), g)
    alike, factor = draw_switch(0.3, (S, 1), g), d.crossover_change.draw((S, 1), g)
    other = draw_switch(d.crossover_route_probability, (S, 1), g)
    second = (k == 1) ^ reversed_[..., None]  # treatment, which comes first in some people
    factor = torch.where(second & ~alike[..., None], factor[..., None], 1.0)
    return gap[..., None] * k, factor, second & other[..., None]


def nearest(choices: tuple[float, ...], wanted: Tensor) -> Tensor:
    """The nearest of ``choices`` in the logarithm, for each of the positive ``wanted``."""
    table = torch.tensor(sorted(set(choices)), dtype=torch.float64)
    edges = torch.sqrt(table[1:] * table[:-1])
    return table[torch.searchsorted(edges, wanted.contiguous())]
