"""From dirty extraction records to one tidy reference dataset.

The rules are the published ones (Ojeda et al. 2026, arXiv 2604.17670): oral only, units harmonized,
incomplete or impossible records dropped, Cmax and AUC divided by dose, dispersion as %CV with mean
and median interchangeable and a range taken as four standard deviations. What the published text
leaves open is decided here, and every change is listed with its reason. `COLUMNS` says what each
column means, in which unit; the schema is checked before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pandera.pandas as pa

from agmpk.errors import AgmpkError
from agmpk.files import write_csv
from agmpk.literature.document import read_jsonl
from agmpk.literature.text import normalize, parse_number
from agmpk.literature.units import convert, parse_unit
from agmpk.literature.values import (
    Notes,
    Quantity,
    dose_mg,
    is_missing,
    positive,
    read_quantity,
)

# Ojeda et al. 2026, arXiv 2604.17670: articles found, kept by triage (as records), labelled oral.
PUBLISHED = {"found": 200, "records": 114, "oral": 85}
SIGNIFICANT = 6  # digits kept in the dataset; the sources print at most six
NOT_ORAL = ("inhalation", "inhaler", "diskus", "transdermal", "cm^2")
ANIMAL_ONLY = ("altrenogest", "imidocarb", "ceftiofur")  # authorised in animals only
MAX_CLEARANCE = 1e6  # L/h, apparent oral clearance; prodrugs measured unchanged stay below 1e5
AUC_SLACK = 1.02  # rounding of printed values, before AUC > Cmax * t_last is called impossible


@dataclass(frozen=True)
class Harmonized:
    """`reference` (one row a surviving record), `dropped` (with reasons), `corrections` (every
    change)."""

    reference: pd.DataFrame
    dropped: pd.DataFrame
    corrections: pd.DataFrame

    def funnel(self) -> pd.DataFrame:
        """How many records are left after each step: `step, records`."""
        total = len(self.reference) + len(self.dropped)
        steps = [("extracted", total)]
        left = total
        for prefix, label in (
            ("route: ", "oral"),
            ("species", "given to humans"),
            ("no compound", "compound known"),
            (("no dose", "dose"), "dose in mg"),
            (("incomplete", "impossible"), "usable Cmax or AUC0-t"),
        ):
            left -= int(self.dropped["reason"].str.startswith(prefix).sum())
            steps.append((label, left))
        steps.append(("complete (Cmax, AUC0-t and Tmax)", int(self.reference["complete"].sum())))
        return pd.DataFrame(steps, columns=["step", "records"])


def harmonize_records(records: Iterable[Mapping[str, Any]]) -> Harmonized:
    """Harmonize published and newly extracted records alike.

    Raises AgmpkError when the outcome breaks the dataset's schema (for instance one article twice).
    """
    rows: list[dict[str, Any]] = []
    dropped: list[dict[str, Any]] = []
    changes: list[dict[str, Any]] = []
    for record in records:
        extracted = "pk_parameters" not in record and "id" in record
        published = nested(record) if extracted else record
        notes = Notes()
        row, reason = harmonize_record(published, notes)
        key = {
            "pmid": str(published.get("pmid") or published.get("id", "")),
            "compound": str(published.get("compound") or ""),
        }
        if row is None:
            dropped.append({**key, "reason": reason})
        else:
            rows.append(row)
        changes.extend({**key, **vars(note)} for note in notes.items)
    reference = _rounded(pd.DataFrame(rows, columns=NAMES))
    reference = reference.sort_values(
        ["compound", "pmid"], key=lambda s: s.str.lower(), ignore_index=True
    )
    if len(reference):
        reference = _validated(reference)
    return Harmonized(
        reference,
        pd.DataFrame(dropped, columns=["pmid", "compound", "reason"]),
        pd.DataFrame(
            changes, columns=["pmid", "compound", "field", "action", "before", "after", "reason"]
        ),
    )


def harmonize_file(*paths: str | Path) -> Harmonized:
    """Harmonize the records of one or more JSON-lines files together."""
    return harmonize_records(record for path in paths for record in read_jsonl(path))


def write_harmonized(result: Harmonized, folder: str | Path) -> list[Path]:
    """Write `reference.csv`, `dropped.csv`, `corrections.csv`, `dictionary.csv` into `folder`."""
    folder = Path(folder)
    if not folder.is_dir():
        raise AgmpkError(f"{folder}: no such folder; create it or give another --out")
    dictionary = pd.DataFrame(COLUMNS, columns=["column", "unit", "meaning"])
    frames = vars(result) | {"dictionary": dictionary}
    for name, frame in frames.items():
        write_csv(frame, folder / f"{name}.csv")
    return [folder / f"{name}.csv" for name in frames]


def _rounded(frame: pd.DataFrame) -> pd.DataFrame:
    numbers = [c for c in frame.columns if c.endswith(("_per_mg", "_percent", "_h", "_mg"))]
    rounded = frame[numbers].astype("float64").map(lambda v: float(f"{v:.{SIGNIFICANT}g}"))
    return frame.assign(**rounded).astype({"n": "Int64", "year": "Int64"})


def _validated(frame: pd.DataFrame) -> pd.DataFrame:
    try:
        reference_schema().validate(
            frame.assign(complete=frame["complete"].astype(bool)), lazy=True
        )
    except pa.errors.SchemaErrors as error:
        first = error.failure_cases.iloc[0]
        row = "" if pd.isna(first["index"]) else f" (pmid {frame.loc[int(first['index']), 'pmid']})"
        raise AgmpkError(
            f"harmonized dataset: column {first['column']}, value {first['failure_case']}{row} "
            f"breaks the rule {first['check']}; correct or remove that record"
        ) from error
    return frame


_NAMES = {"Cmax": "cmax", "Tmax": "tmax", "AUC0_t": "auc0_t", "AUC0_inf": "auc0_inf"}


# ------------------------------------------------------------------------------------ one record
def harmonize_record(record: Mapping[str, Any], notes: Notes) -> tuple[dict[str, Any] | None, str]:
    """`(row, "")` by the published rules and this project's decisions, or `(None, why dropped)`."""
    reason = _not_usable(record)
    if reason:
        return None, reason
    dose, reason = dose_mg(record, notes)
    if dose is None:
        return None, reason
    n_value = positive(record.get("number_of_patients"), "number_of_patients", notes)
    n = int(n_value) if n_value is not None else None
    t_last = _t_last(record, notes)
    entries = record.get("pk_parameters") or {}
    found = {name: read_quantity(name, entries.get(name) or {}, n, notes) for name in _NAMES}
    tmax = found["Tmax"]
    if tmax is not None and t_last is not None and tmax.value > t_last:
        late = f"Tmax {tmax.value:g} h after the last sample at {t_last:g} h"
        return None, f"impossible: {late}"
    _check_areas(found, t_last, dose, notes)
    if found["Cmax"] is None and found["AUC0_t"] is None:
        return None, "incomplete: neither Cmax nor AUC0-t with a usable value and unit"
    row: dict[str, Any] = {
        "pmid": str(record["pmid"]) if record.get("pmid") else str(record.get("id", "")),
        "pmcid": record.get("pmcid") or "",
        "year": record.get("year"),
        "compound": str(record.get("compound") or "").strip(),
        "formulation": "" if is_missing(record.get("formulation")) else record["formulation"],
        "dose_mg": dose,
        "n": n,
        "t_last_h": t_last,
    }
    for name, column in _NAMES.items():
        head, unit = ("tmax_h", 1.0) if name == "Tmax" else (f"{column}_per_mg", dose)
        quantity = found[name]
        row[head] = quantity.value / unit if quantity else None
        row[f"{column}_kind"] = quantity.kind if quantity else ""
        row[f"{column}_cv_percent"] = quantity.cv_percent if quantity else None
    row["complete"] = all(found[name] for name in ("Cmax", "AUC0_t", "Tmax"))
    return row, ""


def _not_usable(record: Mapping[str, Any]) -> str:
    route = str(record.get("administration_route") or "not reported").strip().lower()
    if route != "oral":
        return f"route: {route}"
    words = [str(record.get(k) or "") for k in ("compound", "formulation", "dose_unit")]
    text = " ".join(words).lower()
    if any(word in text for word in NOT_ORAL):
        return "route: labelled oral, but the record describes an inhaled or topical product"
    if any(word in text for word in ANIMAL_ONLY):
        return "species: the compound is authorised in animals only"
    if is_missing(record.get("compound")):
        return "no compound"
    return ""


def _t_last(record: Mapping[str, Any], notes: Notes) -> float | None:
    raw, raw_unit = record.get("last_sample_time"), record.get("last_sample_time_unit")
    if is_missing(raw):
        return None
    value = parse_number(normalize(str(raw)).text)
    unit = None if is_missing(raw_unit) else parse_unit(normalize(str(raw_unit)).text)
    if value is None or value <= 0 or unit is None or unit.kind != "time":
        return notes.erased(
            "last_sample_time", f"{raw} {raw_unit or ''}".strip(), "not a time with a unit"
        )
    return convert(value, unit.text, "h")


def _check_areas(
    found: dict[str, Quantity | None], t_last: float | None, dose: float, notes: Notes
) -> None:
    """No curve can hold more area than Cmax times its length; AUC0-inf cannot be below AUC0-t;
    dose / AUC (mg per ng·h/mL is 1000 L/h) cannot be a clearance beyond `MAX_CLEARANCE`."""
    for name in ("AUC0_t", "AUC0_inf"):
        area = found[name]
        if area and 1000.0 * dose / area.value > MAX_CLEARANCE:
            found[name] = notes.erased(
                name,
                f"{area.value:g} ng·h/mL",
                f"impossible: dose / AUC is a clearance above {MAX_CLEARANCE:g} L/h, "
                "so the unit must be wrong",
            )
    cmax, auc, total = found["Cmax"], found["AUC0_t"], found["AUC0_inf"]
    if cmax and auc and t_last and auc.value > AUC_SLACK * cmax.value * t_last:
        found["AUC0_t"] = notes.erased(
            "AUC0_t", f"{auc.value:g} ng·h/mL", "impossible: larger than Cmax times t_last"
        )
    if auc and total and total.value < auc.value / AUC_SLACK:
        notes.flagged("AUC0_inf", f"{total.value:g} ng·h/mL", "smaller than AUC0-t")


_PUBLISHED = {"administration_route": "route", "number_of_patients": "n_subjects"} | {
    "last_sample_time": "t_last",
    "last_sample_time_unit": "t_last_unit",
}
_SAME = ("id", "pmid", "pmcid", "year", "compound", "formulation", "dose", "dose_unit")


def nested(record: Mapping[str, Any]) -> dict[str, Any]:
    """The published shape of a flat extraction; a value that was not stated stays missing."""
    parameters = {}
    for name, column in _NAMES.items():
        kind, unit = record.get(f"{column}_dispersion_type"), record.get(f"{column}_unit")
        parameters[name] = {
            "central_tendency": record.get(column),
            "central_tendency_type": record.get(f"{column}_type"),
            "central_tendency_unit": unit,
            "dispersion": record.get(f"{column}_dispersion"),
            "dispersion_type": kind,
            "dispersion_unit": "%" if kind in ("CV%", "GCV%") else unit,
        }
    names = {name: name for name in _SAME} | _PUBLISHED
    return {k: record.get(name) for k, name in names.items()} | {"pk_parameters": parameters}


# ----------------------------------------------------------------------------------- the columns
_PER_MG = "{what} of the test product divided by the dose"
_CV = "between-subject %CV of {what} by the published rules (SD/center; range = 4 SD)"
_KIND = "kind of central value of {what}: mean, geometric mean, median, or empty where not stated"

COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("pmid", "", "PubMed number, or the id of a newly extracted document"),
    ("pmcid", "", "PubMed Central number"),
    ("year", "", "year of publication"),
    ("compound", "", "compound as recorded"),
    ("formulation", "", "formulation as recorded"),
    ("dose_mg", "mg", "administered dose"),
    ("n", "", "number of subjects"),
    ("t_last_h", "h", "last sampling time"),
    ("cmax_per_mg", "ng/mL/mg", _PER_MG.format(what="Cmax")),
    ("cmax_kind", "", _KIND.format(what="Cmax")),
    ("cmax_cv_percent", "%", _CV.format(what="Cmax")),
    ("auc0_t_per_mg", "ng·h/mL/mg", _PER_MG.format(what="AUC0-t")),
    ("auc0_t_kind", "", _KIND.format(what="AUC0-t")),
    ("auc0_t_cv_percent", "%", _CV.format(what="AUC0-t")),
    ("auc0_inf_per_mg", "ng·h/mL/mg", _PER_MG.format(what="AUC0-inf")),
    ("auc0_inf_kind", "", _KIND.format(what="AUC0-inf")),
    ("auc0_inf_cv_percent", "%", _CV.format(what="AUC0-inf")),
    ("tmax_h", "h", "Tmax of the test product"),
    ("tmax_kind", "", _KIND.format(what="Tmax")),
    ("tmax_cv_percent", "%", _CV.format(what="Tmax")),
    ("complete", "", "whether Cmax, AUC0-t and Tmax are all there"),
)
NAMES = [name for name, _, _ in COLUMNS]
_TEXT = {"pmid", "pmcid", "compound", "formulation", *(f"{c}_kind" for c in _NAMES.values())}


def reference_schema() -> pa.DataFrameSchema:
    """The pandera schema every harmonized dataset has to pass before it is written."""
    columns = {}
    for name in NAMES:
        if name in _TEXT:
            columns[name] = pa.Column(str, nullable=False)
        elif name == "complete":
            columns[name] = pa.Column(bool)
        else:
            columns[name] = pa.Column(
                float, pa.Check.gt(0), nullable=name != "dose_mg", coerce=True
            )
    return pa.DataFrameSchema(columns, strict=True, ordered=True, unique=["pmid", "compound"])
