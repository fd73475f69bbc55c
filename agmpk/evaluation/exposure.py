"""Curves as numbers: exposure by noncompartmental analysis, features relative to a context, and how
far the individuals of a study differ.

Shapes: n individuals (or curves), m curves generated for each at its own times, T times, G grid
points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kstest

from agmpk.errors import AgmpkError
from agmpk.evaluation.intervals import cluster_mean
from agmpk.evaluation.nca import nca
from agmpk.evaluation.scores import pit
from agmpk.studies import Individual, Study

QUANTITIES = ("Cmax", "Tmax", "AUC0_t", "t_half")
QUANTILES = (0.05, 0.5, 0.95)
GRID = 8


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


def amount(individual: Individual) -> float:
    """Amount of one of its (equal) doses, by which concentrations are normalized."""
    return individual.doses[0].amount


@dataclass(frozen=True)
class ContextFrame:
    """What a curve is measured against: statistics of the context's ln (y / dose).

    grid [G] h: quantiles of the context's sampling times; centre [G]: mean log-curve there;
    shape: root mean square departure of the context's curves from it; exposure: mean log of each
    noncompartmental quantity; last: the last sampling time [h]; level, spread: mean and SD of all
    ln (y / dose).
    """

    grid: NDArray[np.float64]
    centre: NDArray[np.float64]
    shape: float
    exposure: dict[str, float]
    last: float
    level: float
    spread: float


def context_frame(context: Study, points: int = GRID) -> ContextFrame:
    """The frame of a study's context.

    Raises:
        AgmpkError: fewer than two context individuals with two positive observations.
    """
    people = [one for one in context.after_dose() if len(one) >= 2]
    if len(people) < 2:
        raise AgmpkError(
            f"The context of {context.compound} has {len(people)} individuals with two positive "
            "observations; comparing cohorts needs two such individuals or more."
        )
    logs = [np.log(one.concentrations / amount(one)) for one in people]
    times = np.concatenate([one.times for one in people])
    grid = np.quantile(times, np.linspace(0, 1, points))
    curves = np.array([np.interp(grid, p.times, y) for p, y in zip(people, logs, strict=True)])
    centre = curves.mean(0)
    found = [exposures(p.times, np.exp(y)[None]) for p, y in zip(people, logs, strict=True)]
    means = {}
    for name in QUANTITIES:
        values = np.log([one[name][0] for one in found])
        known = values[np.isfinite(values)]
        means[name] = float(known.mean()) if len(known) else 0.0
    pooled = np.concatenate(logs)
    return ContextFrame(
        grid,
        centre,
        float(np.sqrt(np.mean((curves - centre) ** 2))) or 1.0,
        means,
        float(times.max()),
        float(pooled.mean()),
        float(pooled.std()) or 1.0,
    )


def curve_features(
    frame: ContextFrame, times: NDArray[np.float64], normalized: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Features [n, G + 4] of dose-normalized concentrations [n, T] at ``times`` [T] h: departure
    from the context's mean log-curve on the common grid (linear interpolation of ln y, constant
    beyond the range), in units of the context's own departures; and ln Cmax, Tmax, AUC0_t and
    t_half relative to the context's geometric means (NaN where there is no half-life)."""
    logs = np.log(normalized)
    curves = np.array([np.interp(frame.grid, times, row) for row in logs])
    exposure = exposures(times, normalized)
    columns = [np.log(exposure[name]) - frame.exposure[name] for name in QUANTITIES]
    return np.column_stack([(curves - frame.centre) / frame.shape, *columns])


def curve_spread(study: Study, points: int = 12) -> dict[str, float]:
    """``level``: SD between individuals of their mean ln concentration; ``shape``: root mean
    square of what is left of the departures from the study's mean log-curve after that shift.

    Both in natural-log units, from curves interpolated at ``points`` quantiles of the study's
    sampling times, within each individual's own range.  NaN for fewer than three individuals with
    four samples.  Doses are normalized away.
    """
    people = [one for one in study.after_dose() if len(one) >= 4]
    if len(people) < 3:
        return {"level": np.nan, "shape": np.nan}
    times = np.quantile(
        np.concatenate([one.times for one in people]), np.linspace(0.05, 0.95, points)
    )
    curves = np.array(
        [
            np.interp(
                times,
                one.times,
                np.log(one.concentrations / sum(d.amount for d in one.single_doses())),
                left=np.nan,
                right=np.nan,
            )
            for one in people
        ]
    )
    keep = np.isfinite(curves).sum(0) >= 3
    if keep.sum() < 3:
        return {"level": np.nan, "shape": np.nan}
    departures = curves[:, keep] - np.nanmean(curves[:, keep], axis=0)
    seen = np.isfinite(departures).sum(1) >= 2
    departures = departures[seen]
    level = np.nanmean(departures, axis=1)
    return {
        "level": float(level.std(ddof=1)),
        "shape": float(np.sqrt(np.nanmean((departures - level[:, None]) ** 2))),
    }
