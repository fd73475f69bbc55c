"""Priors beside the literature and the cohorts: distances, and every table of the chapter.

The tables are computed once and stored, and the figures of the chapter are drawn from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from agmpk.files import write_csv
from agmpk.paper.prior_fit.candidates import CHANGES, RANGES, SWITCHES
from agmpk.paper.prior_fit.features import cohort_table, edge_table, rank_table, simulated_table
from agmpk.paper.prior_fit.trials import (
    QUANTITIES,
    be_trials,
    comparable,
    horizons,
    literature,
    simulated_trials,
)
from agmpk.prior import PriorConfig, load_prior
from agmpk.prior.quantities import describe

LEVELS = (0.025, 0.25, 0.5, 0.75, 0.975)


def distances(
    real: NDArray[np.float64],
    simulated: NDArray[np.float64],
    weights: NDArray[np.float64] | None = None,
) -> dict[str, float]:
    """``wasserstein`` (in the unit of the values), ``ks``, and the shares ``inside_50`` and
    ``inside_95`` of the real values within the central 50 and 95 % of the simulated ones.

    ``weights`` of the simulated values need not sum to 1; without them all weigh the same.
    """
    if weights is None:
        weights = np.ones(len(simulated))
    order = np.argsort(simulated)
    values, share = simulated[order], np.cumsum(weights[order]) / weights.sum()
    low95, low50, _, high50, high95 = _quantiles(values, share)
    return {
        "wasserstein": float(wasserstein_distance(real, simulated, v_weights=weights)),
        "ks": _ks(np.sort(real), values, share),
        "inside_50": float(np.mean((real >= low50) & (real <= high50))),
        "inside_95": float(np.mean((real >= low95) & (real <= high95))),
    }


def _quantiles(values: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.searchsorted(share, np.array(LEVELS) - 1e-12).clip(max=len(values) - 1)]


def _ks(
    real: NDArray[np.float64], values: NDArray[np.float64], share: NDArray[np.float64]
) -> float:
    """Largest distance between the two distribution functions, which change at these points."""
    at = np.concatenate([real, values])
    steps = np.concatenate([[0.0], share])
    simulated = steps[np.searchsorted(values, at, side="right")]
    return float(np.abs(np.searchsorted(real, at, side="right") / len(real) - simulated).max())


def bootstrap(
    real: NDArray[np.float64], simulated: NDArray[np.float64], repeats: int, seed: int
) -> dict[str, tuple[float, float]]:
    """Central 95 % of each distance when the articles are drawn again with replacement.

    The simulated sample is as large as one likes, so its own noise is left out.
    """
    rng = np.random.default_rng(seed)
    rows = [distances(rng.choice(real, len(real)), simulated) for _ in range(repeats)]
    return {
        name: tuple(float(q) for q in np.quantile([row[name] for row in rows], [0.025, 0.975]))
        for name in rows[0]
    }


def trial_summaries(
    priors: Mapping[str, PriorConfig],
    articles: pd.DataFrame | None = None,
    blocks: int = 16,
    seed: int = 2026,
) -> pd.DataFrame:
    """Simulated trials of every prior: a column ``prior`` and the quantities, one row a trial.

    ``blocks`` blocks of 64 trials each, at the last sampling times of the articles.
    """
    ends = horizons(literature() if articles is None else articles)
    parts = []
    for name, config in priors.items():
        trials = simulated_trials(be_trials(config, ends), seed, blocks)
        trials = trials[[*QUANTITIES, "t_last"]].dropna()
        trials.insert(0, "prior", name)
        parts.append(trials)
    return pd.concat(parts, ignore_index=True)


def band_table(trials: pd.DataFrame, articles: pd.DataFrame) -> pd.DataFrame:
    """Quantiles (columns q2.5 ... q97.5) of each quantity in every prior and in the literature."""
    rows = []
    for quantity, meaning in QUANTITIES.items():
        sources = dict(list(trials.groupby("prior", sort=False)[quantity]))
        for source, values in {"literature": articles[quantity], **sources}.items():
            values = values.dropna()
            numbers = dict(zip(_names(), np.quantile(values, LEVELS), strict=True))
            row = {"quantity": quantity, "meaning": meaning, "source": source, "n": len(values)}
            rows.append(row | numbers)
    return pd.DataFrame(rows)


def distance_table(
    trials: pd.DataFrame, articles: pd.DataFrame, repeats: int = 200, seed: int = 2026
) -> pd.DataFrame:
    """Distances of the literature from every prior, with bootstrap intervals over articles.

    One row a quantity and prior: ``wasserstein`` in the literature's standard deviations, on the
    logarithmic scale (so that quantities can be added), ``ks``, ``inside_50`` and
    ``inside_95``, each with ``_low`` and ``_high``.  The rows "all" are means over the
    quantities, without an interval.
    """
    rows = []
    literature_values, simulated_values = comparable(articles), comparable(trials)
    for quantity in QUANTITIES:
        real = literature_values[quantity].dropna().to_numpy(float)
        unit = real.std(ddof=1)
        for prior, values in simulated_values.groupby(trials["prior"], sort=False)[quantity]:
            simulated = values.to_numpy(float) / unit
            row: dict[str, object] = {"quantity": quantity, "prior": prior, "articles": len(real)}
            row |= distances(real / unit, simulated)
            for name, (low, high) in bootstrap(real / unit, simulated, repeats, seed).items():
                row |= {f"{name}_low": low, f"{name}_high": high}
            rows.append(row)
    frame = pd.DataFrame(rows)
    names = ["wasserstein", "ks", "inside_50", "inside_95"]
    means = frame.groupby("prior", sort=False)[names].mean().reset_index()
    means.insert(0, "quantity", "all")
    return pd.concat([frame, means], ignore_index=True)


def quantile_table(trials: pd.DataFrame, articles: pd.DataFrame, levels: int = 39) -> pd.DataFrame:
    """Quantile-quantile pairs: columns quantity, prior, level, literature, simulated."""
    at = np.arange(1, levels + 1) / (levels + 1)
    parts = []
    for quantity in QUANTITIES:
        real = np.quantile(articles[quantity].dropna(), at)
        for prior, values in trials.groupby("prior", sort=False)[quantity]:
            parts.append(
                pd.DataFrame(
                    {
                        "quantity": quantity,
                        "prior": prior,
                        "level": at,
                        "literature": real,
                        "simulated": np.quantile(values, at),
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def _names() -> list[str]:
    return [f"q{100 * level:g}" for level in LEVELS]


NAMES = ("paper", "extended", "calibrated")


def calibration_tables(
    priors: Mapping[str, PriorConfig] | None = None,
    blocks: int = 32,
    studies: int = 384,
    repeats: int = 400,
    seed: int = 2027,
) -> dict[str, pd.DataFrame]:
    """All tables by name, for the three presets unless others are given.

    ``trials`` and ``articles``: the quantities, one row a trial or an article; ``bands``,
    ``distances``, ``quantiles``: see the functions of that name; ``cohorts``, ``ranks``,
    ``edges``: see :mod:`agmpk.paper.prior_fit.features`; ``ranges``: see :func:`range_table`.
    The seed is not that of the fit, so the trials are new ones.
    """
    priors = {name: load_prior(name) for name in NAMES} if priors is None else dict(priors)
    articles = literature()
    trials = trial_summaries(priors, articles, blocks, seed)
    cohorts = cohort_table()
    ranks = rank_table(cohorts, simulated_table(priors, studies, seed))
    return {
        "articles": articles.reset_index(),
        "trials": trials,
        "bands": band_table(trials, articles),
        "distances": distance_table(trials, articles, repeats, seed),
        "quantiles": quantile_table(trials, articles),
        "cohorts": cohorts,
        "ranks": ranks,
        "edges": edge_table(ranks),
        "ranges": range_table(priors),
    }


def range_table(priors: Mapping[str, PriorConfig]) -> pd.DataFrame:
    """The quantities that cohorts or literature changed: their range in every prior, and why."""
    reasons = {change.quantity: change.reason for change in CHANGES}
    rows = []
    for path in dict.fromkeys((*reasons, *RANGES, *SWITCHES)):
        group, name = path.split(".")
        found = {key: getattr(getattr(config, group), name) for key, config in priors.items()}
        fitted = path in RANGES or path in SWITCHES
        rows.append(
            {"group": group, "quantity": name}
            | {key: describe(value) for key, value in found.items()}
            | {"fitted": fitted, "cohorts": reasons.get(path, "")}
        )
    return pd.DataFrame(rows)


def write_tables(found: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """One CSV a table, except those that the seed and the literature give again."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in found.items():
        if name not in ("articles", "trials"):
            numbers = {c: frame[c].map(_short) for c in frame.select_dtypes("float")}
            write_csv(frame.assign(**numbers), folder / f"{name}.csv")


def _short(value: float) -> float:
    """Five significant digits, which is more than the simulation's noise leaves."""
    return float(f"{value:.5g}")
