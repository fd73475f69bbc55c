"""Exposure of generated against observed individuals by noncompartmental analysis.

Shapes: n individuals, m curves generated for each at its own times, T times.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kstest

from agmpk.evaluation.nca import nca
from agmpk.evaluation.pit import pit
from agmpk.evaluation.resample import cluster_mean

QUANTITIES = ("Cmax", "Tmax", "AUC0_t", "t_half")
QUANTILES = (0.05, 0.5, 0.95)


def exposures(
    times: NDArray[np.float64], curves: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Cmax [unit], Tmax [h], AUC0_t [unit h] and t_half [h], each [n], of concentrations
    ``curves`` [n, T] > 0 at ``times`` [T] h; t_half is NaN where no terminal slope is found."""
    found = [nca(times, curve) for curve in curves]
    return {name: np.array([one[name] for one in found]) for name in QUANTITIES}


def compare_exposures(
    observed: Sequence[dict[str, NDArray[np.float64]]],
    generated: Sequence[dict[str, NDArray[np.float64]]],
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Tidy comparison of the quantities, one row a quantity and measure.

    Measures: ``q05``, ``q50``, ``q95`` of generated with the observed one beside them;
    ``gm_ratio`` (geometric mean generated / observed); ``cv_ratio`` (geometric CV, sqrt(exp(var
    ln) - 1), generated / observed); ``rank_mean`` (mean rank in (0, 1) of an individual among its
    own generated curves: 0.5 is right); ``rank_p`` (Kolmogorov-Smirnov p of uniform ranks);
    ``missing`` (share of curves without the quantity, generated, with the observed one beside).
    Quantiles and ratios are of the individuals whose observed curve has the quantity; for ranks,
    a curve without terminal decline counts as the longest half-life, so that everybody has one.
    Intervals: bootstrap over people, each with the curves generated for it.

    Args:
        observed: per individual, :func:`exposures` of its one curve.
        generated: per individual, :func:`exposures` of its m curves (m the same for all).
        clusters: [n] person of each individual; by default everybody is somebody else.

    Returns: quantity, measure, value, low, high, observed, n (individuals behind it).
    """
    n = len(observed)
    clusters = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    size = int(clusters.max()) + 1
    drawn = [
        _expand(picked, clusters)
        for picked in np.random.default_rng(seed).integers(size, size=(draws, size))
    ]
    ends = [(1 - level) / 2, (1 + level) / 2]
    rows = []
    for name in QUANTITIES:
        real = np.array([one[name][0] for one in observed])
        made = np.stack([one[name] for one in generated])  # [n, m]
        known = int(np.isfinite(real).sum())
        found = _measures(real, made)
        resampled = pd.DataFrame([_measures(real[k], made[k]) for k in drawn])
        low, high = resampled.quantile(ends).to_numpy()
        beside = dict(zip(("q05", "q50", "q95"), _quantiles(real), strict=True))
        for (measure, value), a, b in zip(found.items(), low, high, strict=True):
            rows.append((name, measure, value, a, b, beside.get(measure, np.nan), known))
        ranks = _ranks(real, made, seed)
        missing = np.isnan(made).mean(1)
        for measure, values, seen in (
            ("rank_mean", ranks, np.nan),
            ("missing", missing, 1 - known / n),
        ):
            rows.append((name, measure, *cluster_mean(values, clusters, level, seed=seed), seen, n))
        p = kstest(ranks, "uniform").pvalue if n >= 3 else np.nan
        rows.append((name, "rank_p", p, np.nan, np.nan, np.nan, n))
    columns = ["quantity", "measure", "value", "low", "high", "observed", "n"]
    return pd.DataFrame(rows, columns=columns)


def _measures(real: NDArray[np.float64], made: NDArray[np.float64]) -> dict[str, float]:
    known = np.isfinite(real)
    matched = made[known]
    x, y = np.log(real[known]), np.log(matched[np.isfinite(matched)])
    enough = len(x) > 1 and len(y) > 1
    cv_real, cv_made = (np.sqrt(np.expm1(v.var(ddof=1))) if enough else np.nan for v in (x, y))
    low, middle, high = _quantiles(matched)
    return {
        "q05": low,
        "q50": middle,
        "q95": high,
        "gm_ratio": float(np.exp(y.mean() - x.mean())) if enough else np.nan,
        "cv_ratio": float(cv_made / cv_real) if enough and cv_real > 0 else np.nan,
    }


def _quantiles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = values[np.isfinite(values)]
    return np.quantile(known, QUANTILES) if len(known) else np.full(len(QUANTILES), np.nan)


def _ranks(real: NDArray[np.float64], made: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Randomized ranks [n] in (0, 1); what is missing ranks last."""
    real, made = (np.where(np.isfinite(v), v, np.inf) for v in (real, made))
    return pit(made.T, real, seed)


def _expand(picked: NDArray[np.int64], clusters: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of the individuals of the picked clusters, as often as picked."""
    return np.concatenate([np.flatnonzero(clusters == k) for k in picked])
