"""Ranks of a truth among samples, and whether they are uniform.

Shapes: n ranks (independent of each other), L samples each.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom, chisquare


def rank_of(draws: NDArray[np.float64], truth: NDArray[np.float64], seed: int = 0) -> NDArray:
    """Rank [n] in 0 ... L of each ``truth`` [n] among its ``draws`` [n, L], ties at random."""
    truth = np.asarray(truth)[:, None]
    below, equal = (draws < truth).sum(1), (draws == truth).sum(1)
    return below + np.random.default_rng(seed).integers(0, equal + 1)


def rank_histogram(ranks: NDArray, n_samples: int, bins: int = 10) -> pd.DataFrame:
    """Counts of ranks in ``bins`` classes with what a uniform law gives 99 % of the time.

    Columns: left, right (ranks, right one excluded), count, expected, low, high.
    """
    edges = np.round(np.linspace(0, n_samples + 1, bins + 1)).astype(int)
    share = np.diff(edges) / (n_samples + 1)
    low, high = binom.interval(0.99, len(ranks), share)
    count = np.histogram(ranks, edges - 0.5)[0]
    return pd.DataFrame(
        {
            "left": edges[:-1],
            "right": edges[1:],
            "count": count,
            "expected": len(ranks) * share,
            "low": low,
            "high": high,
        }
    )


def rank_uniformity(ranks: NDArray, n_samples: int, bins: int = 10) -> float:
    """p of the chi-square test of uniform ranks; give at least 5 ``bins`` studies."""
    table = rank_histogram(ranks, n_samples, bins)
    return float(chisquare(table["count"], table["expected"]).pvalue)


def ecdf_envelope(
    ranks: NDArray, n_samples: int, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """ECDF of the ranks minus the uniform's, with a simultaneous envelope.

    Pointwise binomial intervals, at the pointwise level at which ``level`` of uniform rank sets
    stay inside everywhere (Sailynoja, Burkner & Vehtari 2022).  Columns: z (rank / (L + 1)),
    difference, low, high, outside.
    """
    n = len(ranks)
    steps = np.arange(1, min(n_samples, 100) + 1)
    z = steps / (len(steps) + 1)
    cut = np.ceil(np.round(z * (n_samples + 1), 6)).astype(int)
    share = cut / (n_samples + 1)  # P(rank < cut)
    histograms = np.random.default_rng(seed).multinomial(
        n, np.full(n_samples + 1, 1 / (n_samples + 1)), size=draws
    )
    counts = histograms.cumsum(1)[:, cut - 1]
    tail = np.minimum(binom.cdf(counts, n, share), binom.sf(counts - 1, n, share))
    gamma = np.quantile(2 * tail.min(1), 1 - level)
    count = (np.asarray(ranks)[:, None] < cut).sum(0)
    low, high = binom.ppf(gamma / 2, n, share) / n, binom.ppf(1 - gamma / 2, n, share) / n
    found = count / n
    return pd.DataFrame(
        {
            "z": z,
            "difference": found - share,
            "low": low - share,
            "high": high - share,
            "outside": (found < low) | (found > high),
        }
    )
