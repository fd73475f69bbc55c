"""Studies written: as NONMEM-style tables, with what was forecast, and in words."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from agmpk.errors import AgmpkError
from agmpk.files import atomic_path, write_csv
from agmpk.studies.nonmem.columns import KNOWN, REQUIRED
from agmpk.studies.nonmem.layout import UNITS_LINE
from agmpk.studies.study import Individual, Study, Units

if TYPE_CHECKING:
    from agmpk.studies.nonmem.read import Reading

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


# ------------------------------------------------------------------------------- results as rows

MEANINGS = {
    "ID": ("individual (a number)", ""),
    "NAME": ("the individual's ID in the study, where it is no number", ""),
    "TIME": ("time, counted as in the study", "h"),
    "EVID": ("1 dose, 0 observation or forecast", ""),
    "MDV": ("1 where DV holds no value", ""),
    "AMT": ("amount of the dose", "dose"),
    "RATE": ("rate of an infusion, 0 otherwise", "dose/h"),
    "ADDL": ("number of further doses", ""),
    "II": ("time between these doses", "h"),
    "CMT": ("1 dose by mouth, 2 into a vein; observations are in 2", ""),
    "DV": ("observed concentration (of a cohort: generated)", "concentration"),
    "CENS": ("1 where DV is the limit that the value is below", ""),
    "SHOWN": ("1 observation that the model was shown, 0 otherwise", ""),
    "PRED": ("forecast: exp of the mean of the logarithms of the samples", "concentration"),
    **{
        f"Q{level:02d}": (f"forecast: {level} % quantile of the samples", "concentration")
        for level in (5, 25, 50, 75, 95)
    },
}


def nonmem_rows(people: Iterable[Individual], shown: int) -> pd.DataFrame:
    """Doses and samples of individuals, one row each; ``shown`` is 1 where a model saw these."""
    frame = to_frame(people)
    given = frame["EVID"] == 1
    rate = (frame["AMT"] / frame["DUR"]).where(frame["DUR"] > 0, 0.0)
    cmt = given & (frame["ROUTE"] == "oral")
    return frame.assign(RATE=rate.where(given), CMT=2 - cmt * 1, SHOWN=~given * shown)


def write_nonmem(frames: Iterable[pd.DataFrame], units: Units, out: Path) -> None:
    """Write rows as a NONMEM-style table, and the dictionary of its columns beside it.

    In order of time within an individual; at one time a sample comes before a dose. IDs that are
    not numbers are numbered from 1, and stand in NAME.

    Raises:
        AgmpkError: a file cannot be written.
    """
    table = pd.concat(list(frames), ignore_index=True)
    order = {name: place for place, name in enumerate(dict.fromkeys(table["ID"]))}
    table["NAME"], table["place"] = table["ID"], table["ID"].map(order)
    if table["ID"].str.fullmatch(r"[1-9]\d{0,8}").all():
        table = table.drop(columns="NAME")
    else:
        table["ID"] = table["place"] + 1
    table = table.sort_values(["place", "TIME", "EVID"], kind="stable")
    whole = [name for name in ("EVID", "MDV", "ADDL", "CMT", "CENS", "SHOWN") if name in table]
    table[whole] = table[whole].astype("Int64")
    columns = [name for name in MEANINGS if name in table]
    write_csv(table[columns], out, missing=".")
    place = {"dose": units.dose, "dose/h": f"{units.dose}/h", "concentration": units.concentration}
    rows = [(name, MEANINGS[name][0], place.get(MEANINGS[name][1], MEANINGS[name][1]))
            for name in columns]  # fmt: skip
    beside = pd.DataFrame(rows, columns=["column", "meaning", "unit"])
    write_csv(beside, out.with_name(f"{out.stem}.columns.csv"))


# ------------------------------------------------------------------------------------ in words

MOST_SCHEDULES, MOST_NAMES = 4, 12
_WORDS = {"oral": "oral", "iv_bolus": "intravenous bolus", "iv_infusion": "intravenous infusion"}


def describe_reading(reading: Reading) -> str:
    """Return the summary of a table and its studies: see :meth:`Reading.describe`."""
    lines = [reading.path]
    absent = [kind for kind in ("concentration", "dose", "time") if kind not in reading.given]
    for key, study in reading.studies.items():
        named = "" if key == study.compound else f"{key}: "
        lines += (named + describe(study)).splitlines()
        lines[-1] += f" (assumed: {', '.join(absent)}; --units)" if absent else ""
    used = {name: reading.used[name] for name in (*REQUIRED, *KNOWN) if name in reading.used}
    named = [name if name == own.upper() else f"{name} from {own}" for name, own in used.items()]
    lines.append(f"  columns   {', '.join(named)}")
    lines.append(f"  not used  {_some(reading.unused) or 'none'}")
    lines += [f"  note      {note}" for note in reading.notes]
    skipped = list(reading.skipped.items())
    lines += [f"  skipped   {id}: {reason}" for id, reason in skipped[:MOST_NAMES]]
    if len(skipped) > MOST_NAMES:
        lines.append(f"  skipped   also {_some([id for id, _ in skipped[MOST_NAMES:]])}")
    return "\n".join(lines)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


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
