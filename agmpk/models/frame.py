"""The frame of reference in which the networks see a study: relative, centred, scaled.

For each target the coordinate of a point is

    x = (ln y - centre) / spread,

where the centre is the best forecast that needs no training, and the spread how far it may be off.
Two such forecasts exist, and both are known to the networks whichever is the centre:

    naive   the context's mean log-curve plus the target's last prefix residual.  Where everybody
            has the same doses up to their amounts, the mean is that of the linearly interpolated
            log-curves.  Otherwise it is the superposition of one typical curve, fitted to the
            context (see ``kinetics``), plus the context's mean residual around the same time since
            the last dose.
    fitted  the grid's posterior mean for the individual (see ``kinetics``), plus the residual that
            such fits leave in the context around the same time since the last dose.

The centre is the naive forecast where doses are shared and the context is well sampled around that
time, else the fitted one.  Every quantity at a point depends on the context, the prefix, the doses,
and the time of that point alone.  A change of the units of concentration or dose changes nothing
that the networks see.

Shapes: B studies, J context individuals, K their samples, R targets, T target points, M nodes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agmpk.models.kinetics import ERROR, Clock, Fit, curves, mean_rates
from agmpk.models.task import DOSES, Record, Task, Tensors

# The spread is shrunk towards PRIOR_SPREAD as if that had been seen on PRIOR_WEIGHT individuals.
PRIOR_SPREAD, PRIOR_WEIGHT, FLOOR = 0.35, 1.5, 0.08
TRIM = 8.0  # spreads beyond which a simulated value is an artefact of the assay
WELL_SAMPLED = 3.5  # mean number of values a person that interpolated curves need
SAMPLED_THERE = 0.3  # share of the context sampled around a time for them to count there
NODES, FIRST, BANDWIDTH = 28, 0.02, 0.35  # of local averages, in warped time


def warp(tau: Tensor) -> Tensor:
    """Relative times [...] on a scale, of the same shape, on which the early hours are as wide as
    the late ones."""
    return torch.log(tau.clamp(min=0) + FIRST)


class Frame(Tensors):
    """The frame of a task, in its precision; [B, R, T] unless said otherwise, ln y relative to
    ``reference``.

    reference [B] ln of the study's typical dose; lonely [B]: no context; shared: the centre is the
    naive forecast; time_scale, since_scale [B] h; peak [B] of the mean curve.
    curve: the naive mean; offset [B, R]: the target's last prefix residual from it; fitted,
    fitted_sd: the grid's forecast; centre, spread; covered: how much of the context was sampled
    around that time; last_time [B, R] h of the prefix.
    context_curve, context_fitted [B, J, K]: mean curve and the individual's own fit at context
    samples; context_clock, target_clock; amounts: relative doses [B, J, D] and [B, R, D];
    context_rates [B, J, 4], target_rates [B, R, 4], study_rates [B, 1, 4]: see ``kinetics``;
    context_level [B, J], target_level [B, R] less the study's typical level; level_sd [B];
    residual_sd [B]: of context values about their own fits; departures [B, J, R, T]: of the
    interpolated context curves from their mean, pinned at the target's last prefix sample; same
    [B, R]: the target has the doses of the whole context, up to their amounts.
    """

    def __init__(self, task: Task) -> None:
        known = _Known(task)
        seen, logs = known.seen, known.logs
        self.reference, self.amounts, self.lonely = known.reference, known.amounts, known.lonely
        self.context_clock = Clock(task.context, self.amounts[0], task.context.times)
        self.target_clock = Clock(task.target, self.amounts[1], task.target.times)
        clocks = self.context_clock, self.target_clock
        self.time_scale, self.since_scale = _scales(task, known, clocks)
        self.last_time = torch.where(task.prefix, task.target.times, 0.0).amax(-1)
        u = [warp(clock.since / self.since_scale[:, None, None]) for clock in clocks]

        # The grid's forecast, and what it leaves.
        fit = Fit(task, logs, self.amounts[0])
        target_logs = curves(task.target, self.amounts[1], task.target.times, fit.fraction)
        own = fit.posterior(target_logs, known.own, known.shown, self.lonely)
        study_level = (fit.mixture * fit.level).sum(-1)[:, None]
        self.context_level = fit.members.mean_level - study_level
        self.target_level = own.mean_level - study_level
        self.level_sd = fit.spread
        self.context_rates = mean_rates(fit.members.weight)
        self.target_rates = mean_rates(own.weight)
        self.study_rates = mean_rates(fit.mixture[:, None])
        context_fit, _ = fit.members.forecast(fit.context_logs)
        target_fit, self.fitted_sd = own.forecast(target_logs)
        left, _, variance = _local(u[0], logs - context_fit, seen, u)
        self.context_fitted, self.fitted = context_fit + left[0], target_fit + left[1]
        residual = torch.where(seen, logs - context_fit, 0.0).square().sum((1, 2))
        number = seen.sum((1, 2)).to(logs.dtype)
        self.residual_sd = torch.sqrt((residual + 2 * ERROR**2) / (number + 2))

        # The naive forecast.
        typical = [fit.typical_curve(at) for at in (fit.context_logs, target_logs)]
        local, covered, _ = _local(u[0], logs - typical[0], seen, u)
        same = _same_regimen(task, known.people)
        interpolated, departures, inside, at_context = _interpolated(task, known, self.time_scale)
        self.curve = torch.where(same[..., None], interpolated, typical[1] + local[1])
        everybody = same.all(-1)[:, None, None]
        self.context_curve = torch.where(everybody, at_context, typical[0] + local[0])
        self.peak = _peak(task, known, self.context_curve, self.fitted)
        self.offset, self.departures, spread = _pinned(task, known, self.curve, departures)

        # The one or the other is the centre.
        self.same = same & ~self.lonely[:, None]
        rich = seen.sum((1, 2)) >= WELL_SAMPLED * known.people.sum(-1)
        # Beyond the times at which the context was sampled an interpolated curve just stays level.
        self.shared = (self.same & rich[:, None])[..., None] & (inside >= SAMPLED_THERE)
        self.centre = torch.where(self.shared, self.naive, self.fitted)
        fitted_spread = torch.sqrt(self.fitted_sd.square() + variance[1])
        self.spread = torch.where(self.shared, spread, fitted_spread)
        self.covered = torch.where(self.shared, inside, covered[1])

    @property
    def naive(self) -> Tensor:
        """The naive forecast of ln y less the reference [B, R, T]."""
        return self.curve + self.offset[..., None]

    @property
    def highest(self) -> Tensor:
        """ln of the study's highest mean value [B]."""
        return self.reference + self.peak

    def encode(self, logs: Tensor) -> Tensor:
        """ln y [B, R, T] -> x."""
        return (logs - self.reference[:, None, None] - self.centre) / self.spread

    def decode(self, x: Tensor) -> Tensor:
        """x [..., B, R, T] -> ln y."""
        return self.reference[:, None, None] + self.centre + self.spread * x

    def scored(self, task: Task) -> tuple[Tensor, Tensor]:
        """Which asked points [B, R, T] a loss counts, and their x, else 0.

        A target with neither prefix nor context has no level and does not count.
        """
        free = task.asked & ~(self.lonely[:, None] & ~task.prefix.any(-1))[..., None]
        x = self.encode(task.target.logs).clamp(-TRIM, TRIM)
        return free, torch.where(free, x, 0.0)


class _Known:
    """What is given, relative to ``reference``: the context's ln y ``logs`` where ``seen`` and the
    targets' ``own`` where ``shown``, else 0; ``people`` [B, J] who have a value, ``lonely`` [B]
    where nobody has; ``amounts`` of the doses."""

    def __init__(self, task: Task) -> None:
        self.seen, self.shown = task.context.quantified, task.prefix & ~task.target.below
        self.people = self.seen.any(-1)
        self.lonely = ~self.people.any(-1)
        self.reference, self.amounts = _relative_amounts(task, self.people)
        reference = self.reference[:, None, None]
        self.logs = torch.where(self.seen, task.context.logs - reference, 0.0)
        self.own = torch.where(self.shown, task.target.logs - reference, 0.0)


def _pinned(
    task: Task, known: _Known, curve: Tensor, departures: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The targets' last shown residual from the mean ``curve`` [B, R], the context's departures
    from it, moved to be zero there [B, J, R, T], and the spread they then have [B, R, T]."""
    shown, times = known.shown, task.target.times
    last = torch.where(shown, times, -torch.inf).amax(-1, keepdim=True)
    after = (shown & (times >= last)).to(curve.dtype)
    offset = ((known.own - curve) * after).sum(-1) / after.sum(-1).clamp(min=1)
    pinned = departures - (departures * after[:, None]).sum(-1, keepdim=True)
    use = usable(known.seen).to(curve.dtype)
    square = (pinned.square() * use[:, :, None, None]).sum(1)
    weight = use.sum(-1)[:, None, None] + PRIOR_WEIGHT
    spread = torch.sqrt((square + PRIOR_WEIGHT * PRIOR_SPREAD**2) / weight + FLOOR**2)
    return offset, pinned, spread


def _peak(task: Task, known: _Known, curve: Tensor, fitted: Tensor) -> Tensor:
    """Highest value [B] of the context's mean ``curve``; without a context of the prefix's fit."""
    top = torch.where(known.seen, curve, -torch.inf).flatten(1).amax(1)
    own = torch.where(task.target.mask & task.prefix, fitted, -torch.inf).flatten(1).amax(1)
    return torch.where(known.lonely, own, top).nan_to_num(0.0, 0.0, 0.0)


def usable(seen: Tensor) -> Tensor:
    """Which individuals [B, J] count in a mean of interpolated curves: two or more values, or any
    where nobody has two."""
    count = seen.sum(-1)
    many = count >= 2
    return many | ((count >= 1) & ~many.any(-1, keepdim=True))


def interpolate(times: Tensor, values: Tensor, mask: Tensor, query: Tensor) -> Tensor:
    """Linear interpolation [B, J, Q] of each row at ``query`` [B, Q], constant beyond the ends.

    ``times`` [B, J, K] increase over the valid entries, which need not stand side by side.
    """
    at = query[:, None, :, None]
    before = mask[:, :, None] & (times[:, :, None] < at)
    low = torch.where(before, times[:, :, None], -torch.inf)
    after = mask[:, :, None] & ~before
    high = torch.where(after, times[:, :, None], torch.inf)
    t_low, left = low.max(-1)
    t_high, right = high.min(-1)
    y_low, y_high = values.gather(-1, left), values.gather(-1, right)
    first, last = torch.isinf(t_low), torch.isinf(t_high)
    width = torch.where(first | last, 1.0, t_high - t_low)
    weight = torch.where(first | last, 0.0, (query[:, None] - t_low) / width)
    inner = y_low + weight * (y_high - y_low)
    return torch.where(first, y_high, torch.where(last, y_low, inner))


def _relative_amounts(task: Task, people: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """ln of the typical dose [B], and the doses relative to it."""
    given = task.context.dosed & people[..., None]
    alone = ~given.flatten(1).any(1)
    D = given.shape[-1]
    amount = torch.cat([task.context.dose_amount, _wide(task.target.dose_amount, D)], 1)
    counts = torch.cat([given, _wide(task.target.dosed, D) & alone[:, None, None]], 1)
    logs = torch.where(counts, amount.clamp(min=1e-30).log(), 0.0)
    reference = logs.flatten(1).sum(1) / counts.flatten(1).sum(1).clamp(min=1)

    def relative(record: Record) -> Tensor:
        logs = record.dose_amount.clamp(min=1e-30).log() - reference[:, None, None]
        return torch.where(record.dosed, logs.exp(), 0.0)

    return reference, (relative(task.context), relative(task.target))


def _wide(values: Tensor, columns: int) -> Tensor:
    """``values`` [..., D], padded or cut to so many columns."""
    values = values[..., :columns]
    return torch.nn.functional.pad(values, (0, columns - values.shape[-1]))


def _scales(task: Task, known: _Known, clocks: tuple[Clock, Clock]) -> tuple[Tensor, Tensor]:
    """The context's last time, and its longest time since a dose [B], h; without a context those of
    the prefix and the doses."""

    def longest(values: Tensor, mask: Tensor) -> Tensor:
        return torch.where(mask, values, 0.0).flatten(1).amax(1)

    target, lonely = task.target, known.lonely
    doses = longest(target.dose_time, target.dosed)
    own = torch.maximum(longest(target.times, task.prefix), doses)
    time = torch.where(lonely, own, longest(task.context.times, known.seen))
    own_since = longest(clocks[1].since, task.prefix)
    since = torch.where(lonely, own_since, longest(clocks[0].since, known.seen))
    return time.clamp(min=1e-3), torch.where(since > 0, since, time).clamp(min=1e-3)


def _local(
    u: Tensor, values: Tensor, seen: Tensor, at: list[Tensor]
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Averages of ``values`` [B, J, K] around the same warped time since a dose: mean, weight per
    individual and variance about zero at each of ``at``, through nodes, in linear time."""
    low, high = torch.log(u.new_tensor(FIRST)), torch.log(u.new_tensor(3.0))
    nodes = low + (high - low) * torch.arange(NODES, device=u.device, dtype=u.dtype) / (NODES - 1)
    w = torch.exp(-0.5 * ((u.flatten(1)[..., None] - nodes) / BANDWIDTH).square())
    w = w * seen.flatten(1)[..., None]
    v = torch.where(seen, values, 0.0).clamp(-3, 3).flatten(1)[..., None]
    total = w.sum(1)
    mean = (w * v).sum(1) / (total + 0.5)
    square = ((w * v.square()).sum(1) + 2 * ERROR**2) / (total + 2)
    people = seen.any(-1).sum(-1, keepdim=True).clamp(min=1)
    place = [((a - low) / (high - low) * (NODES - 1)).clamp(0, NODES - 1) for a in at]

    def read(table: Tensor) -> list[Tensor]:
        found = []
        for p in place:
            left = p.floor().clamp(max=NODES - 2)
            index = left.long().flatten(1)
            low_value, high_value = table.gather(1, index), table.gather(1, index + 1)
            part = (p - left).flatten(1)
            found.append((low_value + part * (high_value - low_value)).view_as(p))
        return found

    return read(mean), read((total / people).clamp(max=2)), read(square)


def _same_regimen(task: Task, people: Tensor) -> Tensor:
    """Which targets [B, R] have the doses of the whole context, up to one factor in the amounts."""
    first = people.to(torch.int8).argmax(-1)
    D = max(task.context.dosed.shape[-1], task.target.dosed.shape[-1])

    def doses(record: Record) -> list[Tensor]:
        return [_wide(getattr(record, name), D) for name in DOSES]

    rows = torch.arange(len(task), device=first.device)
    one_time, one_amount, one_duration, one_oral, one_dosed = (
        values[rows, first][:, None] for values in doses(task.context)
    )
    its = one_amount / one_amount[..., :1].clamp(min=1e-30)

    def alike(record: Record) -> Tensor:
        time, amount, duration, oral, dosed = doses(record)
        share = amount / amount[..., :1].clamp(min=1e-30)
        off = (time - one_time).abs() > 0.02 * one_time + 1e-3
        off = off | ((duration - one_duration).abs() > 0.05 * one_duration + 1e-6)
        off = off | ((share - its).abs() > 0.01 * its) | (oral != one_oral)
        return ((dosed == one_dosed) & ~(off & dosed & one_dosed)).all(-1)

    context = (alike(task.context) | ~people).all(-1) & people.any(-1)
    return alike(task.target) & context[:, None]


def _interpolated(
    task: Task, known: _Known, time_scale: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """For shared doses: mean of the interpolated log-curves at target points [B, R, T], departures
    of the individuals from it [B, J, R, T], share of them sampled there, and the mean at context
    samples [B, J, K] (through nodes)."""
    context, seen, logs = task.context, known.seen, known.logs
    times, places = task.target.times.flatten(1), task.target.times.shape[1:]
    counted = usable(seen).to(logs.dtype)[..., None]
    number = counted.sum(1).clamp(min=1)

    # Relative to their first doses, curves of other amounts are comparable.
    own_level, target_level = (a[..., 0].clamp(min=1e-30).log() for a in known.amounts)
    height = logs - torch.where(context.dosed[..., 0], own_level, 0.0)[..., None]
    # From 0 to the time scale, evenly on the scale of ``warp``.
    nodes = torch.linspace(0, 1, 2 * NODES, device=logs.device, dtype=logs.dtype)
    nodes = FIRST * (torch.exp(nodes * torch.log(logs.new_tensor(1 / FIRST + 1))) - 1)
    nodes = nodes * time_scale[:, None]
    found = interpolate(context.times, height, seen, torch.cat([times, nodes], 1))
    mean = (found * counted).sum(1) / number
    at_target, at_nodes = mean.split((times.shape[1], nodes.shape[1]), 1)
    curve = at_target.unflatten(1, places) + target_level[..., None]
    departures = (found[..., : times.shape[1]] - at_target[:, None]).unflatten(-1, places)

    first = torch.where(seen, context.times, torch.inf).amin(-1, keepdim=True)
    last = torch.where(seen, context.times, -torch.inf).amax(-1, keepdim=True)
    sampled = (times[:, None] >= first) & (times[:, None] <= last)
    inside = ((sampled * counted).sum(1) / number).unflatten(1, places)

    every = torch.ones_like(nodes[:, None], dtype=torch.bool)
    at_context = interpolate(nodes[:, None], at_nodes[:, None], every, context.times.flatten(1))
    return curve, departures, inside, at_context.view_as(logs) + (logs - height)
