"""The columns of the reference dataset: what each one means, in which unit, and its allowed
values."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa

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
