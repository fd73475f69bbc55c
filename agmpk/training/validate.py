"""How good the model is on held-out simulated studies: log-RMSE, CRPS, coverage, against naive."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agmpk.evaluation.scores import covered, crps
from agmpk.models.frame import to_frame
from agmpk.models.task import Task


def validate(model: nn.Module, task: Task, seed: int, samples: int = 32) -> dict[str, float]:
    """Mean over the target individuals of their scores on natural-log concentration."""
    generator = torch.Generator().manual_seed(seed)
    # Study by study: samples of one study share its keys without copying them.
    parts = [model.sample(task[b : b + 1], samples, generator) for b in range(len(task.route))]
    draws = torch.cat(parts, dim=1)
    truth, free = task.target_logs, task.target_mask & ~task.prefix_mask
    points = free.sum(-1)

    def per_individual(error: Tensor) -> Tensor:
        total = torch.where(free, error, 0.0).sum(-1)
        return (total / points.clamp(min=1))[points > 0]

    inside = torch.from_numpy(covered(draws.numpy(), truth.numpy(), 0.9)).double()
    naive = to_frame(task).centre
    return {
        "log_rmse": float(per_individual((draws.mean(0) - truth).square()).sqrt().mean()),
        "log_rmse_naive": float(per_individual((naive - truth).square()).sqrt().mean()),
        "crps": float(per_individual(torch.from_numpy(crps(draws.numpy(), truth.numpy()))).mean()),
        "coverage_90": float(per_individual(inside).mean()),
    }
