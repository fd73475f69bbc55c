"""Reading NONMEM-style tables. The rules of the format stand in the package's docstring.

A table passes through five steps: rows of text (:mod:`layout`), known columns (:mod:`columns`),
numbers and names per record (:mod:`records`), rules (:mod:`rules`), individuals. Nothing is dropped
without a note in the summary.
Shapes: N records.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agmpk.errors import AgmpkError, TableError
from agmpk.studies.nonmem.columns import Cells, Options
from agmpk.studies.nonmem.layout import Fault, refuse
from agmpk.studies.nonmem.records import Records, TableReader
from agmpk.studies.nonmem.rules import (
    ROW_RULES,
    after_first,
    broken,
    combined,
    group_rules,
    previous,
)
from agmpk.studies.study import (
    MAX_CONCENTRATION,
    MAX_DOSES,
    MAX_HOURS,
    Dose,
    Individual,
    Study,
    is_missing,
)

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
        records, faults = judge(reader)
        if not faults:
            break
        ids = before[0]["ID"]
        at = {row: ids.texts[code] for row, code in zip(before[1], ids.codes, strict=True)}
        if not reader.options.skip_unusable or any(fault.row not in at for fault in faults):
            refuse(reader.path, faults)
        for fault in sorted(faults):
            skipped.setdefault(at[fault.row], f"row {fault.row}: {fault.problem}")
        reader.cells, reader.rows, reader.blocks, reader.notes, reader.names = before
        left = ~ids.which(skipped.__contains__)
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


# --------------------------------------------------------------------- whose records they are


def _find_analytes(reader: TableReader, records: Records) -> None:
    """Tell analytes apart by the compartment of the observations where no column does."""
    f = records.f
    if "CMT" in reader.cells and reader.names.get("ANALYTE") != reader.names["CMT"]:
        _analytes_by_compartment(reader, records)
    # DVID 0 is what NONMEM users write on dose rows of all analytes.
    labels = Cells(f["label"], records.labels)
    zero = f["dose"] & labels.which("0".__eq__)
    f["unlabelled"] = (f["label"] < 0) | labels.which("".__eq__) | zero
    f["label"] = np.where(f["unlabelled"], -1, f["label"])


def _analytes_by_compartment(reader: TableReader, records: Records) -> None:
    f, cells = records.f, reader.cells["CMT"]
    texts = ["" if is_missing(text) else text for text in cells.texts]
    known = f["seen"] & ~cells.which(is_missing)
    if len(np.unique(cells.codes[known])) < 2:
        return
    labels = np.unique(f["label"][known])
    if "ANALYTE" in reader.cells and (len(labels) > 1 or records.labels[labels[0]]):
        pairs = np.unique(np.stack([f["label"][known], cells.codes[known]], 1), axis=0)
        split = [label for label in labels if (pairs[:, 0] == label).sum() > 1]
        if not split:
            return
        reader.refuse(
            reader.names["CMT"],
            f"observations of {reader.names['ANALYTE']} {records.labels[split[0]]} lie in "
            "several compartments",
            "choose what tells analytes apart, as --columns ANALYTE=CMT does, or leave CMT out "
            "with --columns CMT=",
        )
    f["label"] = np.where(f["seen"], cells.codes, -1)
    records.labels[:] = texts
    reader.names["ANALYTE"], reader.cells["ANALYTE"] = reader.names["CMT"], cells
    reader.notes.append("CMT of the observations tells the analytes apart")


def _part_occasions(reader: TableReader, records: Records) -> None:
    """Make an individual of each occasion, as --occasion split asks for."""
    f = records.f
    who = combined(f["study"], f["id"])
    if "OCC" in reader.cells:
        missing = (f["occasion"] < 0) & (f["dose"] | f["seen"])
        refuse(reader.path, [
            Fault(int(f["row"][n]), reader.names["OCC"], "the occasion is missing",
                  "give every row one")
            for n in np.flatnonzero(missing)[:100].tolist()
        ])  # fmt: skip
        number, names = f["occasion"], reader.occasions
    else:
        starts = np.isin(f["EVID"], [3, 4])
        counted = pd.Series(starts if starts.any() else _restarts(f, who)).astype(int).groupby(who)
        number = (counted.cumsum() - counted.transform("first")).to_numpy()
        names = [str(k + 1) for k in range(int(number.max(initial=0)) + 1)]
    pairs = combined(who, number)
    firsts = np.unique(pairs, return_index=True)[1]
    several = np.bincount(who[firsts]) > 1
    taken, ids, persons = set(records.ids), [], []
    for n in firsts.tolist():
        person = records.ids[f["id"][n]]
        name = f"{person}.{names[number[n]]}" if several[who[n]] else person
        ids.append(name.replace(".", "/", 1) if several[who[n]] and name in taken else name)
        persons.append(records.persons[f["id"][n]])
    f["id"] = pairs
    f["occasion"] = np.full(len(pairs), -1)
    records.ids, records.persons = ids, persons
    reader.notes.append(
        f"{int(several.sum())} person(s) have several occasions; each occasion is an individual"
    )


def _restarts(f: dict[str, NDArray], who: NDArray) -> NDArray[np.bool_]:
    """Records at which time starts again with a dose."""
    starts, kept = np.zeros(len(who), bool), np.flatnonzero(f["dose"] | f["seen"])
    times, dose, who = f["TIME"][kept], f["dose"][kept], who[kept]
    follows = previous(dose[::-1], who[::-1])[::-1] == 1  # the next record of the same ID is a dose
    starts[kept] = (times < previous(times, who)) & (dose | follows)
    return starts


def _sort(reader: TableReader, records: Records) -> Records:
    """Sort the rows of each ID by time, as --occasion as-is asks for."""
    f = records.f
    who = combined(f["study"], f["id"])
    run = np.cumsum(np.concatenate([[0], (who[1:] != who[:-1]).astype(int)]))
    order = np.lexsort((f["TIME"], run))
    if (order != np.arange(len(order))).any():
        reader.notes.append("rows were sorted by TIME")
    reader.cells = {name: cells.keep(order) for name, cells in reader.cells.items()}
    return records.keep(order)


def _pool(reader: TableReader, records: Records) -> None:
    """Make one study of all, as --study all asks for."""
    f = records.f
    pairs = np.unique(np.stack([f["id"], f["study"]], 1), axis=0)
    if len(pairs) > len(np.unique(pairs[:, 0])):
        codes = combined(f["study"], f["id"])
        firsts = np.unique(codes, return_index=True)[1].tolist()
        records.ids = [
            f"{records.studies[f['study'][n]]}/{records.ids[f['id'][n]]}" for n in firsts
        ]
        records.persons = list(records.ids)
        f["id"] = codes
    reader.notes.append(f"{len(np.unique(f['study']))} studies are pooled")
    f["study"] = np.zeros(len(f["study"]), np.int64)
    records.studies = [""]


def _combine(reader: TableReader, records: Records) -> Records:
    """Add up equal doses and average observations at one time (--repeats combine)."""
    f = records.f
    series, kind = combined(f["study"], f["label"], f["id"]), f["dose"]
    doses = combined(series, f["TIME"], f["AMT"], f["way"] == "oral", f["length"], f["ADDL"],
                     f["II"])  # fmt: skip
    count = np.bincount(doses[kind], minlength=int(doses.max(initial=0)) + 1)
    f["AMT"] = np.where(kind, f["AMT"] * count[doses], f["AMT"])
    samples = combined(series, f["TIME"])
    known = f["seen"] & (f["CENS"] != 1)
    size = int(samples.max(initial=0)) + 1
    total = np.bincount(samples[known], f["DV"][known], size)
    number = np.bincount(samples[known], minlength=size)
    mean = f["seen"] & (number[samples] > 0)
    with np.errstate(invalid="ignore"):
        f["DV"] = np.where(mean & (number[samples] > 1), total[samples] / number[samples],
                           f["DV"])  # fmt: skip
    order = np.lexsort((np.arange(len(kind)), f["CENS"] == 1))  # a measured one comes first
    later = np.zeros(len(kind), bool)
    later[order] = after_first(samples[order], f["seen"][order])
    later |= after_first(doses, kind)
    if later.any():
        reader.notes.append(
            f"{int((later & kind).sum())} equal dose(s) at one time were added up and "
            f"{int((later & ~kind).sum())} observation(s) at one time averaged"
        )
    reader.cells = {name: cells.keep(~later) for name, cells in reader.cells.items()}
    return records.keep(~later)


def judge(reader: TableReader) -> tuple[Records, list[Fault]]:
    """Return the doses and observations of the table, and all faults."""
    records, faults = reader.records()
    if faults:
        wrong = np.isin(reader.rows, [fault.row for fault in faults])
        records = records.keep(~wrong)
        reader.cells = {name: cells.keep(~wrong) for name, cells in reader.cells.items()}
    if len(records.f["row"]):
        reader.add_meaning(records)
        faults += broken(records.f, ROW_RULES, reader.cells, reader.names)
    # Order and repetition can only be judged once every row can be read.
    if faults:
        return records, faults
    if reader.options.occasion == "split":
        _part_occasions(reader, records)
    used = records.f["dose"] | records.f["seen"]
    if not used.any():
        reader.refuse("", "no row is a dose or an observation", "add the records")
    _find_analytes(reader, records)
    reader.cells = {name: cells.keep(used) for name, cells in reader.cells.items()}
    records = records.keep(used)
    f = records.f
    if reader.options.study == "all" and "STUDY" in reader.cells:
        _pool(reader, records)
    if reader.options.occasion == "as-is":
        records = _sort(reader, records)
    if reader.options.repeats:
        records = _combine(reader, records)
    f = records.f
    f["value"] = np.where(f["dose"], f["AMT"], f["DV"])
    f["who"] = combined(f["study"], f["id"])
    f["part"] = combined(f["study"], f["label"])
    f["series"] = combined(f["part"], f["id"])
    f["again_dosed"] = f["dose"] | _restarts(f, f["who"])
    analyte = "ANALYTE" if "ANALYTE" in reader.cells else ""
    faults = broken(f, group_rules(analyte, reader.clock), reader.cells, reader.names)
    return records, faults


# ------------------------------------------------------------------------------------ individuals


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
        firsts = given[self._first(given)]
        start = np.full(len(self.records.ids), -math.inf)
        start[f["id"][firsts]] = times[firsts]
        measured = (values[seen] > 0) & ~censored[seen]
        early = int((measured & (times[seen] < start[f["id"][seen]])).sum())
        if early:
            self.notes.append(
                f"{early} sample(s) above 0 before the first dose are not forecast from; give an "
                "earlier dose if there was one"
            )
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
