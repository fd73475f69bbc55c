"""Reading NONMEM-style tables. The rules of the format stand in ``FORMAT.md``.

A table passes through five steps: rows of text (:mod:`layout`), known columns (:mod:`columns`),
numbers and names per record (:mod:`records`), rules (:mod:`rules`), individuals. Nothing is dropped
without a note in the summary.
Shapes: N records.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agmpk.errors import AgmpkError, TableError
from agmpk.studies.nonmem.columns import KNOWN, ROUTE_NAMES
from agmpk.studies.nonmem.layout import parse_settings, printable, refuse
from agmpk.studies.nonmem.records import TableReader, after_first, combined
from agmpk.studies.nonmem.rules import judge
from agmpk.studies.study import MAX_DOSES, Dose, Individual, Study

STEADY_STATE_HOURS = 480.0
"""A steady state (SS) is written out as the doses of so many hours before, 10 to 50 of them."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a table is to be read, where its columns do not say so themselves.

    Attributes:
        columns: known name -> name in the header; '' leaves the column out.
        analyte: label of the analyte to read.
        study: STUDY value to read; 'all' pools all of them into one study.
        occasion: 'split' makes an individual (of the same person) of each occasion; 'as-is' takes
            times as they stand, sorted; None refuses what would need the one or the other.
        exclude: IDs that are left out.
        route: route of all doses: oral, iv, iv_bolus or iv_infusion.
        units: entries of a units line (time, concentration, dose, compound, lloq) that win over
            the file's own.
        log_dv: DV holds natural logarithms of concentrations.
        lloq: lower limit of quantification; without a flag column, lower values are below it.
        dose_at: the amount stands on every row and is one dose, given at this TIME.
        repeats: 'combine' adds up equal doses at one time and averages observations at one time;
            None refuses them.
        skip_unusable: leave out (and list) individuals with faults instead of refusing the table.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    analyte: str | None = None
    study: str | None = None
    occasion: str | None = None
    exclude: Sequence[str] = ()
    route: str | None = None
    units: Mapping[str, str] | str = field(default_factory=dict)
    log_dv: bool = False
    lloq: float | None = None
    dose_at: float | None = None
    repeats: str | None = None
    skip_unusable: bool = False

    def __post_init__(self) -> None:
        columns = {str(key).upper(): str(value) for key, value in dict(self.columns).items()}
        for name in columns:
            if name not in KNOWN:
                raise AgmpkError(
                    f"columns names {printable(name)}, which is no column of a table; use one of "
                    f"{', '.join(KNOWN)}."
                )
        if isinstance(self.units, str):
            words = re.findall(r"[^\s,]+", self.units)
        else:
            words = [f"{key}={value}" for key, value in self.units.items()]
        try:
            units = parse_settings(words)
        except ValueError as error:
            raise AgmpkError(f"units {error}; write time=h,concentration=ng/mL,dose=mg.") from None
        for name, allowed in (
            ("occasion", ("split", "as-is")),
            ("repeats", ("combine",)),
            ("route", sorted({*ROUTE_NAMES.values()})),
        ):
            value = getattr(self, name)
            if value is not None and value not in allowed:
                raise AgmpkError(f"{name} is {value!r}; use one of {', '.join(allowed)}.")
        if self.lloq is not None and not 0 < self.lloq < math.inf:
            raise AgmpkError(f"lloq is {self.lloq}; give a positive number.")
        if self.dose_at is not None and not 0 <= self.dose_at < math.inf:
            raise AgmpkError(f"dose_at is {self.dose_at}; give 0 or a positive number.")
        exclude = [self.exclude] if isinstance(self.exclude, str) else self.exclude
        # A frozen class can only set its own fields in this way.
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "units", units)
        object.__setattr__(self, "exclude", tuple(str(one) for one in exclude))


@dataclass(frozen=True)
class Reading:
    """A table that was read, and how.

    Attributes:
        path: the file.
        studies: one per analyte and STUDY value, in the order of the file; keys as in
            :func:`read_studies`.
        named: whether the compound's name comes from the content (or the caller), not from the
            file's name.
        used: known column -> its name in the file.
        unused: names of the columns that were not used.
        notes: what was assumed, converted or left out, one sentence each.
        skipped: individual -> why it was left out.
        given: units that the table or the caller named.
        parts: (STUDY value, analyte) of each study.
    """

    path: str
    studies: dict[str, Study]
    named: bool
    used: dict[str, str]
    unused: tuple[str, ...]
    notes: tuple[str, ...]
    skipped: dict[str, str]
    given: tuple[str, ...]
    parts: tuple[tuple[str, str], ...]

    def only(self) -> Study:
        """Return the one study of the table.

        Raises:
            AgmpkError: there are several; the message names the choices.
        """
        names = list(dict.fromkeys(study for study, _ in self.parts))
        if len(names) > 1:
            raise AgmpkError(
                f"{self.path} holds several studies ({', '.join(names)}); choose one as --study "
                f"{names[0]} does, pool them with --study all, or split the file "
                "(in Python: study=..., or read_studies)."
            )
        if len(self.studies) > 1:
            labels = [label for _, label in self.parts]
            raise AgmpkError(
                f"{self.path} holds several analytes ({', '.join(labels)}), told apart by "
                f"{self.used.get('ANALYTE', 'CMT')}; name one of them, as --analyte {labels[0]}."
            )
        return next(iter(self.studies.values()))

    def describe(self) -> str:
        """Return the summary of the table and its studies, some lines of text."""
        from agmpk.studies.nonmem.write import describe_reading  # late: a reader needs it not

        return describe_reading(self)


def read_study(
    path: str | os.PathLike[str],
    compound: str | None = None,
    analyte: str | None = None,
    **options: Any,
) -> Study:
    """Read a table that holds one study of one analyte, or one analyte of it.

    Args:
        path: the file.
        compound: name for the study; by default that of the units line, the analyte's label (not
            a bare number), or the file's name.
        analyte: label of the analyte to read where the table holds several.
        options: further ones of :class:`Options`, such as ``columns={"DV": "conc"}``.

    Raises:
        TableError: the file cannot be used; one sentence per fault.
        AgmpkError: no such analyte, or a choice is needed.
    """
    return read_table(path, compound, analyte=analyte, **options).only()


def read_studies(path: str | os.PathLike[str], **options: Any) -> dict[str, Study]:
    """Read all studies of a table: one per analyte and STUDY value, in the order of the file.

    The keys are the analyte, the STUDY value where that is what differs, or "study / analyte"
    where both do; a table of one study is keyed by its compound.

    Raises:
        TableError: the file cannot be used; one sentence per fault.
    """
    return read_table(path, **options).studies


def load_catalogue(path: str | os.PathLike[str]) -> dict[str, Study]:
    """Read all studies that a catalogue lists, in its order.

    The catalogue is a CSV with at least the columns ``compound``, ``file`` (relative to it) and
    ``n_individuals``. The keys are its ``cohort`` column where there is one (several cohorts may
    have the same compound), else ``compound``.

    Raises:
        AgmpkError: the catalogue lacks a column or repeats a key, a study file is missing or
            faulty, or a study is not what the catalogue says it is.
    """
    import pandas as pd

    try:
        listed = pd.read_csv(path, dtype={"compound": str, "file": str, "cohort": str})
        columns = [listed[name] for name in ("compound", "file", "n_individuals")]
    except (OSError, ValueError) as error:
        raise AgmpkError(f"{path} cannot be read as a catalogue ({error}).") from error
    except KeyError as error:
        raise AgmpkError(f"{path} has no column {error}, which a catalogue needs.") from None
    keys = listed.get("cohort", listed["compound"])
    studies: dict[str, Study] = {}
    for key, compound, file, count in zip(keys, *columns, strict=True):
        if key in studies:
            raise AgmpkError(f"{path} lists {key!r} twice; remove one of the rows.")
        study = studies[key] = read_study(Path(path).parent / file)
        if study.compound != compound or len(study) != count:
            raise AgmpkError(
                f"{path} says that {file} holds {count} individuals of {compound}, but it holds "
                f"{len(study)} of {study.compound}; rebuild the data with data/build_studies.py."
            )
    return studies


def read_table(
    path: str | os.PathLike[str], compound: str | None = None, **options: Any
) -> Reading:
    """Read a table and tell how it was read.

    Args:
        path: the file.
        compound: as for :func:`read_study`.
        options: those of :class:`Options`.

    Raises:
        TableError: the file cannot be used; one sentence per fault.
        AgmpkError: an option asks for what is not there.
    """
    reader = TableReader(path, Options(**options))
    try:
        return _read(reader, compound)
    except TableError:
        raise
    except AgmpkError as error:  # what no single row shows, such as too many doses of somebody
        text = str(error)
        raise AgmpkError(text if reader.path in text else f"{reader.path}: {text}") from error


def _read(reader: TableReader, compound: str | None) -> Reading:
    reader.columns()
    reader.choose_rows()
    skipped = _judged(reader)
    builder = Builder(reader, skipped)
    parts = builder.parts()
    several = len({study for study, _ in parts}) > 1, len({label for _, label in parts}) > 1
    analyte = reader.options.analyte
    if analyte is not None:
        labels = [label for _, label in parts]
        if str(analyte) not in labels:
            none = labels == [""]
            known = "no column that names analytes" if none else ", ".join(dict.fromkeys(labels))
            raise AgmpkError(f"{reader.path} has no analyte {analyte}; it has {known}.")
        parts = [part for part in parts if part[1] == str(analyte)]
    studies, named = {}, True
    for study, label in parts:
        own = label if not label.isdigit() else None
        name = compound or (label if several[1] else reader.compound or own)
        named = named and bool(name)
        name = name or Path(reader.path).stem
        key = (f"{study} / {name}" if several[1] else study) if several[0] else name
        studies[key] = builder.build(study, label, name)
    return Reading(
        path=reader.path,
        studies=studies,
        named=named,
        used={name: reader.written.get(name, actual) for name, actual in reader.names.items()},
        unused=reader.unused,
        notes=tuple(dict.fromkeys(reader.notes)),
        skipped=skipped,
        given=reader.given,
        parts=tuple(parts),
    )


def _judged(reader: TableReader) -> dict[str, str]:
    """Bring the records into sound form; returned is who was left out for that, and why.

    Raises:
        TableError: the faults, where nobody is to be left out, or nobody would be left.
    """
    skipped: dict[str, str] = {}
    while True:
        before = reader.cells, reader.f, list(reader.notes), dict(reader.names)
        faults = judge(reader)
        if not faults:
            return skipped
        ids = before[0]["ID"]
        at = {row: ids.texts[code] for row, code in zip(before[1]["row"], ids.codes, strict=True)}
        if not reader.options.skip_unusable or any(fault.row not in at for fault in faults):
            refuse(reader.path, faults)
        for fault in sorted(faults):
            skipped.setdefault(at[fault.row], f"row {fault.row}: {fault.problem}")
        reader.cells, reader.f, reader.notes, reader.names = before
        left = ~ids.which(skipped.__contains__)
        if not left.any():
            refuse(reader.path, faults)
        reader.keep(left)


# ------------------------------------------------------------------------------------ individuals


class Builder:
    """From sound records to studies."""

    def __init__(self, reader: TableReader, skipped: dict[str, str]) -> None:
        self.reader, self.skipped = reader, skipped
        names = ("AMT", "way", "length", "ADDL", "II", "SS")
        self.doses = list(zip(*(reader.f[name].tolist() for name in names), strict=True))
        self.times = reader.f["TIME"] * reader.hours
        self.written_out: list[int] = []  # the doses before each steady state

    def parts(self) -> list[tuple[str, str]]:
        """Return the (study, analyte) pairs of the table in the order of their first
        observation."""
        f = self.reader.f
        source = next((mask for mask in (f["seen"], ~f["unlabelled"]) if mask.any()), f["dose"])
        first = source & ~after_first(f["part"], source)
        return list(zip(f["study"][first], f["label"][first], strict=True))

    def build(self, study: str, label: str, compound: str) -> Study:
        """Return the study of one (study, analyte) pair.

        An individual without any observation in the whole study is part of it (a target with an
        empty prefix); one in whom only other analytes were observed is not.
        """
        reader, f, times = self.reader, self.reader.f, self.times
        mine = np.flatnonzero(f["study"] == study)
        mine = mine[np.argsort(f["who"][mine], kind="stable")]  # by individual, in order of rows
        people = np.split(mine, np.flatnonzero(np.diff(f["who"][mine])) + 1)
        own, labelled = f["label"] == label, f["unlabelled"] | (f["label"] == label)
        censored = f["CENS"] == 1
        values = np.where(censored & (f["LLOQ"] > 0), f["LLOQ"], f["DV"])
        individuals = []
        for rows in sorted(people, key=lambda rows: rows[0]):
            id, person, observed = f["id"][rows[0]], f["person"][rows[0]], rows[f["seen"][rows]]
            seen, doses = observed[own[observed]], rows[f["dose"][rows]]
            if len(observed) and not len(seen):
                continue
            if labelled[doses].any():
                doses = doses[labelled[doses]]
            try:
                given = self.given(doses)
                samples = times[seen], values[seen], given, censored[seen]
                individuals.append(Individual(id, *samples, person))
            except AgmpkError as error:
                if not reader.options.skip_unusable:
                    raise
                self.skipped[id] = str(error)
        if self.written_out:
            least, most = min(self.written_out), max(self.written_out)
            number = f"{most}" if least == most else f"{least} to {most}"
            reader.notes.append(f"a steady state (SS) is written out as {number} doses before it")
        own = mine[(f["seen"] & own)[mine]]
        self._remark(own, mine[f["dose"][mine]], (values > 0) & ~censored)
        # Limits that differ between rows stay with the censored observations.
        limits = f["LLOQ"][own]
        limits = np.unique(limits[~np.isnan(limits)]).tolist()
        lloq = reader.lloq or (limits[0] if len(limits) == 1 else None)
        return Study(compound, tuple(individuals), reader.units, lloq)

    def _remark(self, seen: NDArray, given: NDArray, measured: NDArray[np.bool_]) -> None:
        """Note the samples (``seen``) before the first and at the very time of a later dose."""
        who, times = self.reader.f["who"], self.times
        later = after_first(who[given], np.ones(len(given), bool))  # all doses but the first
        begun = np.full(int(who.max()) + 1, -math.inf)
        begun[who[given][~later]] = times[given][~later]
        self.reader.note(
            measured[seen] & (times[seen] < begun[who[seen]]),
            "{n} sample(s) above 0 before the first dose are not forecast from; give an earlier "
            "dose if there was one",
        )
        at_dose = combined(who, times)
        ties = np.isin(at_dose[seen], at_dose[given][later])
        self.reader.note(ties, "{n} sample(s) at the very time of a dose count as before it")

    def given(self, rows: NDArray) -> tuple[Dose, ...]:
        """The doses of some rows, steady states written out: SS 1 back to the dose before, SS 2,
        which adds to what was given before, in full."""
        hours = self.reader.hours
        doses, count, before = [], 0, -math.inf
        for n in rows.tolist():
            amount, way, length, more, interval, steady = self.doses[n]
            time = float(self.times[n])
            start, interval = time, float(interval) * hours if interval > 0 else 0.0
            additional = int(more) if more > 0 else 0
            if steady in (1, 2):
                back = min(50, max(10, math.ceil(STEADY_STATE_HOURS / interval)))
                if steady == 1 and before > -math.inf:  # the regimen went on since that dose
                    back = max(0, min(back, math.ceil((time - before) / interval - 1e-9) - 1))
                start, additional = time - back * interval, additional + back
                self.written_out.append(back)
            every = interval if additional else 0.0
            doses.append(Dose(start, amount, way, length * hours, additional, every))
            before = max(before, start + additional * every)
            count += additional + 1
        if count > MAX_DOSES:
            raise AgmpkError(
                f"an individual is given {count:,} doses, more than the {MAX_DOSES:,} that are "
                "taken; correct ADDL."
            )
        return tuple(doses)
