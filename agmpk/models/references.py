"""Which Gaussian law the transport starts from: the choices that the ablations compare.

All live in the frame's coordinate x, which is centred on the context's mean log-curve and scaled by
its spread (without a context: on the prefix).

    gp_prefix   Matern process over warped time, conditioned on the prefix
    gp          the same, not conditioned: the network alone joins curve and prefix
    white       independent standard normal numbers
    context     covariance of the context individuals' own departures from their mean log-curve,
                shrunk towards the Matern process, conditioned on the prefix

Shapes: B studies, J context individuals, R targets, T target points.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from agmpk.models.features import warp
from agmpk.models.frame import Frame
from agmpk.models.task import Task
from agmpk.transport.reference import NUGGET, Reference, given_prefix, matern, unconditioned

# The context's covariance is shrunk as if the Matern process had been seen on so many individuals.
SHRINKAGE = 5.0


def reference(kind: str, task: Task, frame: Frame, x: Tensor, free: Tensor) -> Reference:
    """x_0's law over the points where ``free``; ``x`` [B, R, T] is read at the prefix only."""
    covariance, given = REFERENCES[kind]
    prefix = task.prefix_mask
    law = given_prefix if given else unconditioned
    return law(covariance(task, frame), torch.where(prefix, x, 0.0), prefix, free)


def _matern(task: Task, frame: Frame) -> Tensor:
    return matern(warp(task.target_times / frame.time_scale[:, None, None]))


def _white(task: Task, frame: Frame) -> Tensor:
    times = task.target_times
    eye = torch.eye(times.shape[-1], dtype=times.dtype, device=times.device)
    return eye.expand(*times.shape, -1)


def _from_context(task: Task, frame: Frame) -> Tensor:
    departures = frame.departures / frame.spread[:, None]
    departures = departures * frame.use[:, :, None, None]
    seen = torch.einsum("bjrs,bjrt->brst", departures, departures)
    number = frame.use.sum(-1)[:, None, None, None]
    eye = torch.eye(seen.shape[-1], dtype=seen.dtype, device=seen.device)
    return (seen + SHRINKAGE * _matern(task, frame)) / (number + SHRINKAGE) + NUGGET * eye


# Covariance [B, R, T, T], and whether the law is conditioned on the prefix.
REFERENCES: dict[str, tuple[Callable[[Task, Frame], Tensor], bool]] = {
    "gp_prefix": (_matern, True),
    "gp": (_matern, False),
    "white": (_white, False),
    "context": (_from_context, True),
}
