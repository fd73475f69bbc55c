"""Reading NONMEM-style tables. The rules of the format stand in the package's docstring.

A table passes through five steps: rows of text (:mod:`layout`), known columns, numbers and names
per record, rules (:mod:`rules`), individuals. Nothing is dropped without a note in the summary.
Shapes: N records.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from agmpk.errors import AgmpkError, TableError
from agmpk.studies.nonmem.layout import refuse
from agmpk.studies.nonmem.records import Options, Records, TableReader
from agmpk.studies.nonmem.rules import combined
from agmpk.studies.study import MAX_CONCENTRATION, MAX_DOSES, MAX_HOURS, Dose, Individual, Study

STEADY_STATE_HOURS = 480.0
"""A steady state (SS) is written out as the doses of so many hours before, 10 to 50 of them."""


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
    """

    path: str
    studies: dict[str, Study]
    named: bool = True
    used: dict[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: dict[str, str] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    _parts: tuple[tuple[str, str], ...] = ()

    def only(self) -> Study:
        """Return the one study of the table.

        Raises:
            AgmpkError: there are several; the message names the choices.
        """
        names = list(dict.fromkeys(study for study, _ in self._parts))
        if len(names) > 1:
            raise AgmpkError(
                f"{self.path} holds several studies ({', '.join(names)}); choose one as --study "
                f"{names[0]} does, pool them with --study all, or split the file "
                "(in Python: study=..., or read_studies)."
            )
        if len(self.studies) > 1:
            labels = [label for _, label in self._parts]
            raise AgmpkError(
                f"{self.path} holds several analytes ({', '.join(labels)}), told apart by "
                f"{self.used.get('ANALYTE', 'CMT')}; name one of them, as --analyte {labels[0]}."
            )
        return next(iter(self.studies.values()))

    def describe(self) -> str:
        """Return the summary of the table and its studies, some lines of text."""
        from agmpk.studies.describe import describe_reading

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
    skipped: dict[str, str] = {}
    while True:
        before = reader.cells, reader.rows, reader.blocks, list(reader.notes), dict(reader.names)
        records, faults = reader.judge()
        if not faults:
            break
        ids = before[0]["ID"]
        at = {row: ids.texts[code] for row, code in zip(before[1], ids.codes, strict=True)}
        if not reader.options.skip_unusable or any(fault.row not in at for fault in faults):
            refuse(reader.path, faults)
        for fault in sorted(faults):
            skipped.setdefault(at[fault.row], f"row {fault.row}: {fault.problem}")
        reader.cells, reader.rows, reader.blocks, reader.notes, reader.names = before
        left = ~np.array([text in skipped for text in ids.texts], bool)[ids.codes]
        if not left.any():
            refuse(reader.path, faults)
        reader.keep(left)
    builder = _Builder(reader, records, skipped)
    parts = builder.parts()
    several = len({study for study, _ in parts}) > 1, len({label for _, label in parts}) > 1
    analyte = reader.options.analyte
    if analyte is not None:
        labels = [label for _, label in parts]
        if str(analyte) not in labels:
            known = ", ".join(dict.fromkeys(labels)) if labels != [""] else (
                "no column that names analytes"
            )  # fmt: skip
            raise AgmpkError(f"{reader.path} has no analyte {analyte}; it has {known}.")
        parts = [part for part in parts if part[1] == str(analyte)]
    studies, named = {}, True
    for study, label in parts:
        own = label if several[1] else None if not label or label.isdigit() else label
        name = compound or (label if several[1] else reader.compound or own)
        named = named and bool(name)
        name = name or Path(reader.path).stem
        key = {(False, False): name, (False, True): name, (True, False): study}.get(
            several, f"{study} / {name}"
        )
        studies[key] = builder.build(study, label, name)
    used = {name: reader.written.get(name, actual) for name, actual in reader.names.items()}
    return Reading(
        path=reader.path,
        studies=studies,
        named=named,
        used=used,
        unused=reader.unused,
        notes=tuple(dict.fromkeys([*reader.notes, *builder.notes])),
        skipped=skipped,
        given=reader.given,
        _parts=tuple(parts),
    )


class _Builder:
    """From sound records to studies."""

    def __init__(self, reader: TableReader, records: Records, skipped: dict[str, str]) -> None:
        self.reader, self.records, self.skipped = reader, records, skipped
        self.notes: list[str] = []
        f = records.f
        names = ("AMT", "way", "length", "ADDL", "II", "SS")
        self._columns = tuple(f[name].tolist() for name in names)

    def parts(self) -> list[tuple[str, str]]:
        """Return the (study, analyte) pairs of the table in the order of their first
        observation."""
        f = self.records.f
        source = next(
            (mask for mask in (f["seen"], ~f["unlabelled"]) if mask.any()), np.ones_like(f["seen"])
        )
        labels = [*self.records.labels, ""]  # the last one for the code -1
        pairs = np.unique(f["part"][source], return_index=True)[1]
        places = np.flatnonzero(source)[np.sort(pairs)].tolist()
        return [(self.records.studies[f["study"][n]], labels[f["label"][n]]) for n in places]

    def build(self, study: str, label: str, compound: str) -> Study:
        """Return the study of one (study, analyte) pair.

        An individual without any observation in the whole study is part of it (a target with an
        empty prefix); one in whom only other analytes were observed is not.
        """
        f, hours = self.records.f, self.reader.hours
        code = self.records.labels.index(label) if label else -1
        mine = np.flatnonzero(f["study"] == self.records.studies.index(study))
        order = mine[np.argsort(f["id"][mine], kind="stable")]  # by individual, in order of rows
        own = f["seen"] & (f["label"] == code)
        seen, given = order[own[order]], order[f["dose"][order]]
        labelled = f["unlabelled"] | (f["label"] == code)
        times = f["TIME"] * hours
        censored = f["CENS"] == 1
        values = np.where(censored & (f["LLOQ"] > 0), f["LLOQ"], f["DV"])
        samples = times[seen], values[seen], censored[seen]
        for array in samples:
            array.flags.writeable = False
        sound = self._sound(f["id"][seen], *samples)
        ids = np.unique(f["id"][mine], return_index=True)
        anybody = np.isin(ids[0], f["id"][mine][f["seen"][mine]])
        bounds = [
            [np.searchsorted(f["id"][rows], ids[0], side) for side in ("left", "right")]
            for rows in (seen, given)
        ]
        individuals = []
        for k in np.argsort(ids[1]).tolist():
            (lo, hi), (start, end) = ((int(low[k]), int(high[k])) for low, high in bounds)
            if lo == hi and anybody[k]:
                continue
            rows = given[start:end]
            if end - start > 1 or not labelled[rows].all():
                rows = rows[labelled[rows]] if labelled[rows].any() else rows
            who = int(ids[0][k])
            try:
                doses = self._doses(rows, float(samples[0][lo]) if hi > lo else math.inf, times)
                make = Individual.checked if sound else Individual
                arrays = [array[lo:hi] for array in samples]
                individuals.append(
                    make(self.records.ids[who], arrays[0], arrays[1], doses, arrays[2],
                         self.records.persons[who])
                )  # fmt: skip
            except AgmpkError as error:
                if not self.reader.options.skip_unusable:
                    raise
                self.skipped[self.records.ids[who]] = str(error)
        at_dose = combined(f["id"], times)
        ties = int(np.isin(at_dose[seen], at_dose[given][~self._first(given)]).sum())
        if ties:
            self.notes.append(f"{ties} sample(s) at the very time of a dose count as before it")
        limits = np.unique(f["LLOQ"][mine][own[mine] & ~np.isnan(f["LLOQ"][mine])])
        return Study(
            compound=compound,
            individuals=tuple(individuals),
            units=self.reader.units,
            # Limits that differ between rows stay with the censored observations.
            lloq=self.reader.lloq or (float(limits[0]) if len(limits) == 1 else None),
        )

    def _first(self, given: np.ndarray) -> np.ndarray:
        """Which of the doses, sorted by individual, is the first of its individual."""
        ids = self.records.f["id"][given]
        return np.concatenate([[True], ids[1:] != ids[:-1]])[: len(ids)]

    @staticmethod
    def _sound(ids: np.ndarray, times: np.ndarray, values: np.ndarray, below: np.ndarray) -> bool:
        """Whether all samples are what the constructor of an individual asks for."""
        steps = np.diff(times)[ids[1:] == ids[:-1]]
        return bool(
            np.all(np.isfinite(times)) and np.all(times >= 0) and np.all(times <= MAX_HOURS)
            and np.all(steps > 0) and np.all(np.isfinite(values)) and np.all(values >= 0)
            and np.all(values <= MAX_CONCENTRATION) and np.all(values[below] > 0)
        )  # fmt: skip

    def _doses(self, rows: np.ndarray, first: float, times: np.ndarray) -> tuple[Dose, ...]:
        """The doses of some rows, steady states written out; ``first`` is the time of the first
        observation [h]."""
        hours = self.reader.hours
        columns = self._columns
        doses, count, before = [], 0, -math.inf
        for n in rows.tolist():
            amount, way, length, more, interval, steady = (column[n] for column in columns)
            time, interval = float(times[n]), float(interval) * hours if interval > 0 else 0.0
            additional = int(more) if more > 0 else 0
            if steady in (1, 2):
                earlier = max(before, first if first < time else -math.inf)
                back = min(50, max(10, math.ceil(STEADY_STATE_HOURS / interval)))
                if earlier > -math.inf:  # the regimen went on since the last record
                    back = max(0, min(back, math.ceil((time - earlier) / interval - 1e-9) - 1))
                time, additional = time - back * interval, additional + back
                self.notes.append(
                    f"a steady state (SS) is written out as the doses of up to "
                    f"{STEADY_STATE_HOURS:g} h before (10 to 50 of them)"
                )
            doses.append(
                Dose(time, amount, way, length * hours, additional, interval if additional else 0.0)
            )
            before = max(before, float(times[n]))
            count += additional + 1
        if count > MAX_DOSES:
            raise AgmpkError(
                f"an individual is given {count:,} doses, more than the {MAX_DOSES:,} that are "
                "taken; correct ADDL."
            )
        return tuple(doses)
