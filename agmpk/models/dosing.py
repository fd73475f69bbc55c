"""What the dosing says about a point in time, for models without features of their own.

Shapes: B studies, R individuals, T points.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agmpk.models.task import Task

DOSING_CHANNELS = 9


def dosing_features(task: Task, times: Tensor, scale: Tensor) -> Tensor:
    """Route, infusion time, regimen, and the place of ``times`` [B, R, T] in it: [B, R, T, C].

    Hours are divided by ``scale`` [B, R], so the features have no unit.
    """
    scale = scale[..., None]
    since, number = since_dose(task, times)
    infused = (since < task.duration[:, None, None]).to(times.dtype)
    interval = task.interval[:, None, None] / scale
    parts = [
        (task.duration[:, None, None] / scale).clamp(max=4).expand_as(times),
        infused,
        interval.clamp(max=4).expand_as(times),
        torch.log(number),
        (since / scale).clamp(max=2),
        torch.log((since / scale).clamp(min=0) + 0.02) / 2,
    ]
    route = task.route[:, None, None].to(times.dtype).expand(*times.shape, 3)
    return torch.cat([torch.stack(parts, -1), route], -1)


def since_dose(task: Task, times: Tensor) -> tuple[Tensor, Tensor]:
    """Hours since the last dose, and the number of doses given until then, at ``times``."""
    interval = task.interval[:, None, None]
    repeated = interval > 0
    # The small addition keeps a sample at the time of a dose on the same side in every unit.
    doses = torch.floor(times / torch.where(repeated, interval, 1.0) + 1e-6).clamp(min=0)
    doses = torch.minimum(doses, task.additional[:, None, None].to(times.dtype))
    doses = torch.where(repeated, doses, 0.0)
    return (times - doses * interval).clamp(min=0), 1 + doses
