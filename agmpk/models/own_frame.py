"""The frame of the models without a study level: the target's own prefix and asked times only.

Values are counted from the last prefix value (natural log, dose-normalized), so units of
concentration and dose change nothing; times are divided by the target's last time, seen or asked,
and compared with the last prefix time on a log scale.  The context is never looked at.  Without it
nothing but the clock tells how fast drugs are eliminated, so that last time is given in hours too.

Shapes: B studies, R targets, N = targets kept out of the B R, P prefix points, T points.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agmpk.models.dosing import DOSING_CHANNELS, dosing_features
from agmpk.models.features import TIME_CHANNELS, time_features
from agmpk.models.task import Task

POINT_CHANNELS = TIME_CHANNELS + DOSING_CHANNELS + 5
PREFIX_CHANNELS = POINT_CHANNELS + 6
QUERY_CHANNELS = POINT_CHANNELS + 7


@dataclass(frozen=True)
class OwnFrame:
    """One row per target kept.

    keep [B, R]; horizon [B, R] h; centre [N] last prefix value; tau [N, T] times over the
    horizon; prefix [N, P, C] with mask ``seen`` [N, P]; query [N, T, C], whose first
    POINT_CHANNELS tell the time and the dosing and the rest the prefix; free [N, T] unseen points;
    x [N, T] values counted from the centre (only to be read where free, by the loss).
    """

    task: Task
    keep: Tensor
    horizon: Tensor
    centre: Tensor
    tau: Tensor
    prefix: Tensor
    seen: Tensor
    query: Tensor
    free: Tensor
    x: Tensor

    def dosing_at(self, tau: Tensor) -> Tensor:
        """Dosing features [N, K, C] at the shares ``tau`` [K] of each horizon."""
        return dosing_features(self.task, self.horizon[..., None] * tau, self.horizon)[self.keep]


def own_frame(task: Task, keep: Tensor) -> OwnFrame:
    """The frame of the targets where ``keep`` [B, R]; each of them has a prefix."""
    times, mask, prefix = task.target_times, task.target_mask, task.prefix_mask
    horizon = torch.where(mask, times, 0.0).amax(-1).clamp(min=1e-9)
    dosing = dosing_features(task, times, horizon)[keep]
    times, mask, prefix = times[keep], mask[keep], prefix[keep]
    logs = torch.where(mask, task.target_logs[keep], 0.0)
    count = prefix.sum(-1)
    last = (count - 1).clamp(min=0)[:, None]
    centre = logs.gather(-1, last)
    x = logs - centre
    P = max(1, int(count.max())) if len(count) else 1
    seen = prefix[:, :P]
    value = torch.where(seen, x[:, :P], 0.0).clamp(-12, 12)

    tau = times / horizon[keep][:, None]
    tau_last = tau.gather(-1, last)
    ratio = torch.log((tau + 1e-3) / (tau_last + 1e-3))
    ahead = (tau - tau_last).clamp(-2, 2)
    point = torch.cat(
        [time_features(tau), dosing, torch.stack([ratio / 2, ratio.tanh(), ahead], -1)], -1
    )
    whole = torch.stack([(count / 8).to(tau), horizon[keep].log() / 3], -1)
    point = torch.cat([point, whole[:, None].expand(*tau.shape, 2)], -1)
    return OwnFrame(
        task=task,
        keep=keep,
        horizon=horizon,
        centre=centre[:, 0],
        tau=tau,
        prefix=torch.cat([point[:, :P], _shape(value, tau[:, :P], seen)], -1),
        seen=seen,
        query=torch.cat([point, _summary(value, tau, tau_last, seen, count)], -1),
        free=mask & ~prefix,
        x=x,
    )


def _shape(value: Tensor, tau: Tensor, seen: Tensor) -> Tensor:
    """What the prefix does at each of its points: level, step and slope from the one before."""
    step = torch.diff(value, dim=-1, prepend=value[:, :1])
    gap = torch.diff(tau, dim=-1, prepend=tau[:, :1])
    slope = torch.where(gap > 0, step / torch.where(gap > 0, gap, 1.0), 0.0)
    top = torch.where(seen, value, -torch.inf).amax(-1, keepdim=True)
    below = torch.where(seen, value - top, 0.0)
    parts = [value / 2, value.tanh(), step, step.tanh(), torch.asinh(slope) / 2, below]
    return torch.stack(parts, -1) * seen[..., None]


def _summary(value: Tensor, tau: Tensor, tau_last: Tensor, seen: Tensor, count: Tensor) -> Tensor:
    """The prefix in a few numbers, and its straight-line continuations to each asked time."""
    top, where = torch.where(seen, value, -torch.inf).max(-1, keepdim=True)
    tau_top = tau.gather(-1, where)
    before = (count - 2).clamp(min=0)[:, None]
    ahead = tau - tau_last
    shape = torch.zeros_like(tau)

    def continued(level: Tensor, since: Tensor) -> Tensor:
        gap = tau_last - since
        slope = torch.where(gap > 0, -level / torch.where(gap > 0, gap, 1.0), 0.0)
        return (slope * ahead).clamp(-8, 8)

    parts = [
        top.clamp(max=8) + shape,
        torch.log((tau_last + 1e-3) / (tau_top + 1e-3)) + shape,
        (where == count[:, None] - 1).to(tau) + shape,
        continued(value.gather(-1, before), tau.gather(-1, before)) / 2,
        continued(top, tau_top) / 2,
        torch.log(tau_last + 0.02) / 2 + shape,
        torch.log((tau + 1e-3) / (tau_top + 1e-3)) / 2,
    ]
    return torch.stack(parts, -1)
