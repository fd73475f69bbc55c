"""Writing NONMEM-style tables."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from dataclasses import asdict

import pandas as pd

from agmpk.errors import AgmpkError
from agmpk.files import atomic_path
from agmpk.studies.nonmem.layout import UNITS_LINE
from agmpk.studies.study import Individual, Study

COLUMNS = (
    "ID", "TIME", "DV", "AMT", "EVID", "MDV", "ROUTE", "DUR", "ADDL", "II", "CENS"
)  # fmt: skip
OPTIONAL = ("DUR", "ADDL", "II", "CENS")  # left out of a file where they would be empty


def to_frame(people: Iterable[Individual]) -> pd.DataFrame:
    """Return a study, or some individuals, as a tidy frame, one row a record.

    Columns: ID, TIME [h], DV, AMT, EVID (0 observation, 1 dose), MDV, ROUTE, DUR [h], ADDL,
    II [h], CENS; NaN or None where a column does not apply.
    """
    rows = [row for one in people for row in _rows(one)]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    whole = dict.fromkeys(("EVID", "MDV", "ADDL", "CENS"), "Int64")
    real = dict.fromkeys(("TIME", "DV", "AMT", "DUR", "II"), "float64")
    return frame.astype(whole | real)


def write_study(study: Study, path: str | os.PathLike[str]) -> None:
    """Write a study as a comma-separated table that ``read_study`` reads back exactly.

    The first line is a comment that carries the units, the compound and the LLOQ; columns that
    no record needs (DUR, ADDL, II, CENS, and PERSON where everybody is one individual) are left
    out. The file is written whole or not at all.

    Raises:
        AgmpkError: the study has no individual, or the file cannot be written.
    """
    if not len(study):
        raise AgmpkError(f"The study of {study.compound} has no individual to write to {path}.")
    frame = to_frame(study)
    empty = [name for name in OPTIONAL if not (frame[name].fillna(0) != 0).any()]
    if study.lloq is not None and "CENS" in empty:
        empty.remove("CENS")  # without flags, values below the limit would be read as such
    if any(one.person for one in study):
        frame.insert(1, "PERSON", frame["ID"].map({one.id: one.person or one.id for one in study}))
    text = frame.drop(columns=empty).map(_text)
    settings = asdict(study.units) | {"compound": study.compound}
    if study.lloq is not None:
        settings["lloq"] = _text(study.lloq)
    line = " ".join(f"{key}={shlex.quote(value)}" for key, value in settings.items())
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as out:
        out.write(f"{UNITS_LINE} {line}\n")
        text.to_csv(out, index=False, lineterminator="\n")


def _rows(one: Individual) -> list[tuple]:
    """Records in order of time; a dose comes before an observation at the same time."""
    doses = [
        (one.id, d.time, None, d.amount, 1, 1, d.route, d.duration, d.additional, d.interval, None)
        for d in one.doses
    ]
    seen = [
        (one.id, time, value, None, 0, 0, None, None, None, None, int(mark))
        for time, value, mark in zip(one.times, one.concentrations, one.censored, strict=True)
    ]
    return sorted(doses + seen, key=lambda row: (row[1], -row[4]))


def _text(value: object) -> str:
    """The shortest text that reads back as the same value; '.' for none."""
    if value is None or value is pd.NA or value != value:
        return "."
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(float(value))
    return str(value)
