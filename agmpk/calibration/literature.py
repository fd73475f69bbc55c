"""The harmonized literature in the quantities of the comparison: one row an article."""

from __future__ import annotations

import numpy as np
import pandas as pd

from agmpk.calibration.summaries import QUANTITIES
from agmpk.errors import AgmpkError
from agmpk.paths import data_path


def literature(reference: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row a bioequivalence article: the columns of ``QUANTITIES``, ``t_last`` [h] and ``n``.

    A quantity that an article does not report is NaN.  ``reference`` is the table of
    ``data/literature/reference.csv``, which is read if none is given.

    Raises
    ------
    AgmpkError
        If a column is missing.
    """
    if reference is None:
        reference = pd.read_csv(data_path("literature", "reference.csv"))
    needed = [
        "compound",
        "n",
        "t_last_h",
        "cmax_per_mg",
        "auc0_t_per_mg",
        "tmax_h",
        "cmax_cv_percent",
        "auc0_t_cv_percent",
        "tmax_cv_percent",
    ]
    missing = [name for name in needed if name not in reference]
    if missing:
        raise AgmpkError(
            f"The literature table lacks the columns {', '.join(missing)}; make it again with "
            "'agmpk literature harmonize'."
        )
    cmax, auc, tmax = (reference[c] for c in ("cmax_per_mg", "auc0_t_per_mg", "tmax_h"))
    frame = pd.DataFrame(
        {
            "log_cmax": np.log(cmax),
            "log_auc": np.log(auc),
            "log_auc_per_cmax": np.log(auc / cmax),
            "log_tmax": np.log(tmax),
            "tmax_per_t_last": tmax / reference.t_last_h,
            "cv_cmax": reference.cmax_cv_percent,
            "cv_auc": reference.auc0_t_cv_percent,
            "cv_tmax": reference.tmax_cv_percent,
            "t_last": reference.t_last_h,
            "n": reference.n,
        }
    )
    frame.index = pd.Index(reference["compound"], name="compound")
    assert set(QUANTITIES) <= set(frame)
    return frame


def horizons(table: pd.DataFrame) -> tuple[float, ...]:
    """The last sampling times [h] of the literature, one an article that gives it."""
    return tuple(float(t) for t in table["t_last"].dropna())
