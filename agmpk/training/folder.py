"""The folder of a run: its settings and what it runs on."""

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
from agmpk.training.config import TrainingConfig
from agmpk.training.processes import Processes

CONFIG = "config.yaml"


def prepare(config: TrainingConfig, folder: Path, processes: Processes) -> None:
    """Create the run folder, or check that it belongs to the same settings.

    Raises
    ------
    AgmpkError
        If the folder holds a run with other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / CONFIG).exists():
        if run_config(folder).to_yaml() != config.to_yaml():
            raise AgmpkError(
                f"{folder} holds a run with other settings: choose another folder or remove it."
            )
        return
    for name, text in (
        ("environment.json", json.dumps(environment(processes), indent=1)),
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
