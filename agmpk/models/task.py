"""One training or forecasting task as tensors: some individuals of a study as targets, the rest as
their context.

Shapes: B studies, J context individuals, R targets per study, T points (padded behind).
Logarithms are natural and dose-normalized: ln(concentration / amount of one dose), so that a
linear model's curves coincide whatever the dose.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from agmpk.prior.batch import SimulatedStudies

NO_PREFIX = 0.2  # share of targets of which nothing is seen


@dataclass(frozen=True)
class Task:
    """What the models see.

    context_times, context_logs [B, J, T] with context_mask; context_dose [B, J] ln dose;
    target_times, target_logs [B, R, T] with target_mask (a real point) and prefix_mask (observed);
    target_dose [B, R] ln dose; route [B, 3] one-hot (oral, bolus, infusion); duration [B] h;
    interval [B] h and additional [B]: the dose is repeated so many times at that interval (both 0
    for a single dose).
    Real points stand in front of their padding, in order of time.  Unseen values of
    ``target_logs`` are only read by the loss.
    """

    context_times: Tensor
    context_logs: Tensor
    context_mask: Tensor
    context_dose: Tensor
    target_times: Tensor
    target_logs: Tensor
    target_mask: Tensor
    prefix_mask: Tensor
    target_dose: Tensor
    route: Tensor
    duration: Tensor
    interval: Tensor
    additional: Tensor

    def __getitem__(self, rows: Tensor | slice) -> Task:
        return Task(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def to(self, device: torch.device | str) -> Task:
        """The task on another device."""
        return Task(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def trimmed(self) -> Task:
        """The same task without points, individuals and targets that are padding everywhere."""
        used = self.context_mask.any(-1)
        J, order = _most(used.sum(-1)), used.int().argsort(dim=-1, descending=True, stable=True)
        order = order[:, :J]
        K, T = _most(self.context_mask.sum(-1)), _most(self.target_mask.sum(-1))
        # Targets keep their places: one without a point may stand before one with points.
        R = _most(self.target_mask.any(-1).any(0).nonzero() + 1)
        context = {
            name: getattr(self, name).take_along_dim(order[..., None], 1)[..., :K]
            for name in ("context_times", "context_logs", "context_mask")
        }
        target = {
            name: getattr(self, name)[:, :R, :T]
            for name in ("target_times", "target_logs", "target_mask", "prefix_mask")
        }
        return replace(
            self,
            **context,
            **target,
            context_dose=self.context_dose.take_along_dim(order, 1),
            target_dose=self.target_dose[:, :R],
        )


def route_one_hot(oral: Tensor, duration: Tensor) -> Tensor:
    """[B, 3]: oral, IV bolus, IV infusion."""
    return torch.stack([oral, ~oral & (duration <= 0), ~oral & (duration > 0)], -1).double()


def tasks_from_simulation(
    studies: SimulatedStudies, targets: int, max_prefix: int, generator: torch.Generator
) -> Task:
    """Turn simulated studies into tasks: some individuals are targets, the others the context.

    The first ``targets`` individuals of a study (their order is random by construction) are the
    targets, in a small study at most half of them, but always one.  Each gets a prefix length: 0
    in one case of five, else uniform on 1..max_prefix, and always short enough to leave one point
    to predict.  A target without any context shows at least one point: without, nothing tells the
    level of its curve.
    """
    logs, times, mask = _quantified_first(studies)
    dose = studies.dose.log()
    logs = torch.where(mask, logs - dose[..., None], 0.0)
    taken = (studies.present.sum(-1, keepdim=True) // 2).clamp(1, targets)
    is_target = torch.arange(mask.shape[1]) < taken
    R = targets
    shown = mask[:, :R] & is_target[:, :R, None]
    context = mask & ~is_target[..., None]

    count = shown.sum(-1)
    draw = torch.rand(count.shape, generator=generator, dtype=torch.float64)
    length = 1 + torch.floor((draw - NO_PREFIX) / (1 - NO_PREFIX) * max_prefix).long()
    lonely = ~context.any((1, 2))[:, None]
    length = torch.where((draw < NO_PREFIX) & ~lonely, 0, length.clamp(min=1))
    length = torch.minimum(length, torch.clamp(count - 1, min=0))
    shown = shown & ~(lonely & (length == 0))[..., None]
    position = torch.arange(mask.shape[-1])
    return Task(
        context_times=times,
        context_logs=logs,
        context_mask=context,
        context_dose=dose,
        target_times=times[:, :R],
        target_logs=logs[:, :R],
        target_mask=shown,
        prefix_mask=shown & (position < length[..., None]),
        target_dose=dose[:, :R],
        route=route_one_hot(studies.oral, studies.duration),
        duration=studies.duration,
        interval=studies.interval,
        additional=studies.additional,
    ).trimmed()


def _most(count: Tensor) -> int:
    return max(1, int(count.max())) if count.numel() else 1


def _quantified_first(studies: SimulatedStudies) -> tuple[Tensor, Tensor, Tensor]:
    mask, order = studies.quantified.int().sort(dim=-1, descending=True, stable=True)
    mask = mask.bool()
    times = studies.times.gather(-1, order)
    logs = studies.concentration.gather(-1, order).clamp(min=1e-300).log()
    last = torch.where(mask, times, 0.0).amax(-1, keepdim=True)
    return torch.where(mask, logs, 0.0), torch.where(mask, times, last), mask
