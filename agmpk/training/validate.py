"""How good the model is on held-out simulated studies: log-RMSE, CRPS, coverage, against naive."""

from __future__ import annotations

import torch
from torch import Tensor

from agmpk.models.flow import FlowModel
from agmpk.models.frame import to_frame
from agmpk.models.task import Task


def crps(samples: Tensor, truth: Tensor) -> Tensor:
    """Unbiased continuous ranked probability score over the leading sample axis.

    E|X - y| - E|X - X'| / 2 (Gneiting & Raftery 2007), from sorted samples.
    """
    n = len(samples)
    ordered = samples.sort(dim=0).values
    rank = torch.arange(1, n + 1, dtype=samples.dtype).view(-1, *[1] * (samples.ndim - 1))
    pairs = (ordered * (2 * rank - n - 1)).sum(0) / (n * (n - 1))
    return (samples - truth).abs().mean(0) - pairs


def validate(model: FlowModel, task: Task, seed: int, samples: int = 32) -> dict[str, float]:
    """Mean over the target individuals of their scores on natural-log concentration."""
    generator = torch.Generator().manual_seed(seed)
    # Study by study: samples of one study share its keys without copying them.
    parts = [
        model.sample(task[b : b + 1], samples, generator, steps=3) for b in range(len(task.route))
    ]
    draws = torch.cat(parts, dim=1)
    truth, free = task.target_logs, task.target_mask & ~task.prefix_mask
    points = free.sum(-1)

    def per_individual(error: Tensor) -> Tensor:
        total = torch.where(free, error, 0.0).sum(-1)
        return (total / points.clamp(min=1))[points > 0]

    low, high = draws.quantile(0.05, dim=0), draws.quantile(0.95, dim=0)
    naive = to_frame(task).centre
    return {
        "log_rmse": float(per_individual((draws.mean(0) - truth).square()).sqrt().mean()),
        "log_rmse_naive": float(per_individual((naive - truth).square()).sqrt().mean()),
        "crps": float(per_individual(crps(draws, truth)).mean()),
        "coverage_90": float(per_individual(((truth >= low) & (truth <= high)).double()).mean()),
    }
