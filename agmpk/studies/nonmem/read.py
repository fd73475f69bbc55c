"""Reading NONMEM-style tables. The rules of the format stand in the package's docstring."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from agmpk.errors import AgmpkError
from agmpk.studies.names import checked_name
from agmpk.studies.nonmem.cells import cell_rules, numbers
from agmpk.studies.nonmem.columns import ANALYTE, to_number
from agmpk.studies.nonmem.faults import Fault, refuse
from agmpk.studies.nonmem.groups import group_rules
from agmpk.studies.nonmem.layout import Table, read_table
from agmpk.studies.nonmem.records import Settings, build_study, parts
from agmpk.studies.nonmem.rows import ROW_RULES, add_meaning
from agmpk.studies.nonmem.schema import broken
from agmpk.studies.study import Study
from agmpk.studies.units import check_unit, conversion_factor


def read_study(
    path: str | os.PathLike[str], compound: str | None = None, analyte: str | None = None
) -> Study:
    """Read a table that holds one study of one analyte, or one analyte of it.

    Args:
        path: the file.
        compound: name for the study; by default that of the units line, the analyte's label (not
            a bare number), or the file's name.
        analyte: label of the analyte to read where the table holds several.

    Raises:
        TableError: the file cannot be used; one sentence per fault.
        AgmpkError: no such analyte, or a choice is needed.
    """
    records, settings = _read(path)
    found = parts(records)
    if len({study for study, _ in found}) > 1:
        names = ", ".join(sorted({study for study, _ in found}))
        raise AgmpkError(f"{path} holds several studies ({names}); read it with read_studies.")
    labels = [label for _, label in found]
    if analyte is not None and str(analyte) not in labels:
        known = ", ".join(labels) if labels != [""] else "no column that names analytes"
        raise AgmpkError(f"{path} has no analyte {analyte}; it has {known}.")
    if analyte is None and len(labels) > 1:
        raise AgmpkError(f"{path} holds several analytes ({', '.join(labels)}); name one of them.")
    label = labels[0] if analyte is None else str(analyte)
    name = compound or _compound(path, settings, label, alone=len(labels) == 1)
    return _build(path, records, found[labels.index(label)], name, settings)


def read_studies(path: str | os.PathLike[str]) -> dict[str, Study]:
    """Read all studies of a table: one per analyte and STUDY value, in the order of the file.

    The keys are the analyte, the STUDY value where that is what differs, or "study / analyte"
    where both do; a table of one study is keyed by its compound.

    Raises:
        TableError: the file cannot be used; one sentence per fault.
    """
    records, settings = _read(path)
    found = parts(records)
    several = len({study for study, _ in found}) > 1, len({label for _, label in found}) > 1
    studies = {}
    for study, label in found:
        name = _compound(path, settings, label, alone=not several[1])
        key = {(False, False): name, (False, True): name, (True, False): study}.get(
            several, f"{study} / {name}"
        )
        studies[key] = _build(path, records, (study, label), name, settings)
    return studies


def _read(path: str | os.PathLike[str]) -> tuple[pd.DataFrame, Settings]:
    """Return the sound records of a file (doses and observations) and its settings."""
    table = read_table(path)
    settings = _settings(table)
    cells = table.cells
    analyte = next((name for name in ANALYTE if name in cells), None)
    wrong_cells = broken(cells, cell_rules(list(cells), analyte), cells)
    sound = ~cells.index.isin([fault.row for fault in wrong_cells])
    values = numbers(cells[sound], analyte)
    if settings.lloq is not None:
        unlimited = (values["CENS"] == 1) & ~(values["DV"] > 0) & values["LLOQ"].isna()
        values.loc[unlimited, "LLOQ"] = settings.lloq
    records = add_meaning(values)
    wrong_rows = broken(records, ROW_RULES, cells)
    # Order and repetition can only be judged once every row can be read.
    refuse(table.path, wrong_cells + wrong_rows)
    used = records[records["KIND"] != "skip"].copy()
    # DVID 0 is what NONMEM users write on dose rows of all analytes.
    used.loc[(used["KIND"] == "dose") & (used["ANALYTE"] == "0"), "ANALYTE"] = ""
    if used.empty:
        problem = "no row is a dose or an observation"
        refuse(table.path, [Fault(table.header_row, "", problem, "add the records")])
    # The rules report under the file's own column name.
    named = used.assign(**{analyte: used["ANALYTE"]}) if analyte else used
    refuse(table.path, broken(named, group_rules(analyte), cells))
    return used, settings


def _build(path: str | os.PathLike[str], *arguments) -> Study:
    try:
        return build_study(*arguments)
    except AgmpkError as error:  # what no single row shows, such as an overflow in hours
        raise AgmpkError(f"{path}: {error}") from error


def _settings(table: Table) -> Settings:
    given = dict(table.settings)
    try:
        for kind in ("time", "concentration", "dose"):
            if kind in given:
                check_unit(kind, given[kind])
        hours = conversion_factor(given.get("time", "h"), "h")
        if "compound" in given:
            checked_name("compound", given["compound"])
        lloq = to_number(given["lloq"]) if "lloq" in given else None
        if lloq is not None and not 0 < lloq < float("inf"):
            raise AgmpkError(f"the LLOQ {given['lloq']!r} is no positive number; correct it.")
    except AgmpkError as error:
        problem, _, remedy = str(error).rstrip(".").partition("; ")
        remedy = remedy or "correct the units line"
        refuse(table.path, [Fault(table.settings_row, "", problem, remedy)])
    return Settings(
        hours=hours,
        concentration=given.get("concentration", "ng/mL"),
        dose=given.get("dose", "mg"),
        compound=given.get("compound"),
        lloq=lloq,
    )


def _compound(path: str | os.PathLike[str], settings: Settings, label: str, *, alone: bool) -> str:
    if alone:
        named = label if label and not label.isdigit() else None
        return settings.compound or named or Path(path).stem
    return label
