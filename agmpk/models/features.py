"""What the networks are told of a sample, of a dose and of an asked time, from the frame.

Every channel is free of the units of concentration and dose.  Times are given relative to the
study's scales and in hours, since a body's clock is the same in every study.

A task of training is packed: two thirds of a batch of simulated studies is padding, people,
samples, doses and asked points of the smaller studies.  Masks make it harmless, packing makes it
cheap: rows of similar length are attended to together, keys and asked points stand densely.  The
numbers are the same up to the order of summation.  Forecasts do without, since shapes that depend
on data cannot be exported.

Shapes: B studies, N individuals, T samples, D doses, C channels; in packing N sequences of L
places, S kept places.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from agmpk.models.frame import Frame, warp
from agmpk.models.kinetics import LAST_DOSE, Clock
from agmpk.models.task import Record, Task, Tensors

FREQUENCIES = 4
# The plain numbers count what the function of that name below lists.
TIME_CHANNELS = 2 + 4 * FREQUENCIES
WHOLE_CHANNELS = 6  # of an individual
CLOCK_CHANNELS = TIME_CHANNELS + 7 + LAST_DOSE
SAMPLE_CHANNELS = CLOCK_CHANNELS + 9 + WHOLE_CHANNELS
DOSE_CHANNELS = 12
QUERY_CHANNELS = CLOCK_CHANNELS + 31 + WHOLE_CHANNELS


def time_features(tau: Tensor) -> Tensor:
    """Relative time, warped time, and Fourier features of both: [..., TIME_CHANNELS]."""
    near, u = tau.clamp(max=2)[..., None], warp(tau)[..., None]
    k = 2.0 ** torch.arange(FREQUENCIES, dtype=tau.dtype, device=tau.device) * math.pi / 2
    phases = torch.cat([near * k, u / 4 * k], -1)
    return torch.cat([near, u / 2, phases.sin(), phases.cos()], -1)


def clock_features(times: Tensor, clock: Clock, frame: Frame) -> Tensor:
    """Where ``times`` [B, N, T] lie in the individual's doses: [B, N, T, CLOCK_CHANNELS]."""
    scale, since_scale = frame.time_scale[:, None, None], frame.since_scale[:, None, None]
    tau, since = times / scale, clock.since / since_scale
    channels = [
        tau.clamp(max=2),
        warp(tau) / 2,
        torch.log(clock.since + 0.05) / 3,
        torch.log(times + 0.05) / 3,
        torch.log(scale.expand_as(times)) / 3,
        *clock.last_dose(),
        (clock.duration / since_scale).clamp(max=2),
        clock.running,
    ]
    return torch.cat([time_features(since), torch.stack(channels, -1)], -1)


def sample_features(
    record: Record,
    value: Tensor,
    curve: Tensor,
    fitted: Tensor,
    clock: Clock,
    whole: Tensor,
    frame: Frame,
) -> Tensor:
    """Samples of any individual [B, N, T, SAMPLE_CHANNELS].

    Args:
        record: whose samples they are.
        value: [B, N, T] ln y (or of the limit) less the reference.
        curve: mean curve there; fitted: the individual's own fit there.
        whole: [B, N, 6] about the individual: see ``individual_features``.
    """
    away, own = (value - curve).clamp(-8, 8), (value - fitted).clamp(-8, 8)
    channels = torch.stack(
        [
            away / 2,
            (3 * away).tanh(),
            away.tanh(),
            own,
            (3 * own).tanh(),
            (curve - frame.peak[:, None, None]).clamp(-12, 6) / 3,
            (value - frame.peak[:, None, None]).clamp(-12, 6) / 3,
            record.below.to(value.dtype),
            record.mask.sum(-1, keepdim=True).to(value.dtype).log1p().expand_as(value) / 3,
        ],
        -1,
    )
    spread_out = whole[:, :, None].expand(*value.shape, whole.shape[-1])
    return torch.cat([clock_features(record.times, clock, frame), channels, spread_out], -1)


def individual_features(level: Tensor, rates: Tensor, frame: Frame) -> Tensor:
    """Level, ln ke, ln ka of an individual's fit against the study's, with their SDs and the
    study's spread of levels: [B, N, 6]."""
    away = (rates - frame.study_rates).clamp(-4, 4)
    spread = frame.level_sd[:, None].expand_as(level)
    parts = [level.clamp(-4, 4), away[..., 0], away[..., 1], rates[..., 2], rates[..., 3], spread]
    return torch.stack(parts, -1)


def context_samples(task: Task, frame: Frame) -> Tensor:
    """The context's samples [B, J, K, SAMPLE_CHANNELS]."""
    value = task.context.logs - frame.reference[:, None, None]
    whole = individual_features(frame.context_level, frame.context_rates, frame)
    curve, fitted, clock = frame.context_curve, frame.context_fitted, frame.context_clock
    return sample_features(task.context, value, curve, fitted, clock, whole, frame)


def target_samples(task: Task, frame: Frame, shown: Tensor) -> Tensor:
    """The targets' first P samples [B, R, P, SAMPLE_CHANNELS], to be read where ``shown``
    [B, R, P]: their prefix, or in training the whole of them."""
    target, part = task.target, (..., slice(shown.shape[-1]))
    value = torch.where(shown, target.logs[part] - frame.reference[:, None, None], 0.0)
    below = target.below[part] & shown & task.prefix[part]
    record = replace(target, times=target.times[part], mask=shown, below=below)
    whole = individual_features(frame.target_level, frame.target_rates, frame)
    curve, fitted, clock = frame.curve[part], frame.fitted[part], frame.target_clock[part]
    return sample_features(record, value, curve, fitted, clock, whole, frame)


def dose_features(record: Record, amount: Tensor, last: Tensor, scale: Tensor) -> Tensor:
    """The targets' doses [B, R, D, DOSE_CHANNELS], past and planned.

    ``amount`` [B, R, D] is relative; ``last`` [B, R, 1] h of the prefix;
    ``scale`` [B, R or 1, 1] h.
    """
    time, kind = record.dose_time, record.dose_time.dtype
    gap = (time - torch.cat([time[..., :1], time[..., :-1]], -1)).clamp(min=0)  # ONNX has no diff
    channels = [
        (time / scale).clamp(max=3),
        warp(time / scale) / 2,
        ((time - last) / scale).clamp(-3, 3),
        (time >= last).to(kind),
        torch.log(time + 0.05) / 3,
        amount.clamp(min=1e-6).log().clamp(-6, 6) / 2,
        record.dose_oral.to(kind),
        (record.dose_duration > 0).to(kind),
        (record.dose_duration / scale).clamp(max=2),
        torch.log(record.dose_duration + 0.05) / 3,
        (gap / scale).clamp(max=2),
        torch.log(gap + 0.05) / 3,
    ]
    return torch.stack(channels, -1)


def query_features(task: Task, frame: Frame) -> Tensor:
    """The targets' points as asked times [B, R, T, QUERY_CHANNELS], each by itself."""
    times, zero = task.target.times, torch.zeros_like(task.target.times)
    scale = frame.time_scale[:, None, None]
    whole = individual_features(frame.target_level, frame.target_rates, frame)
    number = task.prefix.sum(-1, keepdim=True).to(times.dtype)
    below = (task.prefix & task.target.below).sum(-1, keepdim=True).to(times.dtype)
    people = task.context.mask.any(-1).sum(-1)[:, None, None].to(times.dtype)
    samples = task.context.mask.flatten(1).sum(-1)[:, None, None].to(times.dtype)
    censored = task.context.below.flatten(1).sum(-1)[:, None, None].to(times.dtype)
    spread = frame.spread
    limited = ~task.limit.isnan()[:, None, None]
    limit = torch.where(limited, task.limit[:, None, None] - frame.reference[:, None, None], 0.0)
    above = ((frame.centre - limit) / spread).clamp(-8, 8)
    other = torch.where(frame.shared, frame.fitted, frame.naive) - frame.centre
    ahead = (times - frame.last_time[..., None]).clamp(min=0)
    oral = (task.target.dosed & task.target.dose_oral).any(-1, keepdim=True).to(times.dtype)
    rates = frame.study_rates[:, :, None]
    channels = [
        spread,
        spread.log(),
        (frame.curve - frame.peak[:, None, None]).clamp(-12, 6) / 3,
        (frame.centre - frame.peak[:, None, None]).clamp(-12, 6) / 3,
        frame.offset[..., None].clamp(-8, 8),
        (other / spread).clamp(-8, 8),
        (other / spread / 3).tanh(),
        other.clamp(-8, 8),
        frame.fitted_sd.clamp(max=4),
        frame.fitted_sd.log().clamp(-5, 2),
        frame.covered,
        number / 8,
        (number == 0).to(times.dtype),
        (number == 1).to(times.dtype),
        below / 4,
        people.log1p() / 3,
        (people == 0).to(times.dtype),
        (samples / people.clamp(min=1)).log1p() / 3,
        censored / samples.clamp(min=1),
        (ahead / scale).clamp(max=3),
        torch.log(ahead + 0.05) / 3,
        torch.log(ahead / frame.since_scale[:, None, None] + 0.02) / 2,
        torch.where(limited, above, 0.0),
        torch.where(limited, (above / 3).tanh(), 0.0),
        limited.to(times.dtype),
        oral,
        frame.shared.to(times.dtype),
        frame.residual_sd[:, None, None],
        frame.level_sd[:, None, None],
        rates[..., 0] / 2,
        rates[..., 1] / 2,
    ]
    stacked = torch.stack([c + zero for c in channels], -1)
    spread_out = whole[:, :, None].expand(*times.shape, whole.shape[-1])
    clock = clock_features(times, frame.target_clock, frame)
    return torch.cat([clock, stacked, spread_out], -1)


@dataclass(frozen=True)
class Places(Tensors):
    """Some places of a padded array [N, L]: ``index`` [n, S], counted through, all different;
    ``real`` [n, S], the others fill up."""

    index: Tensor
    real: Tensor

    def take(self, x: Tensor) -> Tensor:
        """x [N, L, ...] -> [n, S, ...]."""
        return x.flatten(0, 1).index_select(0, self.index.flatten()).unflatten(0, self.index.shape)

    def put(self, x: Tensor, into: Tensor) -> Tensor:
        """``into`` [N, L, ...] with x [n, S, ...] in these places."""
        # Under autocast on a GPU a norm answers in single precision, what it read may be half.
        flat = into.to(x.dtype).flatten(0, 1)
        return flat.index_copy(0, self.index.flatten(), x.flatten(0, 1)).view_as(into)


def first(mask: Tensor) -> Places:
    """The places marked in ``mask`` [N, L], as many of each row as the fullest has."""
    length = max(1, int(mask.sum(-1).max()))
    order = mask.int().argsort(dim=-1, descending=True, stable=True)[:, :length]
    start = mask.shape[1] * torch.arange(len(mask), device=mask.device)[:, None]
    return Places(start + order, mask.gather(1, order))


def by_length(mask: Tensor) -> tuple[Places, ...]:
    """The rows of ``mask`` [N, L] that have anything beside their first place, in groups whose
    lengths are within a factor of two."""
    length = mask.sum(-1)
    group = torch.where(length > 1, (length - 1).float().log2().floor().int(), -1)
    found = []
    for which in group.unique().tolist():
        rows = (group == which).nonzero()[:, 0]
        if which >= 0:
            inside = first(mask[rows])
            shift = mask.shape[1] * (rows - torch.arange(len(rows), device=rows.device))
            found.append(Places(inside.index + shift[:, None], inside.real))
    return tuple(found)


class Packing(Tensors):
    """people: individuals of the context, [B J, 1 + K]; own: targets with what is shown and their
    doses, [B R, 1 + P + D]; keys: the context's samples [B, J K]; tokens: those of the targets
    [B, R (1 + P + D)]; asked: points [B, R T]; same [B, asked, tokens], whose target is the same;
    points [M], all asked ones counted through B R T."""

    def __init__(self, task: Task) -> None:
        T = task.asked.shape[-1]
        shown = torch.cat([task.prefix[..., : task.longest_prefix], task.target.dosed], -1)
        # The token that gathers an individual stands before its others.
        people, own = (pad(mask, (1, 0), value=True) for mask in (task.context.mask, shown))
        people, own = people.flatten(0, 1), (own & shown.any(-1, keepdim=True)).flatten(0, 1)
        self.people, self.own = by_length(people), by_length(own)
        self.keys = first(task.context.mask.flatten(1))
        self.tokens, self.asked = first(own.view(len(task), -1)), first(task.asked.flatten(1))
        whose_token = self.tokens.index // own.shape[-1]
        same = (self.asked.index // T)[:, :, None] == whose_token[:, None]
        self.same = same & self.tokens.real[:, None]
        self.points = task.asked.flatten().nonzero()[:, 0]


def asked_points(task: Task) -> Tensor:
    """Asked points [M] counted through B R T; every point where the task is not packed."""
    packing = task.packing
    return packing.points if packing else torch.arange(task.asked.numel(), device=task.asked.device)


def spread_out(x: Tensor, points: Tensor, shape: Sequence[int], fill: float = 0.0) -> Tensor:
    """[..., M] -> [..., *shape]: ``x`` at the ``points``, ``fill`` elsewhere."""
    nothing = x.new_full((*x.shape[:-1], math.prod(shape)), fill)
    return nothing.index_copy(-1, points, x).unflatten(-1, shape)


class Features(Tensors):
    """All of a task that does not depend on a network: the context's samples [B, J, K, C], the
    targets' prefix [B, R, P, C], their doses [B, R, D, C] and their points as asked times
    [B, R, T, C]; warped time since the last dose of context samples and of targets' points."""

    def __init__(self, task: Task) -> None:
        frame = task.frame
        last, time_scale = frame.last_time[..., None], frame.time_scale[:, None, None]
        scale = frame.since_scale[:, None, None]
        self.context = context_samples(task, frame)
        self.prefix = target_samples(task, frame, task.prefix[..., : task.longest_prefix])
        self.doses = dose_features(task.target, frame.amounts[1], last, time_scale)
        self.queries = query_features(task, frame)
        self.u_context = warp(frame.context_clock.since / scale)
        self.u_target = warp(frame.target_clock.since / scale)
