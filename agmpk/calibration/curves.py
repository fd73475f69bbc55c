"""Features of the curves of one study, real or simulated: one code for both.

Every spread is an SD between individuals of a natural logarithm, so 0.3 is a %CV of about 30.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agmpk.evaluation.exposure import curve_spread
from agmpk.evaluation.nca import nca
from agmpk.studies import Individual, Study

FEATURES = {
    "sd_cmax": "SD of ln Cmax",
    "sd_tmax": "SD of ln Tmax",
    "sd_slope": "SD of ln terminal slope",
    "sd_early": "SD of ln early partial AUC",
    "sd_late": "SD of ln late partial AUC",
    "r_cmax_slope": "correlation of ln Cmax and ln terminal slope",
    "r_cmax_tmax": "correlation of ln Cmax and ln Tmax",
    "r_late_slope": "correlation of ln late AUC and ln terminal slope",
    "r_early_late": "correlation of ln early and ln late AUC",
    "level": "SD of the level of log-curves",
    "shape": "RMS difference in shape of log-curves",
    "level_share": "share of the level in the variance of log-curves",
    "noise": "roughness of single log-curves (SD)",
}
"""What is compared, and how to write it on an axis."""

PEOPLE = 4
"""Individuals that a spread or a correlation needs at least."""


def curve_features(study: Study) -> dict[str, float]:
    """The features of :data:`FEATURES` of a single-dose study; NaN where it says too little."""
    people = [one for one in study.after_dose() if len(one) >= 4]
    values = individual_features(people)
    spread = curve_spread(study)
    total = spread["level"] ** 2 + spread["shape"] ** 2
    out = {f"sd_{name}": _sd(values[name]) for name in ("cmax", "tmax", "slope", "early", "late")}
    for pair in ("cmax_slope", "cmax_tmax", "late_slope", "early_late"):
        first, second = pair.split("_")
        out[f"r_{pair}"] = _correlation(values[first], values[second])
    out |= {
        "level": spread["level"],
        "shape": spread["shape"],
        "level_share": spread["level"] ** 2 / total if total > 0 else np.nan,
        "noise": roughness(people),
    }
    return {name: out[name] for name in FEATURES}


def individual_features(people: list[Individual]) -> pd.DataFrame:
    """One row an individual: ln of dose-normalized Cmax, Tmax, terminal slope, early and late AUC.

    Early and late meet at the median time at which half of an individual's AUC has passed, and end
    at the earliest last sample; both parts are NaN where an individual starts after the former.
    """
    rows = []
    areas = [cumulative_area(one) for one in people]
    half = [np.interp(0.5 * a[-1], a, one.times) for one, a in zip(people, areas, strict=True)]
    split = float(np.median(half)) if half else np.nan
    end = min((one.times[-1] for one in people), default=np.nan)
    for one, area in zip(people, areas, strict=True):
        dose = sum(d.amount for d in one.single_doses())
        found = nca(one.times, one.concentrations / dose)
        at_split, at_end = np.interp([split, end], one.times, area / dose)
        rows.append(
            {
                "cmax": found["Cmax"],
                "tmax": found["Tmax"],
                "slope": found["lambda_z"],
                "early": at_split if at_split > 0 else np.nan,
                "late": at_end - at_split if at_end > at_split > 0 else np.nan,
            }
        )
    return np.log(pd.DataFrame(rows, columns=["cmax", "tmax", "slope", "early", "late"]))


def cumulative_area(one: Individual) -> NDArray[np.float64]:
    """Area from the first sample to each sample, float64[T], by trapezoids."""
    y, t = one.concentrations, one.times
    return np.concatenate([[0.0], np.cumsum(np.diff(t) * (y[1:] + y[:-1]) / 2)])


def roughness(people: list[Individual]) -> float:
    """SD of the noise of single samples, from how far each leaves the line between its neighbours.

    The study's mean log-curve is taken away first, so that a curvature that all share does not
    count.  The residual of a sample between its neighbours at weights a and 1 - a has
    sqrt(1 + a^2 + (1 - a)^2) times the noise's SD; the median absolute value is scaled as of a
    normal law, so that single outliers do not matter.  What remains is an upper bound of the
    assay's error: individual curves also differ in curvature.
    """
    if len(people) < PEOPLE:
        return np.nan
    grid = np.unique(np.concatenate([one.times for one in people]))
    logs = [np.log(one.concentrations) for one in people]
    curves = np.array(
        [
            np.interp(grid, one.times, y, left=np.nan, right=np.nan)
            for one, y in zip(people, logs, strict=True)
        ]
    )
    # Each curve is centred on the others at the times it covers, not on who happens to be there.
    seen = np.isfinite(curves)
    levels = np.array([np.mean(row[ok]) for row, ok in zip(curves, seen, strict=True)])
    mean = np.nanmean(curves - levels[:, None], axis=0)
    residuals = []
    for one, y in zip(people, logs, strict=True):
        t, d = one.times, y - np.interp(one.times, grid, mean)
        a = (t[1:-1] - t[:-2]) / (t[2:] - t[:-2])
        rest = d[1:-1] - (1 - a) * d[:-2] - a * d[2:]
        residuals.append(rest / np.sqrt(1 + a**2 + (1 - a) ** 2))
    # One curve in n is part of the mean it is compared with.
    n = len(people)
    return float(np.median(np.abs(np.concatenate(residuals))) / 0.6745 * np.sqrt(n / (n - 1)))


def _sd(values: pd.Series) -> float:
    return float(values.std(ddof=1)) if values.notna().sum() >= PEOPLE else np.nan


def _correlation(first: pd.Series, second: pd.Series) -> float:
    both = first.notna() & second.notna()
    if both.sum() < PEOPLE or min(first[both].std(), second[both].std()) < 1e-9:
        return np.nan
    return float(first[both].corr(second[both]))
