"""Paired comparison of two models on the same individuals."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from scipy.stats import wilcoxon

from agmpk.evaluation.people import people
from agmpk.evaluation.resample import cluster_mean


@dataclass(frozen=True)
class Difference:
    """Mean of (first - second) over individuals, its bootstrap interval, and Wilcoxon's p.

    Negative means that the first model's error is smaller.  ``better`` of ``n`` individuals have
    a smaller error under the first model.
    """

    mean: float
    low: float
    high: float
    p: float
    better: int
    n: int


def paired_difference(
    results: pd.DataFrame,
    first: str,
    second: str,
    level: float = 0.95,
    draws: int = 4000,
    seed: int = 0,
) -> Difference:
    """Compare two models of a results table over the individuals with something to predict.

    The bootstrap resamples people, not rows: the subjects of one study series appear under several
    compounds (the same person took all drugs of the cocktail), and their errors go together.

    Raises
    ------
    KeyError
        If a model is not in the table.
    """
    rows = results[results.n_target > 0]
    wide = rows.pivot_table(index=["compound", "individual"], columns="model", values="log_rmse")
    difference = (wide[first] - wide[second]).dropna()
    person = people(difference.index.to_frame(index=False))
    found = cluster_mean(difference.to_numpy(), person, level, draws, seed)
    return Difference(
        *map(float, found),
        float(wilcoxon(difference).pvalue),
        int((difference < 0).sum()),
        len(difference),
    )


def against_each(results: pd.DataFrame, first: str, level: float = 0.95) -> pd.DataFrame:
    """:func:`paired_difference` of ``first`` to every other model that has scores, a row each.

    Columns: mean difference, low, high, p, individuals better, of.  With m comparisons the
    intervals are at level 1 - (1 - ``level``) / m and the p values multiplied by m (Bonferroni), so
    that all rows hold together, as far as a bootstrap of so few people can say.
    """
    scored = results.dropna(subset="log_rmse").model
    others = [name for name in dict.fromkeys(scored) if name != first]
    rows = {}
    for other in others:
        d = paired_difference(results, first, other, 1 - (1 - level) / len(others), draws=20_000)
        rows[other] = (d.mean, d.low, d.high, min(1.0, d.p * len(others)), d.better, d.n)
    columns = ["mean difference", "low", "high", "p", "individuals better", "of"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)
