"""Numbers for the claims, from the tables that the other chapters have stored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from agmpk.evaluation.compare import by_compound

#: The columns in which the chapters store what the claims need.
COLUMNS = ["measure", "value", "low", "high", "n"]


@dataclass(frozen=True)
class Evidence:
    """measure: its name.  value with its interval (by default the value itself, as for a count).
    n: how much it rests on, in the claim's unit.  note: why there is no value (NaN).  count: the
    value counts how many of n."""

    measure: str
    value: float
    low: float = math.nan
    high: float = math.nan
    n: int = 1
    note: str = ""
    count: bool = False

    def __post_init__(self) -> None:
        for end in ("low", "high"):
            if not math.isfinite(getattr(self, end)):
                object.__setattr__(self, end, self.value)


def from_table(table: pd.DataFrame) -> dict[str, Evidence]:
    """Evidence by measure from a stored table with ``COLUMNS``."""
    return {
        row.measure: Evidence(row.measure, row.value, row.low, row.high, int(row.n))
        for row in table[COLUMNS].itertuples()
    }


def most_wins(
    results: pd.DataFrame, family: Sequence[str], rivals: Sequence[str], measure: str
) -> Evidence:
    """On how many compounds a model of ``family`` has the lowest mean log-RMSE.

    ``results`` as of :func:`agmpk.evaluation.evaluate`.  n: compounds.  A rival without a value on
    a compound does not compete there; NaN where a model is missing altogether.
    """
    missing = _missing(results, [*family, *rivals])
    if missing:
        return Evidence(measure, math.nan, n=0, note=missing)
    table = by_compound(results)[[*family, *rivals]]
    won = table.idxmin(axis=1).isin(list(family))
    return Evidence(measure, int(won.sum()), n=len(table), count=True)


def beats(
    results: pd.DataFrame,
    family: Sequence[str],
    rival: str,
    measure: str,
    compounds: Sequence[str] | None = None,
) -> Evidence:
    """On how many compounds (of ``compounds``) the best of ``family`` is below ``rival``."""
    missing = _missing(results, [*family, rival])
    if missing:
        return Evidence(measure, math.nan, n=0, note=missing)
    table = by_compound(results)
    if compounds is not None:
        table = table.loc[[name for name in table.index if name in set(compounds)]]
    table = table.dropna(subset=[rival])
    won = table[list(family)].min(axis=1) < table[rival]
    return Evidence(measure, int(won.sum()), n=len(table), count=True)


def mean_error(results: pd.DataFrame, model: str, measure: str) -> Evidence:
    """Mean over compounds of the mean log-RMSE of a model.  n: compounds.

    Without an interval: the published figure is a mean over the same individuals, whose own errors
    are not available.
    """
    missing = _missing(results, [model])
    if missing:
        return Evidence(measure, math.nan, n=0, note=missing)
    table = by_compound(results)[model].dropna()
    return Evidence(measure, float(table.mean()), n=len(table))


def _missing(results: pd.DataFrame, models: Sequence[str]) -> str:
    absent = [name for name in models if name not in set(results.model)]
    return f"the benchmark was not run for {', '.join(absent)}" if absent else ""


def ablation_gain(
    table: pd.DataFrame, variant: str, helps: bool, studies: str, score: str, measure: str
) -> Evidence:
    """What a design choice gains in ``score`` (less is better), from the table of ablations.

    ``helps`` True: the variant adds the choice, and gains the base's score minus its own; False:
    the variant lacks it.  The lower end is lowered to the gain minus the margin of training seeds,
    if that is less: a gain counts when it is beyond both.  n: individuals.
    """
    rows = table[(table.variant == variant) & (table.studies == studies) & (table.measure == score)]
    if not len(rows) or not math.isfinite(rows.iloc[0].difference):
        return Evidence(measure, math.nan, n=0, note="this ablation was not trained")
    row = rows.iloc[0]
    sign = -1.0 if helps else 1.0
    low, high = sorted((sign * row.low, sign * row.high))
    gain = sign * row.difference
    if not math.isfinite(row.margin):
        return Evidence(measure, math.nan, n=0, note="too few training seeds to judge by")
    return Evidence(measure, gain, min(low, gain - row.margin), high, int(row.n))
