"""Observed curves as lists of points, for the encoder of AICMET.

A context individual, a target's prefix and a whole target are described alike: each point by its
time, the study's mean log-curve there, the individual's distance from it, and the dosing.

Shapes: B studies, J context individuals, R targets, N curves, P points of all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agmpk.models.dosing import DOSING_CHANNELS, dosing_features
from agmpk.models.features import TIME_CHANNELS, relative_dose, time_features, warp
from agmpk.models.frame import TRIM, Frame
from agmpk.models.task import Task

CURVE_CHANNELS = TIME_CHANNELS + DOSING_CHANNELS + 4


@dataclass(frozen=True)
class Curves:
    """features [P, C]; u [P] warped time; curve [P] which curve of the ``number`` it belongs to."""

    features: Tensor
    u: Tensor
    curve: Tensor
    number: int


def context_curves(task: Task, frame: Frame) -> Curves:
    """The context individuals; curve b J + j."""
    return _curves(
        task,
        frame,
        task.context_times,
        frame.context_residual,
        frame.context_curve,
        task.context_dose,
        task.context_mask,
    )


def target_curves(task: Task, frame: Frame, mask: Tensor) -> Curves:
    """The targets' points where ``mask`` [B, R, T]; curve b R + r."""
    residual = task.target_logs - frame.curve
    return _curves(task, frame, task.target_times, residual, frame.curve, task.target_dose, mask)


def _curves(
    task: Task,
    frame: Frame,
    times: Tensor,
    residual: Tensor,
    mean: Tensor,
    dose: Tensor,
    mask: Tensor,
) -> Curves:
    tau = (times / frame.time_scale[:, None, None])[mask]
    scale = frame.time_scale[:, None].expand(mask.shape[:2])
    away = residual[mask].clamp(-TRIM, TRIM)
    level = (mean - frame.peak[:, None, None])[mask].clamp(-TRIM, TRIM)
    relative = relative_dose(dose, task, frame)[..., None].expand_as(mask)[mask]
    curve = torch.arange(mask[..., 0].numel(), device=mask.device).view(mask.shape[:2])
    numbers = torch.stack([away, (3 * away).tanh(), level / 3, relative], -1)
    features = [time_features(tau), dosing_features(task, times, scale)[mask], numbers]
    return Curves(
        features=torch.cat(features, -1),
        u=warp(tau),
        curve=curve[..., None].expand_as(mask)[mask],
        number=curve.numel(),
    )
