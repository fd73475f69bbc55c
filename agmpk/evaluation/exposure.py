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
from scipy.stats import kstest

from agmpk.errors import AgmpkError
from agmpk.evaluation.scores import pit
from agmpk.studies.study import Array, Study

QUANTITIES = ("Cmax", "Tmax", "AUC0_t", "t_half")
GRID = 8


def nca(times: Array, concentrations: Array) -> dict[str, float]:
    """Cmax, Tmax [h], AUC0_t, lambda_z [1/h], t_half [h] and AUC0_inf of a single dose at time 0.

    AUC by the linear-up, logarithmic-down rule from the first sample given (include time 0 where
    it was measured); lambda_z by the regression of ln concentration on the last n >= 3 samples
    after Cmax that has the best adjusted R2 (Gabrielsson & Weiner 2016); NaN where there is none.

    Args:
        times: float64[T] [h], increasing.
        concentrations: float64[T], >= 0, at least one positive.
    """
    peak = int(np.argmax(concentrations))
    area = float(auc(times, concentrations))
    slope, last = _terminal_slope(times[peak + 1 :], concentrations[peak + 1 :])
    return {
        "Cmax": float(concentrations[peak]),
        "Tmax": float(times[peak]),
        "AUC0_t": area,
        "lambda_z": slope,
        "t_half": np.log(2) / slope,
        "AUC0_inf": area + last / slope,
    }


def auc(times: Array, concentrations: Array) -> Array:
    """Area [...] under curves [..., T]: trapezoids where they rise, logarithmic trapezoids where
    they fall."""
    a, b, h = concentrations[..., :-1], concentrations[..., 1:], np.diff(times)
    falling = (b < a) & (b > 0)
    ratio = np.log(np.where(falling, a / np.where(falling, b, 1.0), np.e))
    return np.sum(np.where(falling, (a - b) * h / ratio, (a + b) * h / 2), axis=-1)


def _terminal_slope(times: Array, concentrations: Array) -> tuple[float, float]:
    """lambda_z > 0 and the last positive concentration; NaN where no regression falls."""
    keep = concentrations > 0
    t, y = times[keep], np.log(concentrations[keep])
    best, found = -np.inf, np.nan
    for n in range(3, len(t) + 1):
        slope, intercept = np.polyfit(t[-n:], y[-n:], 1)
        residual = np.sum((y[-n:] - slope * t[-n:] - intercept) ** 2)
        total = np.sum((y[-n:] - y[-n:].mean()) ** 2)
        adjusted = 1 - (residual / (n - 2)) / (total / (n - 1)) if total > 0 else -np.inf
        # Within a hair of the best, the longer regression is preferred, as is customary.
        if slope < 0 and adjusted > best - 1e-4:
            best, found = max(best, adjusted), -slope
    return float(found), float(np.exp(y[-1])) if len(y) else np.nan


def exposures(times: Array, curves: Array) -> dict[str, Array]:
    """Cmax [unit], Tmax [h], AUC0_t [unit h] and t_half [h], each [n], of concentrations
    ``curves`` [n, T] > 0 at ``times`` [T] h; t_half is NaN where no terminal slope is found."""
    found = [nca(times, curve) for curve in curves]
    return {name: np.array([one[name] for one in found]) for name in QUANTITIES}


def compare_exposures(
    observed: Sequence[dict[str, Array]],
    generated: Sequence[dict[str, Array]],
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Tidy comparison of the quantities, one row a quantity and measure.

    Measures: ``gm_ratio`` (geometric mean generated / observed); ``cv_ratio`` (geometric CV,
    sqrt(exp(var ln) - 1), generated / observed); ``rank_p`` (Kolmogorov-Smirnov p of uniform ranks
    of the individuals among their own generated curves).
    Ratios are of the individuals whose observed curve has the quantity; for ranks, a curve without
    terminal decline counts as the longest half-life, so that everybody has one.
    95 % intervals: bootstrap over individuals, each with the curves generated for it.

    Args:
        observed: per individual, :func:`exposures` of its one curve.
        generated: per individual, :func:`exposures` of its m curves (m the same for all).

    Returns: quantity, measure, value, low, high, n (individuals behind it).
    """
    n = len(observed)
    drawn = np.random.default_rng(seed).integers(n, size=(draws, n))
    rows = []
    for name in QUANTITIES:
        real = np.array([one[name][0] for one in observed])
        made = np.stack([one[name] for one in generated])  # [n, m]
        found = _ratios(real, made)
        resampled = pd.DataFrame([_ratios(real[k], made[k]) for k in drawn])
        low, high = resampled.quantile([0.025, 0.975]).to_numpy()
        for measure, *ends in zip(found, found.values(), low, high, strict=True):
            rows.append((name, measure, *ends, int(np.isfinite(real).sum())))
        # Randomized ranks in (0, 1); what is missing ranks last.
        last = [np.where(np.isfinite(v), v, np.inf) for v in (real, made)]
        ranks = pit(last[1].T, last[0], seed)
        p = kstest(ranks, "uniform").pvalue if n >= 3 else np.nan
        rows.append((name, "rank_p", p, np.nan, np.nan, n))
    return pd.DataFrame(rows, columns=["quantity", "measure", "value", "low", "high", "n"])


def _ratios(real: Array, made: Array) -> dict[str, float]:
    """Ratios of geometric means and CVs of ``made`` [n, m] to ``real`` [n]."""
    known = np.isfinite(real)
    matched = made[known]
    x, y = np.log(real[known]), np.log(matched[np.isfinite(matched)])
    if len(x) < 2 or len(y) < 2:
        return {"gm_ratio": np.nan, "cv_ratio": np.nan}
    cv_real, cv_made = (np.sqrt(np.expm1(v.var(ddof=1))) for v in (x, y))
    return {
        "gm_ratio": float(np.exp(y.mean() - x.mean())),
        "cv_ratio": float(cv_made / cv_real) if cv_real > 0 else np.nan,
    }


@dataclass(frozen=True)
class ContextFrame:
    """What a curve is measured against: statistics of the context's ln (y / dose).

    grid [G] h: quantiles of the context's sampling times; centre [G]: mean log-curve there;
    shape: root mean square departure of the context's curves from it; exposure: mean log of each
    noncompartmental quantity; last: the last sampling time [h]; level, spread: mean and SD of all
    ln (y / dose).
    """

    grid: Array
    centre: Array
    shape: float
    exposure: dict[str, float]
    last: float
    level: float
    spread: float


def context_frame(context: Study) -> ContextFrame:
    """The frame of a study's context; concentrations are divided by the (first) dose's amount.

    Raises:
        AgmpkError: fewer than two context individuals with two positive observations.
    """
    people = [one for one in context.after_dose() if len(one) >= 2]
    if len(people) < 2:
        raise AgmpkError(
            f"The context of {context.compound} has {len(people)} individuals with two positive "
            "observations; comparing cohorts needs two such individuals or more."
        )
    logs = [np.log(one.concentrations / one.doses[0].amount) for one in people]
    times, pooled = np.concatenate([one.times for one in people]), np.concatenate(logs)
    grid = np.quantile(times, np.linspace(0, 1, GRID))
    curves = np.array([np.interp(grid, p.times, y) for p, y in zip(people, logs, strict=True)])
    centre = curves.mean(0)
    found = [nca(p.times, np.exp(y)) for p, y in zip(people, logs, strict=True)]
    # A quantity that nobody has is compared with 1.
    means = np.log(pd.DataFrame(found)[list(QUANTITIES)]).mean().fillna(0.0).to_dict()
    shape, spread = np.sqrt(np.mean((curves - centre) ** 2)), pooled.std()
    ends = float(times.max()), float(pooled.mean())
    return ContextFrame(grid, centre, float(shape) or 1.0, means, *ends, float(spread) or 1.0)


def curve_features(frame: ContextFrame, times: Array, normalized: Array) -> Array:
    """Features [n, G + 4] of dose-normalized concentrations [n, T] at ``times`` [T] h: departure
    from the context's mean log-curve on the common grid (linear interpolation of ln y, constant
    beyond the range), in units of the context's own departures; and ln Cmax, Tmax, AUC0_t and
    t_half relative to the context's geometric means (NaN where there is no half-life)."""
    curves = np.array([np.interp(frame.grid, times, row) for row in np.log(normalized)])
    exposure = exposures(times, normalized)
    columns = [np.log(exposure[name]) - frame.exposure[name] for name in QUANTITIES]
    return np.column_stack([(curves - frame.centre) / frame.shape, *columns])


def curve_spread(study: Study) -> dict[str, float]:
    """``level``: SD between individuals of their mean ln concentration; ``shape``: root mean
    square of what is left of the departures from the study's mean log-curve after that shift.

    Both in natural-log units, from curves interpolated at twelve quantiles of the study's sampling
    times, within each individual's own range.  NaN for fewer than three individuals with four
    samples.  Doses are normalized away.
    """
    people = [one for one in study.after_dose() if len(one) >= 4]
    nothing = {"level": np.nan, "shape": np.nan}
    if len(people) < 3:
        return nothing
    times = np.quantile(np.concatenate([one.times for one in people]), np.linspace(0.05, 0.95, 12))
    curves = []
    for one in people:
        logs = np.log(one.concentrations / sum(dose.amount for dose in one.single_doses()))
        curves.append(np.interp(times, one.times, logs, left=np.nan, right=np.nan))
    curves = np.array(curves)
    curves = curves[:, np.isfinite(curves).sum(0) >= 3]
    if curves.shape[1] < 3:
        return nothing
    departures = curves - np.nanmean(curves, axis=0)
    departures = departures[np.isfinite(departures).sum(1) >= 2]
    level = np.nanmean(departures, axis=1)
    shape = np.sqrt(np.nanmean((departures - level[:, None]) ** 2))
    return {"level": float(level.std(ddof=1)), "shape": float(shape)}
