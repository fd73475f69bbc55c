"""Token features of context and target points, from the frame of reference.

Shapes: B studies, L packed context tokens, R targets, T target points, C feature channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from agmpk.models.dosing import since_dose
from agmpk.models.frame import Frame
from agmpk.models.quadrature import log_weights
from agmpk.models.task import Task

FREQUENCIES = 4
TIME_CHANNELS = 2 + 4 * FREQUENCIES
DOSING_CHANNELS = 9
CONTEXT_CHANNELS = TIME_CHANNELS + DOSING_CHANNELS + 4
TARGET_CHANNELS = TIME_CHANNELS + DOSING_CHANNELS + 15


@dataclass(frozen=True)
class ContextTokens:
    """features [B, L, C]; owner [B, L] index of the individual, -1 for padding; u [B, L] warped
    time (see ``warp``); weight [B, L] logarithm of the width of warped time it stands for."""

    features: Tensor
    owner: Tensor
    u: Tensor
    weight: Tensor

    def to(self, kind: torch.dtype) -> ContextTokens:
        """The tokens in another precision."""
        u, weight = self.u.to(kind), self.weight.to(kind)
        return ContextTokens(self.features.to(kind), self.owner, u, weight)


def warp(tau: Tensor) -> Tensor:
    """Relative time to a scale on which the early hours are as wide as the late ones."""
    return torch.log(tau.clamp(min=0) + 0.02)


def time_features(tau: Tensor) -> Tensor:
    """Relative time, warped time, and Fourier features of both: [..., TIME_CHANNELS]."""
    u = warp(tau)
    k = 2.0 ** torch.arange(FREQUENCIES, dtype=tau.dtype, device=tau.device) * math.pi / 2
    phases = torch.cat([tau.clamp(max=2)[..., None] * k, u[..., None] / 4 * k], -1)
    return torch.cat(
        [tau.clamp(max=2)[..., None], u[..., None] / 2, phases.sin(), phases.cos()], -1
    )


def dosing(task: Task, frame: Frame, times: Tensor) -> Tensor:
    """Route, infusion time, and where each of ``times`` [B, N, T] lies in the schedule of doses:
    [B, N, T, DOSING_CHANNELS].

    All zero but the route where a single bolus or oral dose was given.
    """
    scale = frame.time_scale[:, None, None]
    since, number = since_dose(task, times)
    since, repeated = since / scale, (task.additional > 0)[:, None, None]
    duration, interval = (a[:, None, None] / scale for a in (task.duration, task.interval))
    schedule = [
        torch.where(repeated, since.clamp(max=2), 0.0),
        torch.where(repeated, warp(since) / 2, 0.0),
        number.log(),
        repeated.to(times.dtype).expand_as(times),
        torch.where(repeated, interval.clamp(max=2), 0.0).expand_as(times),
        duration.expand_as(times),
    ]
    route = task.route[:, None, None].to(times.dtype).expand(*times.shape, 3)
    return torch.cat([torch.stack(schedule, -1), route], -1)


def context_tokens(task: Task, frame: Frame) -> ContextTokens:
    """Every context observation as a token, packed to the largest number in the batch."""
    B, J, K = task.context_times.shape
    scale = frame.time_scale[:, None, None]
    tau = task.context_times / scale
    dose = relative_dose(task.context_dose, task, frame)
    features = torch.cat(
        [
            time_features(tau),
            frame.context_residual[..., None],
            (frame.context_residual * 3).tanh()[..., None],
            (frame.context_curve - frame.peak[:, None, None]).clamp(min=-12)[..., None] / 3,
            dose[..., None, None].expand(B, J, K, 1),
            dosing(task, frame, task.context_times),
        ],
        -1,
    )
    mask = task.context_mask.flatten(1)
    length = max(1, int(mask.sum(-1).max()))
    mask, order = mask.int().sort(dim=-1, descending=True, stable=True)
    order = order[:, :length]
    owner = torch.arange(J, device=tau.device).repeat_interleave(K)[order]
    features = features.flatten(1, 2).gather(1, order[..., None].expand(-1, -1, features.shape[-1]))
    return ContextTokens(
        features=features,
        owner=torch.where(mask[:, :length].bool(), owner, -1),
        u=warp(tau).flatten(1).gather(1, order),
        weight=log_weights(warp(tau), task.context_mask).flatten(1).gather(1, order),
    )


def target_features(task: Task, frame: Frame) -> Tensor:
    """What is known of each target point besides the flow's own state: [B, R, T, C]."""
    B, R, T = task.target_times.shape
    tau = task.target_times / frame.time_scale[:, None, None]
    prefix = task.prefix_mask
    seen = torch.where(prefix, frame.encode(task.target_logs), 0.0).clamp(-20, 20)
    since = (tau - (frame.last_time / frame.time_scale[:, None])[..., None]).clamp(-2, 2)
    number = prefix.sum(-1).to(tau.dtype)[..., None].expand(B, R, T)
    context = frame.use.sum(-1).to(tau.dtype)[:, None, None].expand(B, R, T)
    channels = [
        seen,
        (seen / 3).tanh(),
        seen * frame.spread,
        prefix.to(tau.dtype),
        since,
        (frame.curve - frame.peak[:, None, None]).clamp(min=-12) / 3,
        frame.spread.log(),
        frame.spread,
        frame.offset[..., None].clamp(-8, 8).expand(B, R, T),
        frame.covered,
        number / 8,
        (number == 0).to(tau.dtype),
        context / 10,
        (context == 0).to(tau.dtype),
        relative_dose(task.target_dose, task, frame)[..., None].expand(B, R, T),
    ]
    return torch.cat(
        [
            time_features(tau),
            torch.stack(channels, -1),
            dosing(task, frame, task.target_times),
        ],
        -1,
    )


def relative_dose(dose: Tensor, task: Task, frame: Frame) -> Tensor:
    """ln dose [B, N] from the mean ln dose of the context; 0 without a context."""
    weight = frame.use.to(dose.dtype)
    total = weight.sum(-1, keepdim=True)
    mean = (task.context_dose * weight).sum(-1, keepdim=True) / total.clamp(min=1)
    return torch.where(total > 0, dose - mean, 0.0)
