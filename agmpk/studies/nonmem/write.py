"""Studies written: as NONMEM-style tables, and in words."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict

import numpy as np
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
    """Records in order of time; at one time a sample comes before a dose, as it is read."""
    doses = [
        (one.id, d.time, None, d.amount, 1, 1, d.route, d.duration, d.additional, d.interval, None)
        for d in one.doses
    ]
    seen = [
        (one.id, time, value, None, 0, 0, None, None, None, None, int(mark))
        for time, value, mark in zip(one.times, one.concentrations, one.censored, strict=True)
    ]
    return sorted(doses + seen, key=lambda row: (row[1], row[4]))


def _text(value: object) -> str:
    """The shortest text that reads back as the same value; '.' for none."""
    if value is None or value is pd.NA or value != value:
        return "."
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(float(value))
    return str(value)


# ------------------------------------------------------------------------------------ in words

MOST_SCHEDULES = 4
_WORDS = {"oral": "oral", "iv_bolus": "intravenous bolus", "iv_infusion": "intravenous infusion"}


def describe(study: Study) -> str:
    """Return what a study holds, in a few lines: individuals, samples, limits, doses, units."""
    units, people = study.units, len(study.people)
    persons = f", occasions of {people} person(s)" if people != len(study) else ""
    lines = [f"{study.compound}: {len(study)} individual(s){persons}"]
    lines.append(f"  samples   {_samples(study)}")
    amounts: dict[str, list[float]] = {}
    for one in study:
        amounts.setdefault(_schedule(one), []).extend(dose.amount for dose in one.doses)
    common = Counter(map(_schedule, study)).most_common()
    for words, count in common[:MOST_SCHEDULES]:
        who = "everybody" if count == len(study) else f"{count} individual(s)"
        lines.append(f"  doses     {who}: {words.format(_range(amounts[words]), units.dose)}")
    if rest := common[MOST_SCHEDULES:]:
        count = sum(count for _, count in rest)
        lines.append(f"  doses     {count} individual(s): {len(rest)} further schedules")
    lines.append(f"  units     time h, concentration {units.concentration}, dose {units.dose}")
    return "\n".join(lines)


def _samples(study: Study) -> str:
    counts = [len(one) for one in study]
    if not sum(counts):
        return "none"
    times, values, below = (
        np.concatenate([getattr(one, name) for one in study])
        for name in ("times", "concentrations", "censored")
    )
    text = f"{sum(counts)}, {_range(counts)} each, at {_range(times)} h"
    if below.any():
        text += f"; {int(below.sum())} below the limit of {_range(values[below])}"
    elif study.lloq is not None:
        text += f"; none below the limit of {study.lloq:g}"
    if zeros := int((values == 0).sum()):
        text += f"; {zeros} zero(s)"
    return text


def _schedule(one: Individual) -> str:
    """Words for the doses of an individual, with places for amounts and their unit."""
    singles = sum(dose.additional + 1 for dose in one.doses)
    words = " and ".join(dict.fromkeys(_WORDS[dose.route] for dose in one.doses))
    lasting = {dose.duration for dose in one.doses if dose.duration}
    length = f" over {_range(lasting)} h" if lasting else ""
    if singles == 1:
        start = one.doses[0].time
        return f"one {words} dose of {{}} {{}}{length}" + (f" at {start:g} h" if start else "")
    ends = [dose.time + dose.additional * dose.interval for dose in one.doses]
    gaps = {round(dose.time - end, 3) for dose, end in zip(one.doses[1:], ends, strict=False)}
    gaps |= {round(dose.interval, 3) for dose in one.doses if dose.additional}
    every = f" every {gaps.pop():g} h" if len(gaps) == 1 and gaps != {0} else ""
    return f"{singles} {words} doses of {{}} {{}}{length}{every}"


def _range(values: Iterable[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
