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

from abc import abstractmethod
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from agmpk.errors import AgmpkError
from agmpk.models.features import TIME_CHANNELS, dose_features, time_features
from agmpk.models.frame import TRIM, warp
from agmpk.models.heads import GaussianNetwork
from agmpk.models.kinetics import LAST_DOSE, Clock
from agmpk.models.task import Record, Task

POINT_CHANNELS = TIME_CHANNELS + 12 + LAST_DOSE + 6  # time, its own, the last dose, ``whole``
PREFIX_CHANNELS = POINT_CHANNELS + 9
QUERY_CHANNELS = POINT_CHANNELS + 6
DOSE_CHANNELS = 11  # all but one of ``dose_features``
DAY = 24.0  # h, the shortest scale of time where the study tells none
ROOM = 1.25  # the horizon in last times, for asked times somewhat beyond the context's


class OwnFrame:
    """The frame of a task's targets, in the precision of the task.

    logs [B, R, P] ln y of the prefix where ``seen`` [B, R, P], count [B, R] of it, answerable
    [B, R] where there is any; centre [B, R] ln y and last_time [B, R] h of the last shown sample;
    top [B, R] ln of the highest value of the study, for the target's dose, else of the prefix;
    scale, horizon [B, R] h; whole [B, R, 6] of the individual, amount [B, R, D] relative to its own
    typical dose.

    Args:
        scalars: tell the context's highest concentration and last time.
    """

    def __init__(self, task: Task, scalars: bool) -> None:
        self.target = target = task.target
        P = task.longest_prefix
        self.seen, times = task.prefix[..., :P], target.times[..., :P]
        self.logs = torch.where(self.seen, target.logs[..., :P], 0.0)
        self.count = task.prefix.sum(-1)
        self.answerable = self.count > 0
        last = (self.count - 1).clamp(min=0)[..., None]
        self.centre = self.logs.gather(-1, last)[..., 0]
        self.last_time = torch.where(self.answerable, times.gather(-1, last)[..., 0], 0.0)
        dose = _typical_dose(target)
        relative = target.dose_amount.clamp(min=1e-30) / dose.exp()[..., None]
        self.amount = torch.where(target.dosed, relative, 0.0)

        told, top, hours = _scalars(task)
        told = told[:, None].expand_as(self.answerable) & scalars
        final = torch.where(target.dosed, target.dose_time, 0.0).amax(-1)
        alone = torch.maximum(2 * self.last_time, final + DAY)
        self.scale = torch.where(told, hours[:, None], alone).clamp(min=1e-3)
        self.horizon = ROOM * torch.maximum(self.scale, final)
        # The published ones see y over the context's maximum; without one, over the prefix's own.
        own_top = torch.where(self.seen, self.logs, -torch.inf).amax(-1)
        own_top = torch.where(self.answerable, own_top, 0.0)
        self.top = torch.where(told, top[:, None] + dose, own_top)
        whole = [
            ((self.centre - self.top).clamp(-TRIM, TRIM) / 3) * self.answerable,
            ((own_top - self.top).clamp(-TRIM, TRIM) / 3) * self.answerable,
            self.scale.log() / 3,
            self.count.to(self.scale.dtype) / 8,
            told.to(self.scale.dtype),
            (self.last_time / self.scale).clamp(max=2),
        ]
        self.whole = torch.stack(whole, -1)

    @property
    def spread(self) -> Tensor:
        """1: the coordinate is ln y itself, from the centre."""
        return torch.ones_like(self.centre)[..., None]

    def decode(self, x: Tensor) -> Tensor:
        """x [..., B, R, T] -> ln y, NaN for a target without a prefix."""
        return torch.where(self.answerable[..., None], x + self.centre[..., None], torch.nan)

    def scored(self, task: Task) -> tuple[Tensor, Tensor]:
        """Which asked points [B, R, T] a loss counts (those of targets with a prefix) and their x,
        else 0."""
        free = task.asked & self.answerable[..., None]
        x = (task.target.logs - self.centre[..., None]).clamp(-TRIM, TRIM)
        return free, torch.where(free, x, 0.0)

    def points(self, times: Tensor) -> Tensor:
        """Where ``times`` [B, R, G] lie in the individual's doses and prefix:
        [B, R, G, POINT_CHANNELS]."""
        clock = Clock(self.target, self.amount, times)
        scale, last = self.scale[..., None], self.last_time[..., None]
        since, ahead = clock.since / scale, times - last
        channels = [
            torch.log(times.clamp(min=0) + 0.05) / 3,
            torch.log(clock.since + 0.05) / 3,
            since.clamp(max=2),
            warp(since) / 2,
            *clock.last_dose(),
            (clock.duration / scale).clamp(max=2),
            torch.log(clock.duration + 0.05) / 3,
            clock.running,
            torch.log((times.clamp(min=0) + 0.05) / (last + 0.05)) / 2,
            torch.log((times.clamp(min=0) + 0.05) / (last + 0.05)).tanh(),
            (ahead / scale).clamp(-2, 2),
            torch.log(ahead.clamp(min=0) + 0.05) / 3,
            torch.log(clock.since / (last + 0.05) + 0.05) / 2,
        ]
        whole = self.whole[..., None, :].expand(*times.shape, -1)
        return torch.cat([time_features(times / scale), torch.stack(channels, -1), whole], -1)

    @cached_property
    def _of_target(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The target's points; its relative times; prefix values from the centre, what is below."""
        value = torch.where(self.seen, self.logs - self.centre[..., None], 0.0).clamp(-TRIM, TRIM)
        below = self.target.below[..., : value.shape[-1]] & self.seen
        tau = self.target.times / self.scale[..., None]
        return self.points(self.target.times), tau, value, below.to(tau.dtype)

    @property
    def prefix(self) -> Tensor:
        """The prefix [B, R, P, PREFIX_CHANNELS] where ``seen``: at each of its points the level,
        and step and slope from the one before."""
        point, tau, value, below = self._of_target
        seen, P = self.seen, value.shape[-1]
        level = torch.where(seen, self.logs - self.top[..., None], 0.0).clamp(-TRIM, TRIM)
        step = torch.diff(value, dim=-1, prepend=value[..., :1])
        gap = torch.diff(tau[..., :P], dim=-1, prepend=tau[..., :1])
        slope = torch.where(gap > 0, step / torch.where(gap > 0, gap, 1.0), 0.0)
        highest = torch.where(seen, value, -torch.inf).amax(-1, keepdim=True)
        parts = [
            value / 2,
            value.tanh(),
            level / 3,
            level.tanh(),
            step,
            step.tanh(),
            torch.asinh(slope) / 2,
            torch.where(seen, value - highest, 0.0),
            below,
        ]
        return torch.cat([point[..., :P, :], torch.stack(parts, -1) * seen[..., None]], -1)

    @property
    def query(self) -> Tensor:
        """The target's points as asked times [B, R, T, QUERY_CHANNELS]; behind what ``points`` says
        of each, the prefix in a few numbers and its straight-line continuations to it."""
        point, tau, value, below = self._of_target
        there, zero = self.answerable[..., None], torch.zeros_like(tau)
        at = (self.count - 1).clamp(min=0)[..., None]
        highest, where = torch.where(self.seen, value, -torch.inf).max(-1, keepdim=True)
        highest = torch.where(there, highest, 0.0)
        tau_top, tau_last = tau.gather(-1, where), tau.gather(-1, at)
        before = (self.count - 2).clamp(min=0)[..., None]

        def continued(level: Tensor, since: Tensor) -> Tensor:
            gap = tau_last - since
            slope = torch.where(gap > 0, -level / torch.where(gap > 0, gap, 1.0), 0.0)
            return (slope * (tau - tau_last)).clamp(-8, 8)

        parts = [
            (where == at).to(tau) + zero,
            torch.log((tau_last + 0.01) / (tau_top + 0.01)) + zero,
            continued(value.gather(-1, before), tau.gather(-1, before)) / 2,
            continued(highest, tau_top) / 2,
            torch.log((tau.clamp(min=0) + 0.01) / (tau_top + 0.01)) / 2,
            below.gather(-1, at) + zero,
        ]
        return torch.cat([point, torch.stack(parts, -1) * there[..., None]], -1)

    @property
    def doses(self) -> Tensor:
        """The doses [B, R, D, DOSE_CHANNELS] where ``target.dosed``, past and planned."""
        last, scale = self.last_time[..., None], self.scale[..., None]
        found = dose_features(self.target, self.amount, last, scale)
        # Without the duration in scales, which these networks were trained without.
        return torch.cat([found[..., :8], found[..., 9:]], -1) * self.target.dosed[..., None]


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


class OwnModel(GaussianNetwork):
    """A network without a study level; a kind adds ``forward``.  ``config.scalars`` is that of
    ``OwnFrame``."""

    needs = (*GaussianNetwork.needs, "scalars")

    @abstractmethod
    def forward(self, frame: OwnFrame) -> tuple[Tensor, Tensor]:
        """Mean and SD [B, R, T] of ln y from the frame's centre."""

    def law(self, task: Task) -> tuple[OwnFrame, Tensor, Tensor]:
        """The individual's frame, and mean and SD [B, R, T] of ln y from its centre."""
        frame = OwnFrame(task, self.config.scalars)
        return frame, *self(frame)

    def condition(self, task: Task) -> Any:
        """Mean and SD [B, R, T] of ln y, a mean of NaN for a target without a prefix.

        Raises:
            AgmpkError: no target has a prefix.
        """
        if task.asked.any() and not task.prefix.any():
            raise AgmpkError(
                f"The {self.kind} model has no study level and cannot forecast without a prefix: "
                "give at least one observation of the target individual, or use a model of the "
                "study."
            )
        return super().condition(task)
