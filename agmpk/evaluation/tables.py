"""From the errors of individuals to the table of compounds, beside the published one."""

from __future__ import annotations

import pandas as pd

from agmpk.paths import data_path

PUBLISHED = ["nlme", "transformer", "node", "aicmet", "pff"]


def by_compound(results: pd.DataFrame, strict: bool = False) -> pd.DataFrame:
    """Mean log-RMSE per compound (rows) and model (columns), in order of appearance.

    ``strict`` leaves out individuals with nothing left to predict; as published they count 0.
    """
    rows = results[results.n_target > 0] if strict else results
    table = rows.pivot_table(index="compound", columns="model", values="log_rmse", sort=False)
    return table.reindex(columns=list(dict.fromkeys(results.model)))


def published_table() -> pd.DataFrame:
    """The published mean log-RMSE of five models by compound (AGM-PK, PAGE 34, 2026)."""
    table = pd.read_csv(data_path("benchmark", "published_log_rmse.csv"), index_col="compound")
    return table[PUBLISHED]


def wins(table: pd.DataFrame) -> pd.Series:
    """How often each column holds the lowest value of a row."""
    return table.idxmin(axis=1).value_counts().reindex(table.columns, fill_value=0)
