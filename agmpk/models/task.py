"""One training or forecasting task as tensors: context tokens packed, targets padded.

Shapes: B studies, L context tokens (every observation of every context individual, packed so
that padding costs nothing), J context individuals, R targets per study, T target points.
Logarithms are natural and dose-normalized: ln(concentration / dose), so that a linear model's
curves coincide whatever the dose.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from agmpk.prior.batch import SimulatedStudies


@dataclass(frozen=True)
class Task:
    """What the models see.

    context_times, context_logs [B, J, T] with context_mask; context_dose [B, J] ln dose;
    target_times, target_logs [B, R, T] with target_mask (a real point) and prefix_mask (observed);
    target_dose [B, R] ln dose; route [B, 3] one-hot (oral, bolus, infusion); duration [B] h.
    Context observations stand in front of their padding, in order of time.  Unseen values of
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

    def __getitem__(self, rows: Tensor | slice) -> Task:
        return Task(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def to(self, device: torch.device | str) -> Task:
        """The task on another device."""
        return Task(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def route_one_hot(oral: Tensor, duration: Tensor) -> Tensor:
    """[B, 3]: oral, IV bolus, IV infusion."""
    return torch.stack([oral, ~oral & (duration <= 0), ~oral & (duration > 0)], -1).double()


def tasks_from_simulation(
    studies: SimulatedStudies, targets: int, max_prefix: int, generator: torch.Generator
) -> Task:
    """Turn simulated studies into tasks: some individuals are targets, the others the context.

    The first ``targets`` individuals (their order is random by construction) are the targets;
    each gets a prefix length: 0 in one case of five, else uniform on 1..max_prefix, and always
    short enough to leave one point to predict.
    """
    logs, times, mask = _quantified_first(studies)
    dose = studies.dose.log()
    logs = torch.where(mask, logs - dose[..., None], 0.0)
    R = targets
    count = mask[:, :R].sum(-1)
    draw = torch.rand(count.shape, generator=generator, dtype=torch.float64)
    longest = torch.clamp(count - 1, min=0, max=max_prefix)
    prefix = torch.where(draw < 0.2, 0, 1 + torch.floor((draw - 0.2) / 0.8 * max_prefix).long())
    prefix = torch.minimum(prefix, longest)
    position = torch.arange(mask.shape[-1])
    return Task(
        context_times=times[:, R:],
        context_logs=logs[:, R:],
        context_mask=mask[:, R:],
        context_dose=dose[:, R:],
        target_times=times[:, :R],
        target_logs=logs[:, :R],
        target_mask=mask[:, :R],
        prefix_mask=mask[:, :R] & (position < prefix[..., None]),
        target_dose=dose[:, :R],
        route=route_one_hot(studies.oral, studies.duration),
        duration=studies.duration,
    )


def _quantified_first(studies: SimulatedStudies) -> tuple[Tensor, Tensor, Tensor]:
    mask, order = studies.quantified.int().sort(dim=-1, descending=True, stable=True)
    mask = mask.bool()
    times = studies.times.gather(-1, order)
    logs = studies.concentration.gather(-1, order).clamp(min=1e-300).log()
    last = torch.where(mask, times, 0.0).amax(-1, keepdim=True)
    return torch.where(mask, logs, 0.0), torch.where(mask, times, last), mask
