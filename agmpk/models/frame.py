"""The frame of reference in which the networks see a study: relative, centred, scaled.

For each target the coordinate of a point is

    x = (ln y - mean curve - last prefix residual) / spread,

ln y dose-normalized; the mean curve is the context's (see ``context_curve``); ``spread`` is how far
context individuals, pinned to the mean curve at the target's last prefix time, stray from it by the
time of the point.  Times are divided by the context's last time.  So a change of the units of
concentration, dose or time changes nothing in what the networks see.

Shapes: B studies, J context individuals, K their observations, R targets, T target points.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agmpk.models.context_curve import inside, interpolate, mean_curve, usable
from agmpk.models.task import Task

# The spread is shrunk towards PRIOR_SPREAD as if that had been seen on PRIOR_WEIGHT individuals.
PRIOR_SPREAD, PRIOR_WEIGHT, FLOOR = 0.35, 1.5, 0.08

# Beyond this many spreads a simulated value is an artefact of the assay; it is trimmed in training.
TRIM = 12.0


@dataclass(frozen=True)
class Frame:
    """What ``to_frame`` computes; [B, R, T] unless said otherwise.

    time_scale [B] h; curve: mean log-curve at the target's times; offset [B, R]: last prefix
    residual; spread; departures [B, J, R, T]: of the context individuals from the mean log-curve,
    pinned at the target's last prefix time; covered: share of context individuals sampled around
    that time; peak [B]: the mean curve's largest value at context times; last_time [B, R] h of the
    prefix; context_curve, context_residual [B, J, K]; use [B, J]: who counts.
    """

    time_scale: Tensor
    curve: Tensor
    offset: Tensor
    spread: Tensor
    departures: Tensor
    covered: Tensor
    peak: Tensor
    last_time: Tensor
    context_curve: Tensor
    context_residual: Tensor
    use: Tensor

    @property
    def centre(self) -> Tensor:
        """The naive forecast ln(y / dose) at the target's times [B, R, T]."""
        return self.curve + self.offset[..., None]

    @property
    def unit(self) -> Tensor:
        """What a step of 1 in x is worth in the loss [B, R, T]: natural-log units."""
        return self.spread

    def encode(self, logs: Tensor) -> Tensor:
        """ln(y / dose) -> x."""
        return (logs - self.centre) / self.spread

    def decode(self, x: Tensor) -> Tensor:
        """x [..., B, R, T] -> ln(y / dose)."""
        return self.centre + self.spread * x


def to_frame(task: Task) -> Frame:
    """Compute the frame of a task, in the precision of the task."""
    B, R, T = task.target_times.shape
    J, K = task.context_times.shape[1:]
    use = usable(task.context_mask)
    lonely = ~use.any(-1)

    query = torch.cat([task.target_times.flatten(1), task.context_times.flatten(1)], 1)
    curves = interpolate(task.context_times, task.context_logs, task.context_mask, query)
    mean = mean_curve(curves, use)
    # Without any context the prefix's own mean is the level to count from.
    seen = task.prefix_mask.flatten(1).to(mean.dtype)
    own = (task.target_logs.flatten(1) * seen).sum(1) / seen.sum(1).clamp(min=1)
    mean = torch.where(lonely[:, None], own[:, None], mean)
    residual = (curves - mean[:, None])[..., : R * T].unflatten(-1, (R, T))
    curve = mean[:, : R * T].unflatten(1, (R, T))
    context_curve = mean[:, R * T :].unflatten(1, (J, K))

    prefix = task.prefix_mask.sum(-1)
    last = (prefix - 1).clamp(min=0)[..., None]
    offset = (task.target_logs - curve).gather(-1, last)[..., 0]
    offset = torch.where(prefix > 0, offset, 0.0)
    last_time = torch.where(prefix > 0, task.target_times.gather(-1, last)[..., 0], 0.0)

    pinned = residual - torch.where(
        (prefix > 0)[:, None, :, None],
        residual.gather(-1, last[:, None].expand(-1, J, -1, -1)),
        0.0,
    )
    weight = use.to(mean.dtype)[:, :, None, None]
    square = (pinned.square() * weight).sum(1)
    number = weight.sum(1)
    spread = torch.sqrt(
        (square + PRIOR_WEIGHT * PRIOR_SPREAD**2) / (number + PRIOR_WEIGHT) + FLOOR**2
    )

    all_times = torch.where(task.context_mask, task.context_times, 0.0).flatten(1).amax(1)
    own_last = torch.where(task.target_mask, task.target_times, 0.0).flatten(1).amax(1)
    time_scale = torch.where(lonely, own_last, all_times).clamp(min=1e-9)
    peak = torch.where(task.context_mask, context_curve, -torch.inf).flatten(1).amax(1)
    peak = torch.where(lonely, mean[:, 0], peak)
    return Frame(
        time_scale=time_scale,
        curve=curve,
        offset=offset,
        spread=spread,
        departures=pinned,
        covered=inside(
            task.context_times, task.context_mask, task.target_times.flatten(1), use
        ).unflatten(1, (R, T)),
        peak=peak,
        last_time=last_time,
        context_curve=context_curve,
        context_residual=torch.where(task.context_mask, task.context_logs - context_curve, 0.0),
        use=use,
    )
