"""The folder of a run: its settings, its prior, and what it runs on."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import torch
import yaml

import agmpk
from agmpk.errors import AgmpkError
from agmpk.files import atomic_path
from agmpk.prior.config import PriorConfig
from agmpk.training.config import TrainingConfig
from agmpk.training.processes import Processes

CONFIG, PRIOR, ENVIRONMENT = "config.yaml", "prior.yaml", "environment.json"


def prepare(config: TrainingConfig, prior: PriorConfig, folder: Path, processes: Processes) -> None:
    """Create the run folder, or check that it belongs to the same settings and prior.

    Raises
    ------
    AgmpkError
        If the folder holds a run with other settings, or the prior of that name has changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn_from = yaml.safe_dump(prior.to_dict(), sort_keys=False)
    if (folder / CONFIG).exists():
        if run_config(folder).to_yaml() != config.to_yaml():
            raise AgmpkError(
                f"{folder} holds a run with other settings: choose another folder or remove it."
            )
        if (folder / PRIOR).read_text("utf-8") != drawn_from:
            raise AgmpkError(
                f"The prior {config.prior} has changed since the run in {folder} began "
                f"({PRIOR} holds the one it uses): choose another folder or remove it."
            )
        return
    for name, text in (
        (ENVIRONMENT, json.dumps(environment(processes), indent=1)),
        (PRIOR, drawn_from),
        (CONFIG, config.to_yaml()),
    ):
        with atomic_path(folder / name) as temporary:
            Path(temporary).write_text(text, "utf-8")


def run_config(folder: Path) -> TrainingConfig:
    """The settings of the run in ``folder``.

    Raises
    ------
    AgmpkError
        If there is no run.
    """
    file = Path(folder) / CONFIG
    if not file.is_file():
        raise AgmpkError(f"{folder} holds no run: it lacks {CONFIG}.")
    return TrainingConfig.from_dict(yaml.safe_load(file.read_text("utf-8")), str(file))


def run_prior(folder: Path) -> dict[str, Any]:
    """The prior that the run in ``folder`` draws from, as plain values."""
    return yaml.safe_load((Path(folder) / PRIOR).read_text("utf-8"))


def environment(processes: Processes) -> dict[str, Any]:
    """Versions and hardware."""
    hardware = platform.machine()
    if processes.device != "cpu":
        hardware = torch.cuda.get_device_name(processes.device)
    return {
        "agmpk": agmpk.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": hardware,
        "device": processes.device.split(":")[0],
        "processes": processes.number,
        "threads": torch.get_num_threads(),
    }
