"""The training batch of a step: a pure function of (seed, step), so a run can resume exactly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from agmpk.models.task import Task, tasks_from_simulation
from agmpk.prior.config import PriorConfig
from agmpk.prior.simulate import block_generator, simulate_block
from agmpk.training.config import TrainingConfig

# Validation studies come from a stream of their own.
VALIDATION_SEED = 990_001
PREFETCH = 4


def step_generator(seed: int, step: int) -> torch.Generator:
    """Randomness of a step besides the studies themselves: prefix lengths."""
    return block_generator(seed + 500_009, step)


def part_generator(seed: int, step: int, part: int) -> torch.Generator:
    """Randomness of the loss of one part of a step, whichever process computes it."""
    state = np.random.SeedSequence([seed, step, part]).generate_state(2, np.uint32)
    return torch.Generator().manual_seed(int(state[0]) << 32 | int(state[1]))


def training_batch(config: TrainingConfig, prior: PriorConfig, step: int) -> list[Task]:
    """The parts of step ``step``, studies of similar size together."""
    with _one_thread():
        studies = simulate_block(prior, config.seed, step)
        task = tasks_from_simulation(
            studies, config.targets, config.max_prefix, step_generator(config.seed, step)
        )
        order = task.context_mask.sum((1, 2)).argsort(stable=True)
        return [task[part] for part in order.chunk(config.microbatches)]


class Batches(Dataset):
    """The batches of steps ``start``, ``start + 1``, ..., by position."""

    def __init__(self, config: TrainingConfig, prior: PriorConfig, start: int) -> None:
        self.config, self.prior, self.start = config, prior, start

    def __len__(self) -> int:
        return self.config.steps - self.start

    def __getitem__(self, position: int) -> list[Task]:
        if not 0 <= position < len(self):
            raise IndexError(position)
        return training_batch(self.config, self.prior, self.start + position)


def batches(
    config: TrainingConfig, prior: PriorConfig, start: int, workers: int
) -> Iterator[list[Task]]:
    """The batches from step ``start`` on, simulated ahead by ``workers`` processes (0: here).

    The numbers do not depend on ``workers``.
    """
    data = Batches(config, prior, start)
    ahead = {"num_workers": workers, "prefetch_factor": PREFETCH} if workers else {}
    return iter(DataLoader(data, batch_size=None, collate_fn=_as_it_is, **ahead))


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


def _as_it_is(batch: list[Task]) -> list[Task]:
    return batch


@contextmanager
def _one_thread() -> Iterator[None]:
    """Simulate on one thread, as a worker does, so that both give the same last digit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
