"""Finished variants on disk: ``variants/<name>.csv`` (one row an individual) and ``<name>.json``.

The JSON file holds the settings in full, their digest, and the digest of the CSV file; it is
written last, so that a variant is finished when it is there.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from agmpk.ablations.score import COLUMNS
from agmpk.ablations.settings import digest
from agmpk.errors import AgmpkError
from agmpk.files import atomic_path, sha256, write_csv

FOLDER = "variants"


@dataclass(frozen=True)
class Record:
    """How a variant was made: settings and their digest, size of the network, final training
    loss, wall-clock seconds of training and of scoring, the machine, digest of the rows."""

    name: str
    settings: dict[str, Any]
    digest: str
    parameters: int
    loss: float
    training_seconds: float
    scoring_seconds: float
    environment: dict[str, Any]
    rows: str


@dataclass(frozen=True)
class Stored:
    """A finished variant: its record, and one row an individual (``agmpk.ablations.score``)."""

    record: Record
    individuals: pd.DataFrame


def save(out: Path, record: Record, individuals: pd.DataFrame) -> None:
    """Write a finished variant; ``record.rows`` is filled in here."""
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    about, rows = _files(out, record.name)
    # Rows without a record are an unfinished variant, which is made again.
    about.unlink(missing_ok=True)
    write_csv(individuals, rows)
    values = asdict(record) | {"rows": sha256(rows)}
    with atomic_path(about) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n", "utf-8")


def load(out: Path, name: str) -> Stored | None:
    """A finished variant, or None where it is not stored.

    Raises:
        AgmpkError: a file is damaged or was edited.
    """
    about, rows = _files(out, name)
    if not about.is_file():
        return None
    try:
        record = Record(**json.loads(about.read_text("utf-8")))
        whole = record.name == name and record.digest == digest(record.settings)
    except (ValueError, TypeError) as error:
        raise _damaged(about, name) from error
    if not whole:
        raise _damaged(about, name)
    if not rows.is_file() or sha256(rows) != record.rows:
        raise _damaged(rows, name)
    frame = pd.read_csv(rows, dtype={"individual": str, "compound": str, "studies": str})
    if tuple(frame.columns) != COLUMNS:
        raise _damaged(rows, name)
    return Stored(record, frame)


def _files(out: Path, name: str) -> tuple[Path, Path]:
    return out / FOLDER / f"{name}.json", out / FOLDER / f"{name}.csv"


def _damaged(file: Path, name: str) -> AgmpkError:
    return AgmpkError(
        f"{file} is damaged or was edited: delete it and run "
        f"'python -m agmpk.ablations run --only {name}'."
    )
