"""Files of extraction records to the reference dataset, the dropped records and the corrections.

`COLUMNS` says what each column means, in which unit; the schema is checked before anything is
written.
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
from agmpk.literature.harmonize.record import harmonize_record, is_flat, nested

# Ojeda et al. 2026, arXiv 2604.17670: articles found, kept by triage (as records), labelled oral.
PUBLISHED = {"found": 200, "records": 114, "oral": 85}
SIGNIFICANT = 6  # digits kept in the dataset; the sources print at most six


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
        published = nested(record) if is_flat(record) else record
        result = harmonize_record(published)
        key = {
            "pmid": str(published.get("pmid") or published.get("id", "")),
            "compound": str(published.get("compound") or ""),
        }
        if result.row is None:
            dropped.append({**key, "reason": result.reason})
        else:
            rows.append(result.row)
        changes.extend({**key, **vars(note)} for note in result.notes)
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
    frames = {
        "reference": result.reference,
        "dropped": result.dropped,
        "corrections": result.corrections,
        "dictionary": data_dictionary(),
    }
    for name, frame in frames.items():
        write_csv(frame, folder / f"{name}.csv")
    return [folder / f"{name}.csv" for name in frames]


def _rounded(frame: pd.DataFrame) -> pd.DataFrame:
    numbers = [c for c in frame.columns if c.endswith(("_per_mg", "_percent", "_h", "_mg"))]
    frame = frame.copy()
    for column in numbers:
        rounded = [None if pd.isna(v) else float(f"{v:.{SIGNIFICANT}g}") for v in frame[column]]
        frame[column] = pd.Series(rounded, index=frame.index, dtype="float64")
    for column in ("n", "year"):
        frame[column] = frame[column].astype("Int64")
    return frame


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
_TEXT = {
    "pmid",
    "pmcid",
    "compound",
    "formulation",
    "cmax_kind",
    "auc0_t_kind",
    "auc0_inf_kind",
    "tmax_kind",
}


def data_dictionary() -> pd.DataFrame:
    """One row a column: `column, unit, meaning`."""
    return pd.DataFrame(COLUMNS, columns=["column", "unit", "meaning"])


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
