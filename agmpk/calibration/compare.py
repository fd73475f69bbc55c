"""Priors beside the literature: the tables from which the figures of the chapter are drawn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from agmpk.calibration.distances import LEVELS, bootstrap, distances
from agmpk.calibration.literature import horizons, literature
from agmpk.calibration.summaries import QUANTITIES, comparable
from agmpk.calibration.trials import be_trials, simulated_trials
from agmpk.prior import PriorConfig


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
