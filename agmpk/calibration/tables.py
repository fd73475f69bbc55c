"""Every table of the calibration, computed once and stored for the book."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from agmpk.calibration.changes import CHANGES
from agmpk.calibration.cohorts import cohort_table, edge_table, rank_table, simulated_table
from agmpk.calibration.compare import band_table, distance_table, quantile_table, trial_summaries
from agmpk.calibration.literature import literature
from agmpk.calibration.ranges import RANGES, SWITCHES
from agmpk.files import write_csv
from agmpk.prior import PriorConfig, load_prior
from agmpk.prior.config import describe

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
    ``distances``, ``quantiles``: see :mod:`agmpk.calibration.compare`; ``cohorts``, ``ranks``,
    ``edges``: see :mod:`agmpk.calibration.cohorts`; ``ranges``: see :func:`range_table`.
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
