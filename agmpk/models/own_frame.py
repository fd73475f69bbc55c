"""The frame of the models without a study level, and what they learn and answer with.

Of the study they are told two numbers, by which the published ones scale a curve (see the authors'
public code of Ojeda Marin et al. 2025): the context's highest concentration, here per unit of dose
and times the target's, and the context's last time.  Without a context, or without these scalars
("prefix only"), the clock's hours and the prefix itself are the scales.  All else is the
individual's own: prefix, doses, and the asked time, and nothing of other asked times.

Forecasts are counted in ln y from the last shown sample.

Shapes: B studies, R targets, P prefix points, T points, D doses, G places of a grid, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from agmpk.errors import AgmpkError
from agmpk.models.features import TIME_CHANNELS, time_features
from agmpk.models.frame import TRIM, read_clock, warp
from agmpk.models.heads import antithetic, beta_loss
from agmpk.models.task import Record, Task

POINT_CHANNELS = TIME_CHANNELS + 24
PREFIX_CHANNELS = POINT_CHANNELS + 9
QUERY_CHANNELS = POINT_CHANNELS + 6
DOSE_CHANNELS = 11
DAY = 24.0  # h, the shortest scale of time where the study tells none
ROOM = 1.25  # the horizon in last times, for asked times somewhat beyond the context's


@dataclass(frozen=True)
class OwnFrame:
    """centre [B, R] ln y of the last shown sample; answerable [B, R]: there is one; scale, horizon
    [B, R] h; prefix [B, R, P, C] where ``seen`` [B, R, P]; query [B, R, T, C], whose first
    POINT_CHANNELS are ``points``; doses [B, R, D, C] where ``target.dosed``; whole [B, R, 6] of the
    individual, amount [B, R, D] relative to its own typical dose; last_time [B, R] h of the
    prefix."""

    target: Record
    centre: Tensor
    answerable: Tensor
    scale: Tensor
    horizon: Tensor
    prefix: Tensor
    seen: Tensor
    query: Tensor
    doses: Tensor
    whole: Tensor
    amount: Tensor
    last_time: Tensor

    def points(self, times: Tensor) -> Tensor:
        """Where ``times`` [B, R, G] lie in the individual's doses and prefix:
        [B, R, G, POINT_CHANNELS]."""
        clock = read_clock(self.target, self.amount, times)
        scale, last = self.scale[..., None], self.last_time[..., None]
        tau, since = times / scale, clock.since / scale
        infused = (clock.duration > 0).to(times.dtype)
        ahead = times - last
        channels = [
            torch.log(times.clamp(min=0) + 0.05) / 3,
            torch.log(clock.since + 0.05) / 3,
            since.clamp(max=2),
            warp(since) / 2,
            torch.log(clock.number.to(times.dtype).clamp(min=0.5)) / 2,
            (clock.number == 0).to(times.dtype),
            (clock.number > 1).to(times.dtype),
            clock.amount.clamp(min=1e-6).log().clamp(-6, 6) / 2,
            clock.oral,
            infused,
            (clock.duration / scale).clamp(max=2),
            torch.log(clock.duration + 0.05) / 3,
            infused * (clock.since < clock.duration),
            torch.log((times.clamp(min=0) + 0.05) / (last + 0.05)) / 2,
            torch.log((times.clamp(min=0) + 0.05) / (last + 0.05)).tanh(),
            (ahead / scale).clamp(-2, 2),
            torch.log(ahead.clamp(min=0) + 0.05) / 3,
            torch.log(clock.since / (last + 0.05) + 0.05) / 2,
        ]
        whole = self.whole[..., None, :].expand(*times.shape, -1)
        return torch.cat([time_features(tau), torch.stack(channels, -1), whole], -1)


def own_frame(task: Task, scalars: bool) -> OwnFrame:
    """The frame of a task's targets, in the precision of the task.

    Args:
        scalars: tell the context's highest concentration and last time.
    """
    target = task.target
    kind = target.times.dtype
    P = task.longest_prefix
    seen, times = task.prefix[..., :P], target.times[..., :P]
    logs = torch.where(seen, target.logs[..., :P], 0.0)
    count = task.prefix.sum(-1)
    last = (count - 1).clamp(min=0)[..., None]
    answerable = count > 0
    centre = logs.gather(-1, last)[..., 0]
    last_time = torch.where(answerable, times.gather(-1, last)[..., 0], 0.0)
    dose = _typical_dose(target)
    amount = torch.where(
        target.dosed, target.dose_amount.clamp(min=1e-30) / dose.exp()[..., None], 0.0
    )

    told, top, hours = _scalars(task)
    told = told[:, None].expand_as(answerable) if scalars else torch.zeros_like(answerable)
    final = torch.where(target.dosed, target.dose_time, 0.0).amax(-1)
    alone = torch.maximum(2 * last_time, final + DAY)
    scale = torch.where(told, hours[:, None], alone).clamp(min=1e-3)
    # The published ones see y over the context's maximum; without one, over the prefix's own.
    own_top = torch.where(seen, logs, -torch.inf).amax(-1)
    own_top = torch.where(answerable, own_top, 0.0)
    top = torch.where(told, top[:, None] + dose, own_top)
    whole = torch.stack(
        [
            ((centre - top).clamp(-TRIM, TRIM) / 3) * answerable,
            ((own_top - top).clamp(-TRIM, TRIM) / 3) * answerable,
            scale.log() / 3,
            count.to(kind) / 8,
            told.to(kind),
            (last_time / scale).clamp(max=2),
        ],
        -1,
    )
    frame = OwnFrame(
        target=target,
        centre=centre,
        answerable=answerable,
        scale=scale,
        horizon=ROOM * torch.maximum(scale, final),
        prefix=logs,
        seen=seen,
        query=logs,
        doses=logs,
        whole=whole,
        amount=amount,
        last_time=last_time,
    )
    point = frame.points(target.times)
    value = torch.where(seen, logs - centre[..., None], 0.0).clamp(-TRIM, TRIM)
    level = torch.where(seen, logs - top[..., None], 0.0).clamp(-TRIM, TRIM)
    tau = target.times / scale[..., None]
    below = (target.below[..., :P] & seen).to(kind)
    shape = _shape(value, level, tau[..., :P], seen, below)
    parts = {
        "prefix": torch.cat([point[..., :P, :], shape], -1),
        "query": torch.cat([point, _summary(value, tau, seen, count, below)], -1),
        "doses": _doses(target, amount, last_time, scale),
    }
    return OwnFrame(**{**vars(frame), **parts})


def _typical_dose(record: Record) -> Tensor:
    """Mean ln amount [B, N] of each individual's doses."""
    logs = torch.where(record.dosed, record.dose_amount.clamp(min=1e-30).log(), 0.0)
    return logs.sum(-1) / record.dosed.sum(-1).clamp(min=1)


def _scalars(task: Task) -> tuple[Tensor, Tensor, Tensor]:
    """Whether the context has a value [B], ln of its highest per unit of dose [B], and its last
    time [B] h."""
    context = task.context
    seen = context.quantified
    told = seen.flatten(1).any(1)
    height = context.logs - _typical_dose(context)[..., None]
    top = torch.where(seen, height, -torch.inf).flatten(1).amax(1)
    hours = torch.where(context.mask, context.times, 0.0).flatten(1).amax(1)
    return told & (hours > 0), torch.where(told, top, 0.0), hours


def _shape(value: Tensor, level: Tensor, tau: Tensor, seen: Tensor, below: Tensor) -> Tensor:
    """What the prefix does at each of its points: level, step and slope from the one before."""
    step = torch.diff(value, dim=-1, prepend=value[..., :1])
    gap = torch.diff(tau, dim=-1, prepend=tau[..., :1])
    slope = torch.where(gap > 0, step / torch.where(gap > 0, gap, 1.0), 0.0)
    top = torch.where(seen, value, -torch.inf).amax(-1, keepdim=True)
    parts = [
        value / 2,
        value.tanh(),
        level / 3,
        level.tanh(),
        step,
        step.tanh(),
        torch.asinh(slope) / 2,
        torch.where(seen, value - top, 0.0),
        below,
    ]
    return torch.stack(parts, -1) * seen[..., None]


def _summary(value: Tensor, tau: Tensor, seen: Tensor, count: Tensor, below: Tensor) -> Tensor:
    """The prefix in a few numbers, and its straight-line continuations to each point."""
    there = (count > 0)[..., None]
    at = (count - 1).clamp(min=0)[..., None]
    top, where = torch.where(seen, value, -torch.inf).max(-1, keepdim=True)
    top = torch.where(there, top, 0.0)
    tau_top, tau_last = tau.gather(-1, where), tau.gather(-1, at)
    before = (count - 2).clamp(min=0)[..., None]
    ahead, zero = tau - tau_last, torch.zeros_like(tau)

    def continued(level: Tensor, since: Tensor) -> Tensor:
        gap = tau_last - since
        slope = torch.where(gap > 0, -level / torch.where(gap > 0, gap, 1.0), 0.0)
        return (slope * ahead).clamp(-8, 8)

    parts = [
        (where == at).to(tau) + zero,
        torch.log((tau_last + 0.01) / (tau_top + 0.01)) + zero,
        continued(value.gather(-1, before), tau.gather(-1, before)) / 2,
        continued(top, tau_top) / 2,
        torch.log((tau.clamp(min=0) + 0.01) / (tau_top + 0.01)) / 2,
        below.gather(-1, at) + zero,
    ]
    return torch.stack(parts, -1) * there[..., None]


def _doses(record: Record, amount: Tensor, last_time: Tensor, scale: Tensor) -> Tensor:
    """The targets' doses [B, R, D, DOSE_CHANNELS], past and planned."""
    scale, last = scale[..., None], last_time[..., None]
    gap = torch.diff(record.dose_time, dim=-1, prepend=record.dose_time[..., :1]).clamp(min=0)
    channels = [
        (record.dose_time / scale).clamp(max=3),
        warp(record.dose_time / scale) / 2,
        ((record.dose_time - last) / scale).clamp(-3, 3),
        (record.dose_time >= last).to(scale.dtype),
        torch.log(record.dose_time.clamp(min=0) + 0.05) / 3,
        amount.clamp(min=1e-6).log().clamp(-6, 6) / 2,
        record.dose_oral.to(scale.dtype),
        (record.dose_duration > 0).to(scale.dtype),
        torch.log(record.dose_duration + 0.05) / 3,
        (gap / scale).clamp(max=2),
        torch.log(gap + 0.05) / 3,
    ]
    return torch.stack(channels, -1) * record.dosed[..., None]


class OwnModel(nn.Module):
    """What a network without a study level learns with and answers with.

    ``forward`` maps an ``OwnFrame`` to mean and SD [B, R, T] of ln y from the centre;
    ``config.beta`` is that of the likelihood (see ``beta_loss``), ``config.scalars`` that of
    ``own_frame``, ``config.temperature`` a factor on the SD in sampling.
    """

    kind: ClassVar[str]
    generates = False
    config: Any

    def loss(self, task: Task, generator: torch.Generator) -> Tensor:
        """Negative log-likelihood of the asked points of targets with a prefix; nothing is
        drawn."""
        frame = own_frame(task, self.config.scalars)
        mean, sd = self(frame)
        free = task.asked & frame.answerable[..., None]
        x = (task.target.logs - frame.centre[..., None]).clamp(-TRIM, TRIM)
        x = torch.where(free, x, 0.0).to(mean)
        return beta_loss(mean, sd, x, free, self.config.beta)

    @torch.no_grad()
    def sample(
        self,
        task: Task,
        samples: int,
        generator: torch.Generator,
        known: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Draws of ln y [S, B, R, T]: at prefix points what was observed, NaN for a target without
        a prefix.

        Raises:
            AgmpkError: no target has a prefix.
        """
        mean, sd = known or self.condition(task)
        error = antithetic(samples, tuple(mean.shape), generator, mean)
        error = self.config.temperature * error
        return torch.where(task.prefix, task.target.logs, mean + sd * error)

    @torch.no_grad()
    def mean(self, task: Task, known: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Mean of ln y [B, R, T], at each time the same whatever else is asked.

        Raises:
            AgmpkError: no target has a prefix.
        """
        mean, _ = known or self.condition(task)
        return torch.where(task.prefix, task.target.logs, mean)

    @torch.no_grad()
    def condition(self, task: Task) -> tuple[Tensor, Tensor]:
        """What ``sample`` and ``mean`` share: mean and SD [B, R, T] of ln y.

        Raises:
            AgmpkError: no target has a prefix.
        """
        if task.asked.any() and not task.prefix.any():
            raise AgmpkError(
                f"The {self.kind} model has no study level and cannot forecast without a prefix: "
                "give at least one observation of the target individual, or use a model of the "
                "study."
            )
        frame = own_frame(task, self.config.scalars)
        mean, sd = (a.to(frame.centre) for a in self(frame))
        mean = torch.where(frame.answerable[..., None], mean + frame.centre[..., None], torch.nan)
        return mean, sd
