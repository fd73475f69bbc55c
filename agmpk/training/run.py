"""Train a model: one step a block of studies; save, resume, validate, average."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from agmpk.models.registry import build_model
from agmpk.prior.config import PriorConfig
from agmpk.prior.preset import load_prior
from agmpk.training.batches import VALIDATION_SEED, batches, validation_task
from agmpk.training.config import TrainingConfig
from agmpk.training.folder import prepare
from agmpk.training.log import Table
from agmpk.training.optimizer import Optimizers
from agmpk.training.processes import Processes, joined
from agmpk.training.state import load_average, load_state, save_state
from agmpk.training.step import one_step, update_average
from agmpk.training.validate import validate

Report = Callable[[int, float], None]
STATE = "state.safetensors"
# Samples shown in validation, and the share of the validation studies used for it.
PREFIXES = {4: 1.0, 1: 0.25}


def train(
    config: TrainingConfig,
    folder: Path,
    report: Report | None = None,
    device: str = "cpu",
    workers: int = 1,
) -> nn.Module:
    """Run or resume the training in ``folder`` and return the model with its averaged weights.

    The folder holds config.yaml, prior.yaml, environment.json, state.safetensors, steps.csv (step,
    seconds, loss, gradient norm) and validation.csv.  Interrupted at any moment, the same call goes
    on from the last saved state and ends with the weights of an uninterrupted run.
    ``report(step, loss)`` is called after every step.  Studies are simulated on the CPU whatever
    the ``device`` of the network, by ``workers`` processes beside the training (0: in it).  Started
    by ``torchrun``, several processes share each step.

    Raises
    ------
    AgmpkError
        If the folder holds a run with other settings or another prior, or there is no such device.
    """
    folder, prior = Path(folder), load_prior(config.prior)
    with joined(device) as processes:
        if processes.writes:
            prepare(config, prior, folder, processes)
        processes.wait()
        _train(config, prior, folder, report, workers, processes)
    return trained_model(config, folder)


def trained_model(config: TrainingConfig, folder: Path) -> nn.Module:
    """The model of a run with the averaged weights of its last saved state, on the CPU."""
    model = build_model(config.kind, config.model)
    model.load_state_dict(load_average(Path(folder) / STATE))
    return model.eval()


def _train(
    config: TrainingConfig,
    prior: PriorConfig,
    folder: Path,
    report: Report | None,
    workers: int,
    processes: Processes,
) -> None:
    torch.manual_seed(config.seed)
    model = build_model(config.kind, config.model).to(processes.device)
    average = {k: v.detach().clone() for k, v in model.state_dict().items()}
    optimizer = Optimizers(model, config)
    state = folder / STATE
    start = load_state(state, model, average, optimizer) if state.exists() else 0
    processes.wait()
    steps = Table(folder / "steps.csv", start)
    validation = Table(folder / "validation.csv", start)
    began = time.monotonic()
    for step, parts in enumerate(batches(config, prior, start, workers), start):
        loss, norm = one_step(config, model, optimizer, parts, step, processes)
        if not processes.writes:
            continue
        update_average(config, model, average, step)
        done, last = step + 1, step + 1 == config.steps
        if done % config.validate_every == 0 or last:
            validation.add(done, **validation_scores(config, prior, average))
            validation.flush()
        now = time.monotonic()
        steps.add(done, seconds=now - began, loss=loss, gradient=norm)
        began = now
        if report:
            report(done, loss)
        if done % config.save_every == 0 or last:
            # The tables first: a state without its rows could not be told from a whole run.
            steps.flush()
            save_state(state, done, model, average, optimizer)
    processes.wait()


def validation_scores(config: TrainingConfig, prior: PriorConfig, average: dict) -> dict:
    """Scores of the averaged model on held-out simulated studies, by samples shown."""
    model = build_model(config.kind, config.model)
    model.load_state_dict({k: v.cpu() for k, v in average.items()})
    scores: dict[str, float] = {}
    for prefix, share in PREFIXES.items():
        studies = max(1, round(share * config.validation_studies))
        task = validation_task(config, prior, 0, prefix)[:studies]
        found = validate(model.eval(), task, VALIDATION_SEED)
        tail = f"_prefix{prefix}" if scores else ""
        scores |= {f"{name}{tail}": value for name, value in found.items()}
    return scores
