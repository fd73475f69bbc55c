"""Paired comparison of two models on the same individuals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

from agmpk.evaluation.people import people


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
    person = people(difference.index.to_frame(index=False)).to_numpy()
    sums = difference.groupby(person).agg(["sum", "count"]).to_numpy()
    pick = np.random.default_rng(seed).integers(len(sums), size=(draws, len(sums)))
    totals = sums[pick].sum(1)
    low, high = np.quantile(totals[:, 0] / totals[:, 1], [(1 - level) / 2, (1 + level) / 2])
    return Difference(
        float(difference.mean()),
        float(low),
        float(high),
        float(wilcoxon(difference).pvalue),
        int((difference < 0).sum()),
        len(difference),
    )
