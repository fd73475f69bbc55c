"""The tables of a run, steps.csv and validation.csv: written whole, one row a step.

A run that was killed after its last saved state does some steps again; rows from the first of them
on are cut when the table is opened, so that no step stands there twice.
"""

from __future__ import annotations

import csv
from pathlib import Path

from agmpk.files import atomic_path


class Table:
    """Rows with a ``step``; those after step ``start`` of an existing file are dropped."""

    def __init__(self, file: Path, start: int) -> None:
        self.file, self.rows = file, []
        if file.exists():
            with file.open(newline="", encoding="utf-8") as stream:
                self.rows = [row for row in csv.DictReader(stream) if int(row["step"]) <= start]

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
