"""Priors beside the literature and the development cohorts: distances, features, and every table of
the chapter, which is computed once and stored.

Features of the curves and of the sampling design of one study, real or simulated: one code for
both.  Every spread is an SD between individuals of a natural logarithm, so 0.3 is a %CV of about
30.  A cohort is compared with simulated studies of its kind: oral or intravenous, drug or
metabolite, single dose.  The 20 compounds of the benchmark take no part in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid

from agmpk.evaluation import development_studies
from agmpk.evaluation.exposure import curve_spread, nca
from agmpk.evaluation.study_statistics import bends
from agmpk.files import data_path, write_csv
from agmpk.paper.prior_fit.fit import CHANGES, RANGES, SWITCHES, get
from agmpk.paper.prior_fit.trials import (
    MEANINGS,
    PLAIN_DOSING,
    QUANTITIES,
    be_trials,
    comparable,
    distances,
    horizons,
    literature,
    simulated_trials,
)
from agmpk.prior import PriorConfig, simulate
from agmpk.prior.config import describe
from agmpk.prior.table import to_studies
from agmpk.studies import Individual, Study

Array = NDArray[np.float64]

NAMES = ("paper", "extended", "calibrated", "clinic")
LEVELS = (0.025, 0.25, 0.5, 0.75, 0.975)


def half_sample_intervals(estimate: Mapping[str, float], halves: pd.DataFrame) -> dict[str, float]:
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

    ``real`` has one row a real study, on the scale on which distances are measured, NaN where a
    study does not give one of ``quantities``; ``simulated`` likewise, with a column ``prior``.
    ``clusters`` are drawn as one when ``repeats`` random halves of the real studies are drawn (a
    drug, say); every row by itself where left out.

    Columns quantity, prior, n, and ``wasserstein`` (in standard deviations of the real values, so
    that quantities can be averaged) and ``inside_95``, each with ``_low`` and ``_high``. The rows
    "all" are means over the quantities.
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
    :mod:`agmpk.paper.prior_fit.compare`; ``ranges``: see :func:`range_table`.
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


FEATURES = MEANINGS["curves"]

PEOPLE = 4
"""Individuals that a spread or a correlation needs at least."""


def curve_features(study: Study) -> dict[str, float]:
    """The features of :data:`FEATURES` of a single-dose study; NaN where it says too little."""
    people = [one for one in study.after_dose() if len(one) >= 4]
    values = individual_features(people)
    out = curve_spread(study) | {"noise": roughness(people)}
    total = out["level"] ** 2 + out["shape"] ** 2
    out["level_share"] = out["level"] ** 2 / total if total > 0 else np.nan
    out |= {f"sd_{name}": _sd(values[name]) for name in values}
    for pair in ("cmax_slope", "cmax_tmax", "late_slope", "early_late"):
        first, second = pair.split("_")
        out[f"r_{pair}"] = _correlation(values[first], values[second])
    return {name: out[name] for name in FEATURES}


def individual_features(people: list[Individual]) -> pd.DataFrame:
    """One row an individual: ln of dose-normalized Cmax, Tmax, terminal slope, early and late AUC.

    Early and late meet at the median time at which half of an individual's AUC has passed, and end
    at the earliest last sample; both parts are NaN where an individual starts after the former.
    """
    rows = []
    areas = [cumulative_trapezoid(one.concentrations, one.times, initial=0) for one in people]
    half = [np.interp(0.5 * a[-1], a, one.times) for one, a in zip(people, areas, strict=True)]
    split = float(np.median(half)) if half else np.nan
    end = min((one.times[-1] for one in people), default=np.nan)
    for one, area in zip(people, areas, strict=True):
        dose = sum(d.amount for d in one.single_doses())
        found = nca(one.times, one.concentrations / dose)
        at_split, at_end = np.interp([split, end], one.times, area / dose)
        early = at_split if at_split > 0 else np.nan
        late = at_end - at_split if at_end > at_split > 0 else np.nan
        rows.append((found["Cmax"], found["Tmax"], found["lambda_z"], early, late))
    return np.log(pd.DataFrame(rows, columns=["cmax", "tmax", "slope", "early", "late"]))


def roughness(people: list[Individual]) -> float:
    """SD of the noise of single samples, from how far each leaves the line between its neighbours.

    The study's mean log-curve is taken away first, so that a curvature that all share does not
    count.  The median absolute value is scaled as of a normal law, so that single outliers do not
    matter.  What remains is an upper bound of the assay's error: individual curves also differ in
    curvature.
    """
    if len(people) < PEOPLE:
        return np.nan
    grid = np.unique(np.concatenate([one.times for one in people]))
    logs = [(one.times, np.log(one.concentrations)) for one in people]
    curves = np.array([np.interp(grid, *one, left=np.nan, right=np.nan) for one in logs])
    # Each curve is centred on the others at the times it covers, not on who happens to be there.
    mean = np.nanmean(curves - np.nanmean(curves, axis=1, keepdims=True), axis=0)
    residuals = [bends(t, y - np.interp(t, grid, mean)) for t, y in logs]
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


DESIGN_FEATURES = MEANINGS["designs"]


def design_features(study: Study) -> dict[str, float]:
    """Medians over the individuals with four or more quantified samples; NaN if there are none."""
    people = [one for one in study.after_dose() if len(one) >= 4]
    if not people:
        return dict.fromkeys(DESIGN_FEATURES, np.nan)
    rows = []
    for one in people:
        found, t = nca(one.times, one.concentrations), one.times
        fall = np.log(found["Cmax"] / one.concentrations[-1])
        first, last = t[0] / found["Tmax"], t[-1] / found["t_half"]
        early = np.mean(t <= t[-1] / 4)
        rows.append((len(one), first, one.concentrations.argmax(), last, fall, early))
    doses = np.log([sum(d.amount for d in one.single_doses()) for one in people])
    return {
        "individuals": float(len(study)),
        **pd.DataFrame(rows, columns=list(DESIGN_FEATURES)[1:7], dtype=float).median(),
        "shared": shared_times([one.times for one in people]),
        "dose_spread": float(np.std(doses, ddof=1)) if len(people) > 1 else 0.0,
    }


def shared_times(times: list[np.ndarray]) -> float:
    """The share of samples taken at a time (to the minute) that another individual has as well."""
    minutes = np.round(np.concatenate(times) * 60).astype(int)
    _, inverse, counts = np.unique(minutes, return_inverse=True, return_counts=True)
    return float(np.mean(counts[inverse] > 1))


ALL_FEATURES = {**FEATURES, **DESIGN_FEATURES}
# Doses per kg and arms stay: the cohorts have both.
_STAY = {"same_dose_probability", "per_kg_probability", "arms_probability"}
SINGLE_DOSES = {name: value for name, value in PLAIN_DOSING.items() if name not in _STAY}
RICH = {f"{name}_probability": 0.0 for name in ("sparse", "sparse_large", "thin")}
RICH |= {"caps": (0,), "individuals": tuple(range(4, 25))}
KINDS = {"oral": (1.0, 0.0), "oral metabolite": (1.0, 1.0), "intravenous": (0.0, 0.0)}
"""By kind: whether it is oral, and whether the metabolite is measured."""


def cohort_table() -> pd.DataFrame:
    """One row a development cohort: ``cohort``, ``kind`` (see ``KINDS``) and its features."""
    catalogue = pd.read_csv(data_path("development", "cohorts.csv"), index_col="cohort")
    rows = []
    for name, study in development_studies().items():
        row = catalogue.loc[name]
        kind = "oral metabolite" if row.kind == "metabolite" else "oral"
        about = {"cohort": name, "kind": kind if row.route == "oral" else "intravenous"}
        rows.append(about | curve_features(study) | design_features(study))
    return pd.DataFrame(rows)


def simulated_table(
    priors: Mapping[str, PriorConfig], studies: int = 256, seed: int = 2026
) -> pd.DataFrame:
    """One row a simulated study: ``prior``, ``kind`` and its features; ``studies`` of each kind."""
    rows = []
    for name, config in priors.items():
        for kind, (oral, metabolite) in KINDS.items():
            if metabolite and not config.metabolite.probability:
                continue
            only = config.replace(
                dosing=SINGLE_DOSES | {"oral_probability": oral},
                metabolite={"probability": metabolite},
                # Rich studies of up to two dozen people, of a prior that draws others besides.
                design=RICH if any(config.design.caps) else {},
            )
            for study in to_studies(simulate(only, studies, seed)):
                about = {"prior": name, "kind": kind}
                rows.append(about | curve_features(study) | design_features(study))
    return pd.DataFrame(rows)


def rank_table(real: pd.DataFrame, simulated: pd.DataFrame) -> pd.DataFrame:
    """The place of every cohort in every prior, one row a cohort, prior and feature.

    Columns: cohort, kind, prior, feature, meaning, real, q5, q50, q95 and ``rank``: the share of
    simulated studies of that kind below the real value (ties count half).
    """
    rows = []
    for (prior, kind), group in simulated.groupby(["prior", "kind"], sort=False):
        for _, cohort in real[real["kind"] == kind].iterrows():
            for feature, meaning in ALL_FEATURES.items():
                values, value = group[feature].dropna().to_numpy(float), cohort[feature]
                if len(values) and np.isfinite(value):
                    ends = np.quantile(values, [0.05, 0.5, 0.95])
                    rank = float(np.mean(values < value) + 0.5 * np.mean(values == value))
                    about = cohort["cohort"], kind, prior, feature, meaning, float(value)
                    rows.append((*about, *ends, rank))
    names = ["cohort", "kind", "prior", "feature", "meaning", "real", "q5", "q50", "q95", "rank"]
    return pd.DataFrame(rows, columns=names)


def edge_table(ranks: pd.DataFrame) -> pd.DataFrame:
    """How often real cohorts lie at the edge, one row a feature and prior.

    Columns: cohorts, ``outside`` (number outside the central 90 %), ``low`` and ``high`` (of
    these, below and above) and ``mean_rank``, 0.5 where the prior is centred on the cohorts.
    """
    frame = ranks.assign(low=ranks["rank"] < 0.05, high=ranks["rank"] > 0.95)
    table = frame.groupby(["feature", "meaning", "prior"], sort=False).agg(
        cohorts=("rank", "size"),
        low=("low", "sum"),
        high=("high", "sum"),
        mean_rank=("rank", "mean"),
    )
    table.insert(1, "outside", table["low"] + table["high"])
    return table.reset_index()
