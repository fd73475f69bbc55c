"""The folder of a run: settings, prior, hardware, tables, and the state from which it goes on.

The state is weights, averaged weights and optimizer moments in files of at most ``SHARD`` bytes,
with an index (state.json) that names the step and the SHA-256 of each; no pickle.  The index is
replaced last, so a run killed at any moment has a whole state, and a damaged file is noticed.
"""

from __future__ import annotations

import csv
import json
import os
import platform
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor

import agmpk
from agmpk.config import load_yaml
from agmpk.errors import AgmpkError
from agmpk.files import atomic_path, data_path, sha256, write_text
from agmpk.prior import PriorConfig
from agmpk.store import digest
from agmpk.training.config import TrainingConfig

CONFIG, PRIOR, ENVIRONMENT = "config.yaml", "prior.yaml", "environment.json"
STEPS, VALIDATION = "steps.csv", "validation.csv"
SHARD = 15 * 2**20
FREE = {"steps": 1, "cooldown": 1.0, "snapshots": ()}
"""Settings that a resumed run may have otherwise, as what they are set to for a comparison."""
LATER = {"block": 64, "views": 1}
"""Settings that runs begun before them do not know, and what they mean where they are off."""


def prepare(config: TrainingConfig, prior: PriorConfig, folder: Path, device: str, n: int) -> None:
    """Create the run folder, or check that it belongs to the same settings and prior.

    The settings of a folder that is there are left for ``settle``, when the run has been resumed.

    A run may go on with another number of steps (and cool-down): see ``agmpk.training.run``.

    Raises:
        AgmpkError: the folder holds a run with other settings, or the prior has changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / CONFIG).exists():
        if run_config(folder).with_changes(**FREE) != config.with_changes(**FREE):
            raise AgmpkError(
                f"{folder} holds a run with other settings: choose another folder or remove it."
            )
        if not _same_prior(folder, prior):
            raise AgmpkError(
                f"The prior {config.prior} has changed since the run in {folder} began "
                f"({PRIOR} holds the one it uses): choose another folder or remove it."
            )
    else:
        write_text(folder / ENVIRONMENT, json.dumps(environment(device, n), indent=1))
        write_text(folder / PRIOR, yaml.safe_dump(prior.to_dict(), sort_keys=False))
        settle(config, folder)


def _same_prior(folder: Path, prior: PriorConfig) -> bool:
    """Whether the run's own prior says the same, whichever quantities came since that are off."""
    try:
        return PriorConfig.from_dict(run_prior(folder)) == prior
    except AgmpkError:
        return False


def settle(config: TrainingConfig, folder: Path) -> None:
    """Write the settings of the run, which may have another number of steps than before."""
    write_text(folder / CONFIG, config.to_yaml())


def run_config(folder: Path) -> TrainingConfig:
    """The settings of the run in ``folder``.

    Raises:
        AgmpkError: there is no run, or its settings are damaged or unknown.
    """
    file = Path(folder) / CONFIG
    if not file.is_file():
        raise AgmpkError(f"{folder} holds no run: it lacks {CONFIG}.")
    try:
        values = load_yaml(file)
    except AgmpkError as error:
        why = str(error).rstrip(".")
        raise AgmpkError(f"{why}: restore it, or remove the run folder to start afresh.") from None
    return TrainingConfig.from_dict(values, str(file))


def run_prior(folder: Path) -> dict[str, Any]:
    """The prior that the run in ``folder`` draws from, as plain values.

    Raises:
        AgmpkError: the file is missing or damaged.
    """
    return load_yaml(Path(folder) / PRIOR)


def run_environment(folder: Path) -> dict[str, Any]:
    """The hardware and versions that the run in ``folder`` began with.

    Raises:
        AgmpkError: the file is missing or damaged.
    """
    file = Path(folder) / ENVIRONMENT
    try:
        return dict(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        raise AgmpkError(f"{file} is missing or damaged: restore it.") from None


def environment(device: str, processes: int) -> dict[str, Any]:
    """Versions and hardware."""
    hardware = platform.machine()
    if device != "cpu":
        hardware = torch.cuda.get_device_name(device)
    return {
        "agmpk": agmpk.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": hardware,
        "device": device.split(":")[0],
        "processes": processes,
        "threads": torch.get_num_threads(),
    }


def records(folder: Path, step: int) -> dict[str, str]:
    """Digests of what the state after ``step`` rests on beside it: prior, hardware, rows of the
    tables, and the settings but for those that a later call may change."""
    found = {name: sha256(folder / name) for name in (PRIOR, ENVIRONMENT)}
    found |= {name: Table(folder / name, step).digest() for name in (STEPS, VALIDATION)}
    settings = run_config(folder).with_changes(**FREE).to_dict()
    # A setting that came later is left out where it is off, so that older runs go on.
    settings = {k: v for k, v in settings.items() if LATER.get(k, ...) != v}
    return found | {CONFIG: digest(settings)}


def check_records(folder: Path, about: dict[str, Any]) -> None:
    """Compare the records that were saved with a state, where there are, with those of now.

    Raises:
        AgmpkError: a file of the run has changed since.
    """
    now = records(folder, about["step"]) if "records" in about else {}
    for name, value in now.items():
        if about["records"][name] != value:
            raise AgmpkError(
                f"{folder / name} is not what it was when the state was saved: restore it, or "
                "remove the run folder to start afresh."
            )


def start_folder(start: str) -> Path:
    """The folder that a run begins with: a shipped checkpoint by its name, or a run or checkpoint.

    A folder that has the name of a shipped one is meant where a path says so: ``./flow``.

    Raises:
        AgmpkError: there is none.
    """
    if not {"/", os.sep} & set(start):
        shipped = data_path("checkpoints", start, must_exist=False)
        if shipped.is_dir():
            return shipped
    if not Path(start).is_dir():
        raise AgmpkError(
            f"There is nothing to start from at {start}: name the folder of a run or of a "
            "checkpoint, or a shipped checkpoint."
        )
    return Path(start)


def save_state(folder: Path, name: str, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Write ``tensors`` and ``about`` (with the ``step``) as the state called ``name``."""
    shards: list[dict[str, Tensor]] = [{}]
    room = SHARD
    for key, value in tensors.items():
        size = value.numel() * value.element_size()
        if size > room and shards[-1]:
            shards.append({})
            room = SHARD
        shards[-1][key] = value.detach().cpu().contiguous()
        room -= size
    files = {}
    for number, shard in enumerate(shards):
        file = folder / f"{name}-{about['step']}-{number}.safetensors"
        with atomic_path(file) as temporary:
            save_file(shard, temporary)
        files[file.name] = sha256(file)
    about = about | {"files": files}
    write_text(folder / f"{name}.json", json.dumps(about | {"digest": digest(about)}, indent=1))
    for old in folder.glob(f"{name}-*.safetensors"):
        if old.name not in files:
            old.unlink()


def load_state(folder: Path, name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What ``save_state`` wrote.

    Raises:
        AgmpkError: a file is missing or damaged.
    """
    index = Path(folder) / f"{name}.json"
    try:
        about = json.loads(index.read_text("utf-8"))
        written = about.pop("digest", None)
        # Runs that began before there were records go on without.
        if written != digest(about) and (written or "records" in about):
            raise ValueError("its digest differs")
        files, _ = about.pop("files"), about["step"]
        tensors: dict[str, Tensor] = {}
        for file, expected in files.items():
            if sha256(folder / file) != expected:
                raise ValueError(f"{file} differs from its digest")
            tensors |= load_file(folder / file)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AgmpkError(
            f"{index} is not a state of this run ({error}): remove the run folder to start afresh."
        ) from None
    return tensors, about


class Table:
    """A table of a run: one row a ``step``, written whole.

    A run that was killed after its last saved state does some steps again; rows after step
    ``start`` of an existing file are dropped, so that no step stands there twice.

    Raises:
        AgmpkError: the file is damaged.
    """

    def __init__(self, file: Path, start: int, every: bool = False) -> None:
        """``every``: there is a row for each step, and one that is missing is an error."""
        self.file, self.rows = file, []
        try:
            if file.exists():
                with file.open(newline="", encoding="utf-8") as stream:
                    self.rows = [r for r in csv.DictReader(stream) if int(r["step"]) <= start]
        except (ValueError, KeyError, TypeError, UnicodeDecodeError, csv.Error):
            raise AgmpkError(f"{file} is damaged: remove the run folder.") from None
        if every and [int(r["step"]) for r in self.rows] != list(range(1, start + 1)):
            raise AgmpkError(f"{file} lacks rows of steps that were done: remove the run folder.")

    def digest(self) -> str:
        """Digest of the rows and of what their columns are called."""
        return digest([{str(name): str(value) for name, value in r.items()} for r in self.rows])

    def add(self, step: int, **values: float) -> None:
        """Remember one row."""
        self.rows.append({"step": step, **{key: f"{v:.5f}" for key, v in values.items()}})

    def flush(self) -> None:
        """Write the whole table atomically."""
        if not self.rows:
            return
        with (
            atomic_path(self.file) as temporary,
            open(temporary, "w", newline="", encoding="utf-8") as out,
        ):
            writer = csv.DictWriter(out, self.rows[-1].keys())
            writer.writeheader()
            writer.writerows(self.rows)
