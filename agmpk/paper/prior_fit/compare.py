"""Priors beside the literature and the cohorts: distances, and every table of the chapter.

The tables are computed once and stored, and the figures of the chapter are drawn from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agmpk.files import write_csv
from agmpk.paper.prior_fit.features import cohort_table, edge_table, rank_table, simulated_table
from agmpk.paper.prior_fit.fit import CHANGES, RANGES, SWITCHES, get
from agmpk.paper.prior_fit.trials import (
    QUANTITIES,
    be_trials,
    comparable,
    distances,
    horizons,
    literature,
    simulated_trials,
)
from agmpk.prior import PriorConfig
from agmpk.prior.config import describe

Array = NDArray[np.float64]

NAMES = ("paper", "extended", "calibrated", "clinic")
LEVELS = (0.025, 0.25, 0.5, 0.75, 0.975)


def half_sample_intervals(
    estimate: Mapping[str, float], halves: pd.DataFrame
) -> dict[str, float]:
    """A 95 % interval (``_low``, ``_high``) of each distance from random halves of the real sample.

    A distance of a resampled sample is larger than that of the sample itself, so percentiles of a
    bootstrap need not hold the estimate. The spread of a distance over halves drawn without
    replacement is that of the whole sample's (the delete-half jackknife); its middle, which is
    biased, is not used: the interval is the estimate minus the distances of the halves from their
    own median. It holds the estimate always, and ends at 0 and, for shares, at 1.
    """
    low, middle, high = (halves.quantile(q) for q in (0.025, 0.5, 0.975))
    found = {}
    for name, value in estimate.items():
        ceiling = np.inf if name.startswith("wasserstein") else 1.0
        found[f"{name}_low"] = max(float(value - (high[name] - middle[name])), 0.0)
        found[f"{name}_high"] = min(float(value + (middle[name] - low[name])), ceiling)
    return found


def agreement(
    real: pd.DataFrame,
    simulated: pd.DataFrame,
    quantities: Iterable[str],
    clusters: pd.Series | None = None,
    repeats: int = 200,
    seed: int = 2026,
) -> pd.DataFrame:
    """Distances of real studies from simulated ones of each prior, one row a quantity and prior.

    Args:
        real: one row a real study, on the scale on which distances are measured; NaN where a
            study does not give a quantity.
        simulated: likewise, with a column ``prior``.
        quantities: the columns to compare.
        clusters: what is drawn as one when halves of the real studies are drawn (a drug, say);
            every row by itself where left out.
        repeats: number of random halves.
        seed: of the halves.

    Returns:
        Columns quantity, prior, n, and ``wasserstein`` (in standard deviations of the real
        values, so that quantities can be averaged) and ``inside_95``, each with ``_low`` and
        ``_high``. The rows "all" are means over the quantities.
    """
    names = np.arange(len(real)) if clusters is None else pd.factorize(clusters)[0]
    rng, count = np.random.default_rng(seed), int(names.max()) + 1
    halves = [np.isin(names, rng.permutation(count)[: count // 2]) for _ in range(repeats)]
    rows, means = [], []
    for prior, group in simulated.groupby("prior", sort=False):
        estimates, drawn = [], []
        for quantity in quantities:
            values = real[quantity].to_numpy(float)
            there, theirs = np.isfinite(values), group[quantity].dropna().to_numpy(float)
            unit = values[there].std(ddof=1)
            values, theirs = values / unit, theirs / unit
            estimates.append(distances(values[there], theirs))
            some = [half & there for half in halves if (half & there).any()]
            drawn.append(pd.DataFrame([distances(values[half], theirs) for half in some]))
            row = {"quantity": quantity, "prior": prior, "n": int(there.sum())}
            intervals = half_sample_intervals(estimates[-1], drawn[-1])
            rows.append(row | estimates[-1] | intervals)
        mean = pd.DataFrame(estimates).mean().to_dict()
        row = {"quantity": "all", "prior": prior, "n": len(real)}
        means.append(row | mean | half_sample_intervals(mean, sum(drawn) / len(drawn)))
    return pd.DataFrame(rows + means)


def trial_summaries(
    priors: Mapping[str, PriorConfig], articles: pd.DataFrame, blocks: int = 16, seed: int = 2026
) -> pd.DataFrame:
    """Simulated trials of every prior: a column ``prior`` and the quantities, one row a trial.

    ``blocks`` blocks of 64 trials each, at the last sampling times of the articles.
    """
    ends, parts = horizons(articles), []
    for name, config in priors.items():
        trials = simulated_trials(be_trials(config, ends), seed, blocks)
        trials = trials[[*QUANTITIES, "t_last"]].dropna()
        trials.insert(0, "prior", name)
        parts.append(trials)
    return pd.concat(parts, ignore_index=True)


def quantile_table(
    meanings: Mapping[str, str],
    sources: Mapping[str, pd.DataFrame],
    levels: Iterable[float],
) -> pd.DataFrame:
    """Quantiles (columns q5 and so on) of each quantity in every source, with its meaning and n."""
    rows = []
    for quantity, meaning in meanings.items():
        for source, frame in sources.items():
            values = frame[quantity].dropna()
            rows.append((quantity, meaning, source, len(values), *np.quantile(values, levels)))
    names = [f"q{100 * level:g}" for level in levels]
    return pd.DataFrame(rows, columns=["quantity", "meaning", "source", "n", *names])


def band_table(trials: pd.DataFrame, articles: pd.DataFrame) -> pd.DataFrame:
    """Quantiles (columns q2.5 ... q97.5) of each quantity in every prior and in the literature."""
    sources = {"literature": articles} | dict(list(trials.groupby("prior", sort=False)))
    return quantile_table(QUANTITIES, sources, LEVELS)


def distance_table(
    trials: pd.DataFrame, articles: pd.DataFrame, repeats: int = 200, seed: int = 2026
) -> pd.DataFrame:
    """Distances of the literature from every prior, see :func:`agreement`: halves of articles."""
    simulated = comparable(trials).assign(prior=trials["prior"])
    return agreement(comparable(articles), simulated, QUANTITIES, None, repeats, seed)


def calibration_tables(priors: Mapping[str, PriorConfig], seed: int) -> dict[str, pd.DataFrame]:
    """All tables of the priors beside literature and cohorts, by name.

    ``bands``, ``distances``: see the functions of that name; ``cohorts``, ``ranks``, ``edges``: see
    :mod:`agmpk.paper.prior_fit.features`; ``ranges``: see :func:`range_table`.
    The seed is not that of the fit, so the trials are new ones.
    """
    articles = literature()
    trials = trial_summaries(priors, articles, seed=seed)
    cohorts = cohort_table()
    ranks = rank_table(cohorts, simulated_table(priors, 128, seed))
    return {
        "bands": band_table(trials, articles),
        "distances": distance_table(trials, articles, seed=seed),
        "cohorts": cohorts,
        "ranks": ranks,
        "edges": edge_table(ranks),
        "ranges": range_table(priors),
    }


def range_table(priors: Mapping[str, PriorConfig]) -> pd.DataFrame:
    """The quantities that cohorts or literature changed: their range in every prior, and why."""
    rows = []
    for path in dict.fromkeys((*CHANGES, *RANGES, *SWITCHES)):
        group, name = path.split(".")
        row = {"group": group, "quantity": name}
        row |= {key: describe(get(config, path)) for key, config in priors.items()}
        row |= {"fitted": path in RANGES or path in SWITCHES}
        rows.append(row | {"cohorts": CHANGES.get(path, {"reason": ""})["reason"]})
    return pd.DataFrame(rows)


def write_tables(found: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """One CSV a table, with five significant digits: more than the simulation's noise leaves."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in found.items():
        floats = frame.select_dtypes("float").map(lambda value: float(f"{value:.5g}"))
        write_csv(frame.assign(**floats), folder / f"{name}.csv")
