"""The tasks of a step: a pure function of (seed, step), so a run can resume exactly."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch.utils.data import DataLoader

from agmpk.models.task import Record, Task, concatenate, tasks_from_simulation
from agmpk.prior import PriorConfig
from agmpk.prior.laws import seeded
from agmpk.prior.simulate import simulate_block
from agmpk.training.config import TrainingConfig

# Validation studies come from a stream of their own.
VALIDATION_SEED = 990_001
VALIDATION_TARGETS, LONGEST = 8, 8  # individuals of a study; samples of a prefix before it is cut
PREFETCH = 4


def step_generator(seed: int, step: int) -> torch.Generator:
    """Randomness of a block besides the studies themselves: prefix lengths."""
    return seeded(seed + 500_009, step)


def part_generator(seed: int, step: int, part: int, device: str = "cpu") -> torch.Generator:
    """Randomness of the loss of one part of a step, whichever process computes it."""
    return seeded(seed, step, part, device=device)


def block_tasks(config: TrainingConfig, prior: PriorConfig, block: int) -> list[Task]:
    """The tasks of one block of the stream, one for each of its views, single precision."""
    studies = simulate_block(prior, config.seed, block, config.block)
    generator = step_generator(config.seed, block)
    tasks = []
    for view in range(config.views):
        seen = studies.shuffled(generator) if view else studies
        task = tasks_from_simulation(seen, config.targets, config.max_prefix, generator)
        if config.thinned and block % 4:
            # Their order is random, so the first are any.
            kept = task.context.each(lambda values: values[:, : config.thinned])
            task = replace(task, context=kept)
        if config.ended_early:
            ends = torch.rand(len(task), generator=generator) < config.ended_early
            task = replace(task, context=ended_early(task.context, ends, generator))
        tasks.append(task.to(torch.float32))
    return tasks


def ended_early(context: Record, ends: torch.Tensor, generator: torch.Generator) -> Record:
    """The context of the studies that end [B] until a time before which 30 to 90 % of its samples
    lie, and doses until then; of the other studies whole."""
    times = torch.where(context.mask, context.times, torch.inf).flatten(1).sort(-1).values
    share = 0.3 + 0.6 * torch.rand(len(ends), generator=generator, dtype=times.dtype)
    place = (share * context.mask.flatten(1).sum(-1)).long()
    last = torch.where(ends, times.gather(-1, place[:, None])[:, 0], torch.inf)[:, None, None]
    kept = context.mask & (context.times <= last)
    given = context.dosed & (context.dose_time <= last) & kept.any(-1, keepdim=True)
    found = {}
    for name, value in vars(context).items():
        real = given if "dose" in name else kept
        found[name] = value & real if value.dtype == torch.bool else torch.where(real, value, 0.0)
    return Record(**found)


def training_batch(
    config: TrainingConfig, prior: PriorConfig, step: int, told: bool = False
) -> list[Task]:
    """The parts of step ``step``, studies of similar size together; ``told``: with what the
    networks are told of them, computed."""
    with _one_thread():
        first = step * config.blocks
        blocks = range(first, first + config.blocks)
        tasks = [task for block in blocks for task in block_tasks(config, prior, block)]
    sizes = torch.cat([_sizes(task) for task in tasks])
    bounds = np.cumsum([0, *(len(task) for task in tasks)])
    parts = []
    for rows in similar(sizes, config.parts):
        chosen = []
        for b, task in enumerate(tasks):
            inside = rows[(rows >= bounds[b]) & (rows < bounds[b + 1])] - int(bounds[b])
            if len(inside):
                chosen.append(task[inside].trimmed())
        # Here and not beside the network: a GPU would wait for each of the shapes.
        parts.append(concatenate(chosen).packed())
        if told:
            _ = parts[-1].features
    return parts


def similar(sizes: torch.Tensor, parts: int) -> list[torch.Tensor]:
    """Rows of ``sizes`` [N, 2] (people, samples of each) in groups of similar size and about equal
    cost: by people first, then by samples, so that little is padded."""
    groups = _split(torch.arange(len(sizes)), sizes, 0, max(1, parts // 2))
    found = [half for group in groups for half in _split(group, sizes, 1, min(2, parts))]
    return [group.sort().values for group in found if len(group)]


def _split(rows: torch.Tensor, sizes: torch.Tensor, by: int, parts: int) -> list[torch.Tensor]:
    rows = rows[sizes[rows, by].argsort(stable=True)]
    cost = (sizes[rows].prod(-1) + 20).cumsum(0)
    if not len(rows):
        return []
    cuts = torch.searchsorted(cost, cost[-1] * torch.arange(1, parts) / parts)
    return list(rows.tensor_split(cuts.tolist()))


def _sizes(task: Task) -> torch.Tensor:
    """How many context individuals each study [B] has, and the most samples of one: [B, 2]."""
    present = task.context.mask.any(-1)
    last = torch.arange(1, present.shape[1] + 1)
    samples = task.context.mask.sum(-1).amax(-1)
    return torch.stack([(present * last).amax(-1).clamp(min=1), samples.clamp(min=1)], -1)


def batches(
    config: TrainingConfig,
    prior: PriorConfig,
    start: int,
    workers: int,
    device: str = "cpu",
    study: bool = True,
) -> Iterator[list[Task]]:
    """The batches from step ``start`` on, simulated ahead by ``workers`` processes (0: here).

    The numbers do not depend on ``workers``.  They see to the features, too, where a network reads
    the ``study``, unless there is a GPU, to which the few large operations of a whole part are
    nothing.
    """
    make = partial(training_batch, config, prior, told=study and device == "cpu")
    steps = range(start, config.steps)
    if not workers:
        return map(make, steps)
    ahead = {"num_workers": workers, "prefetch_factor": PREFETCH}
    if device != "cpu":
        # A copy of a process that drives a GPU would share its memory maps, which slows both.
        ahead |= {"multiprocessing_context": "spawn", "worker_init_fn": _yielding}
    return iter(DataLoader(steps, batch_size=None, collate_fn=make, **ahead))


def _yielding(number: int) -> None:
    """The process that feeds the GPU goes first."""
    os.nice(5)


def validation_task(
    prior: PriorConfig, blocks: int, prefix: int, targets: int = VALIDATION_TARGETS
) -> Task:
    """Held-out simulated studies, the same for all runs on a prior; every target shows its first
    ``prefix`` samples.

    Only values count as asked, and only of targets with something left to predict.
    """
    parts = []
    for block in range(blocks):
        studies = simulate_block(prior, VALIDATION_SEED, block)
        generator = step_generator(VALIDATION_SEED, block)
        task = tasks_from_simulation(studies, targets, LONGEST, generator)
        position = torch.arange(task.target.mask.shape[-1])
        real, asked = task.target.mask, task.target.mask & (position >= prefix)
        enough = (asked & ~task.target.below).any(-1, keepdim=True)
        context = task.context.mask.any((1, 2))[:, None, None] | torch.tensor(prefix > 0)
        shown = real & (position < prefix) & enough & context
        limit = task.limit[:, None, None].nan_to_num(0.0).expand_as(task.target.logs)
        logs = torch.where(shown & task.target.below, limit, task.target.logs)
        asked = asked & enough & context & ~task.target.below
        target = replace(task.target, logs=logs, mask=shown | asked)
        parts.append(replace(task, target=target, prefix=shown, asked=asked))
    return concatenate(parts)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Simulate on one thread, as a worker does, so that both give the same last digit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
