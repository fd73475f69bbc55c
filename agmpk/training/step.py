"""One optimizer step, the same whether one process computes it or several share its parts.

The loss of a step is the mean over all scored curves of its block: each part's mean, weighted by
its share of the curves.  Processes add up the gradients of their parts, so their number changes
nothing but the order of summation.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agmpk.models.task import Task
from agmpk.training.batches import part_generator
from agmpk.training.config import TrainingConfig, rate_factor
from agmpk.training.optimizer import Optimizers
from agmpk.training.processes import Processes


def part_weights(parts: list[Task]) -> list[float]:
    """Each part's share of the curves with something to predict."""
    free = [part.target_mask & ~part.prefix_mask for part in parts]
    curves = [int(mask.any(-1).sum()) for mask in free]
    return [number / max(1, sum(curves)) for number in curves]


def gradients(
    config: TrainingConfig, model: nn.Module, parts: list[Task], step: int, processes: Processes
) -> float:
    """Leave the gradient of the step's loss in the parameters; return the loss."""
    device = next(model.parameters()).device
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    total = torch.zeros((), device=device, dtype=torch.float64)
    for index, weight in enumerate(part_weights(parts)):
        if index % processes.number != processes.rank or not weight:
            continue
        loss = weight * part_loss(config, model, parts[index].to(device), step, index)
        loss.backward()
        total += loss.detach()
    processes.add_up([parameter.grad for parameter in model.parameters()])
    processes.add_up([total])
    return float(total)


def part_loss(
    config: TrainingConfig, model: nn.Module, part: Task, step: int, index: int
) -> Tensor:
    """Mean loss of one part in the run's precision."""
    generator = part_generator(config.seed, step, index)
    half = config.precision == "bf16"
    with torch.autocast(part.target_times.device.type, torch.bfloat16, enabled=half):
        return model.loss(part, generator)


def one_step(
    config: TrainingConfig,
    model: nn.Module,
    optimizer: Optimizers,
    parts: list[Task],
    step: int,
    processes: Processes,
) -> tuple[float, float]:
    """Forward, backward and update on one block; returns mean loss and norm of its gradient."""
    loss = gradients(config, model, parts, step, processes)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
    optimizer.step(rate_factor(config, step))
    return loss, float(norm)


@torch.no_grad()
def update_average(config: TrainingConfig, model: nn.Module, average: dict, step: int) -> None:
    """Exponential moving average, shorter at the start so that the random start is forgotten."""
    decay = min(config.ema, (step + 1) / (step + 10))
    for key, value in model.state_dict().items():
        average[key].lerp_(value, 1 - decay)
