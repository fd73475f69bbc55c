"""Train a model: one step a block of studies; save, resume, validate, average."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
import yaml

import agmpk
from agmpk.errors import AgmpkError
from agmpk.files import atomic_path
from agmpk.models.flow import FlowModel
from agmpk.prior.config import PriorConfig
from agmpk.prior.preset import load_prior
from agmpk.training.batches import VALIDATION_SEED, training_batch, validation_task
from agmpk.training.config import TrainingConfig, learning_rate
from agmpk.training.log import Table
from agmpk.training.state import load_state, save_state
from agmpk.training.validate import validate

Report = Callable[[int, float], None]


def train(
    config: TrainingConfig, folder: Path, report: Report | None = None, device: str = "cpu"
) -> FlowModel:
    """Run or resume the training in ``folder`` and return the model with its averaged weights.

    The folder holds config.yaml, environment.json, state.safetensors, steps.csv (step, seconds,
    loss) and validation.csv.  Interrupted at any moment, the same call goes on from the last saved
    state and ends with the weights of an uninterrupted run.  ``report(step, loss)`` is called after
    every step.  Studies are simulated on the CPU whatever the ``device`` of the network.

    Raises
    ------
    AgmpkError
        If the folder holds a run with other settings, or there is no such device.
    """
    folder = Path(folder)
    if device != "cpu" and not torch.cuda.is_available():
        raise AgmpkError(f"There is no device {device!r} on this machine: use --device cpu.")
    prepare(config, folder)
    prior = load_prior(config.prior)
    torch.manual_seed(config.seed)
    model = FlowModel(config.model).to(device)
    average = {k: v.detach().clone() for k, v in model.state_dict().items()}
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.rate, betas=(0.9, 0.98), weight_decay=config.weight_decay
    )
    state = folder / "state.safetensors"
    start = load_state(state, model, average, optimizer) if state.exists() else 0
    steps = Table(folder / "steps.csv", start)
    validation = Table(folder / "validation.csv", start)
    for step in range(start, config.steps):
        began = time.monotonic()
        loss = one_step(config, prior, model, optimizer, step)
        update_average(config, model, average, step)
        steps.add(step + 1, seconds=time.monotonic() - began, loss=loss)
        if report:
            report(step + 1, loss)
        last = step + 1 == config.steps
        if (step + 1) % config.validate_every == 0 or last:
            validation.add(step + 1, **validation_scores(config, prior, average))
            validation.flush()
        if (step + 1) % config.save_every == 0 or last:
            # The tables first: a state without its rows could not be told from a whole run.
            steps.flush()
            save_state(state, step + 1, model, average, optimizer)
    model.load_state_dict(average)
    return model.cpu().eval()


def prepare(config: TrainingConfig, folder: Path) -> None:
    """Create the run folder, or check that it belongs to the same settings."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "config.yaml"
    if file.exists():
        before = TrainingConfig.from_dict(yaml.safe_load(file.read_text("utf-8")), str(file))
        if before != config:
            raise AgmpkError(
                f"{folder} holds a run with other settings: choose another folder or remove it."
            )
        return
    environment = {
        "agmpk": agmpk.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
    }
    for name, text in (
        ("environment.json", json.dumps(environment, indent=1)),
        ("config.yaml", yaml.safe_dump(config.to_dict(), sort_keys=False)),
    ):
        with atomic_path(folder / name) as temporary:
            Path(temporary).write_text(text, "utf-8")


def one_step(
    config: TrainingConfig, prior: PriorConfig, model: FlowModel, optimizer, step: int
) -> float:
    """Forward, backward and update on one block; returns the mean loss."""
    parts, generator = training_batch(config, prior, step)
    optimizer.zero_grad(set_to_none=True)
    total = 0.0
    device = next(model.parameters()).device
    for part in parts:
        loss = model.loss(part.to(device), generator) / len(parts)
        loss.backward()
        total += float(loss.detach())
    torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(config, step)
    optimizer.step()
    return total


@torch.no_grad()
def update_average(config: TrainingConfig, model: FlowModel, average: dict, step: int) -> None:
    """Exponential moving average, shorter at the start so that the random start is forgotten."""
    decay = min(config.ema, (step + 1) / (step + 10))
    for key, value in model.state_dict().items():
        average[key].lerp_(value, 1 - decay)


def validation_scores(config: TrainingConfig, prior: PriorConfig, average: dict) -> dict:
    """Scores of the averaged model at prefix 4 on held-out simulated studies."""
    model = FlowModel(config.model)
    model.load_state_dict({k: v.cpu() for k, v in average.items()})
    task = validation_task(config, prior, 0, prefix=4)[: config.validation_studies]
    return validate(model.eval(), task, VALIDATION_SEED)
