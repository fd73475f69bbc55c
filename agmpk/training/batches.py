"""The training batch of a step: a pure function of (seed, step), so a run can resume exactly."""

from __future__ import annotations

import torch

from agmpk.models.task import Task, tasks_from_simulation
from agmpk.prior.config import PriorConfig
from agmpk.prior.simulate import block_generator, simulate_block
from agmpk.training.config import TrainingConfig

# Validation studies come from a stream of their own.
VALIDATION_SEED = 990_001


def step_generator(seed: int, step: int) -> torch.Generator:
    """Randomness of a step besides the studies themselves."""
    return block_generator(seed + 500_009, step)


def training_batch(
    config: TrainingConfig, prior: PriorConfig, step: int
) -> tuple[list[Task], torch.Generator]:
    """Micro-batches of step ``step``, studies of similar size together, in float32."""
    g = step_generator(config.seed, step)
    studies = simulate_block(prior, config.seed, step, torch.float32)
    task = tasks_from_simulation(studies, config.targets, config.max_prefix, g)
    order = task.context_mask.sum((1, 2)).argsort()
    return [task[part] for part in order.chunk(config.microbatches)], g


def validation_task(config: TrainingConfig, prior: PriorConfig, block: int, prefix: int) -> Task:
    """Held-out simulated studies; every target shows its first ``prefix`` points."""
    g = step_generator(VALIDATION_SEED, block)
    studies = simulate_block(prior, VALIDATION_SEED, block)
    task = tasks_from_simulation(studies, config.targets, config.max_prefix, g)
    position = torch.arange(task.target_mask.shape[-1])
    seen = task.target_mask & (position < prefix)
    enough = task.target_mask.sum(-1, keepdim=True) > prefix
    values = {f: getattr(task, f) for f in task.__dataclass_fields__}
    # A target with nothing left to predict is taken out of the scoring by an empty mask.
    values |= {"prefix_mask": seen & enough, "target_mask": task.target_mask & enough}
    return Task(**values)
