"""Do forecasts keep what they promise?  By length of the prefix, size of the context, and on
studies whose truth the prior knows.

* :func:`calibrate`: coverage, CRPS and PIT of every left-out point after prefixes of any length.
* :func:`learning_curves`: error and coverage against prefix and context.
* :func:`rank_truths`: simulation-based calibration (Talts et al. 2018): on studies drawn from the
  prior, the rank of the truth among the model's samples is uniform if the model is the prior's
  exact conditional law.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import binom
from tqdm import tqdm

from agmpk.errors import AgmpkError
from agmpk.evaluation.compare import score, score_points
from agmpk.evaluation.exposure import auc
from agmpk.evaluation.intervals import cluster_mean, mean_table
from agmpk.evaluation.protocol import REFUSED, Case, Scored, answer, cases, question
from agmpk.evaluation.scores import LEVELS, pit
from agmpk.forecasting import Forecaster
from agmpk.studies.study import Array, Study

SCORES = ("log_rmse", "crps", "in_90")
NOMINAL = {f"in_{100 * level:g}": level for level in LEVELS} | {
    "crps": np.nan,
    "log_error": np.nan,
    "pit_mean": 0.5,
    "pit_spread": 1.0,
}


class Answered(NamedTuple):
    """rows: what is known of the answers, see the function that asked.  refused: model, compound,
    individual, prefix, reason; one row a refusal."""

    rows: pd.DataFrame
    refused: pd.DataFrame


def _ask(
    forecaster: Forecaster,
    questions: Iterable[Case],
    n_samples: int,
    seed: int,
    columns: Sequence[str],
    table: Callable[[Scored], pd.DataFrame],
) -> Answered:
    """Ask all questions, with a progress bar, and join the tables of the answers; ``columns`` of
    an empty one."""
    found, refused = [], []
    asked = tqdm(questions, desc=forecaster.name, unit="forecast", disable=None)
    for scored in answer(forecaster, asked, n_samples, seed):
        if scored.answer is None:
            refused.append(scored.refused_row(forecaster.name))
        else:
            found.append(table(scored))
    found = found or [pd.DataFrame(columns=columns)]
    rows = pd.concat(found, ignore_index=True)
    return Answered(rows, pd.DataFrame(refused, columns=REFUSED))


def calibrate(
    forecaster: Forecaster,
    studies: Mapping[str, Study],
    prefixes: Iterable[int] = range(9),
    n_samples: int = 200,
    seed: int = 0,
) -> Answered:
    """Forecast every left-out individual from each prefix length and score its unseen points.

    An individual with nothing left after a prefix is left out of that prefix's rows.

    Returns: rows as of ``score_points``, with ``prefix``, the number of quantified samples shown.
    """
    questions = [
        case
        for p in prefixes
        for compound, study in studies.items()
        for case in cases(compound, study, p)
        # A shorter record would stand under a prefix it does not have.
        if case.held_out and len(case.prefix.quantifiable()) == p
    ]

    def table(scored: Scored) -> pd.DataFrame:
        rows = score_points(forecaster.name, scored, seed)
        rows.insert(3, "prefix", len(scored.case.prefix.quantifiable()))
        return rows

    return _ask(forecaster, questions, n_samples, seed, REFUSED[:4], table)


def calibration_table(
    points: pd.DataFrame, by: Sequence[str] = ("model",), draws: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Tidy table of calibration per group: one row a quantity, intervals by bootstrap of people.

    ``by`` names columns of ``points``, e.g. ``("model", "prefix")`` or ``("model", "compound")``.
    Quantities: ``in_50`` ... ``in_95`` (share of points inside the central interval), ``crps``
    (of ln concentration), ``log_error`` (|ln PRED - ln DV|), ``pit_mean`` (0.5 is right, below
    means forecasts too high), ``pit_spread`` (12 x mean (PIT - 0.5)^2: 1 is right, above 1 too
    narrow or off, below 1 too wide).
    Columns: by..., quantity, nominal, value, low, high, n (points), n_people.

    Raises:
        AgmpkError: there is no point.
    """
    if points.empty:
        raise AgmpkError("No sample was left to forecast: show fewer of each individual.")
    frame = points.assign(pit_mean=points["pit"], pit_spread=12 * (points["pit"] - 0.5) ** 2)
    table = mean_table(frame, by, list(NOMINAL), "quantity", draws=draws, seed=seed)
    table.insert(len(by) + 1, "nominal", table["quantity"].map(NOMINAL))
    return table


def outside_table(
    points: pd.DataFrame, by: Sequence[str] = ("model",), seed: int = 0
) -> pd.DataFrame:
    """Shares of observations below, above and outside the central 90 % of the generated ones (5 %,
    5 % and 10 % are right) and mean PIT (0.5 is right), with bootstrap intervals over people.

    ``points`` as in :class:`agmpk.evaluation.cohorts.CohortEvaluation`; ``by`` names columns of it.
    Columns: by..., measure, value, low, high, n, n_people.
    """
    side = points["outside"]
    frame = points.assign(below=side < 0, above=side > 0, outside=side != 0, pit_mean=points["pit"])
    return mean_table(frame, by, ("below", "above", "outside", "pit_mean"), "measure", seed=seed)


def coverage_by_chance(
    scored: Iterable[Scored], level: float = 0.9, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Coverage of each compound if the forecasts were right: a row a draw, a column a compound.

    In a draw each individual's held-out values are replaced by one of the curves that were forecast
    for it; samples below a limit are left out.  So points of an individual keep hanging together,
    and a compound of few points may well be far from ``level``; that the individuals of a study are
    forecast from each other is left out.
    """
    rng, inside, points = np.random.default_rng(seed), {}, {}
    for one in scored:
        if one.forecast is None:
            continue
        # The place of each sample among its like, which are all equally likely to be the truth.
        ranks = one.forecast.samples.argsort(0).argsort(0)
        within = np.abs((ranks + 0.5) / len(ranks) - 0.5) < level / 2
        drawn = within.sum(1)[rng.integers(len(ranks), size=draws)]
        name = one.case.compound
        inside[name] = inside.get(name, 0) + drawn
        points[name] = points.get(name, 0) + len(one.case.times)
    return pd.DataFrame({name: inside[name] / points[name] for name in inside})


def pit_histogram(pits: ArrayLike, clusters: ArrayLike, seed: int = 0) -> pd.DataFrame:
    """Density of PIT values [N] in ten bins, with 95 % intervals by bootstrap of ``clusters`` [N].

    Columns: left, right, density (1 is right), low, high.
    """
    edges = np.linspace(0, 1, 11)
    member = np.clip(np.searchsorted(edges, np.asarray(pits), side="right") - 1, 0, 9)
    found = cluster_mean(np.eye(10)[member] * 10, clusters, seed=seed)
    columns = ("left", "right", "density", "low", "high")
    return pd.DataFrame(dict(zip(columns, (edges[:-1], edges[1:], *found), strict=True)))


def learning_cases(
    compound: str, study: Study, prefixes: Iterable[int], sizes: Iterable[int], seed: int = 0
) -> Iterator[Case]:
    """Every question of a study: each individual x prefix length x number of context individuals.

    All questions about an individual have the same target points, those after the longest prefix,
    so that a curve over prefixes compares like with like; individuals without such points are left
    out.  Contexts are nested: for one seed, a larger one contains the smaller ones, drawn at random
    for each individual.  Sizes beyond the study's are skipped.  The times asked are those of the
    whole study, whatever the context.
    """
    prefixes = sorted(set(prefixes))
    for case in cases(compound, study, prefixes[-1]):
        if not len(case.times):
            continue
        others = case.context.individuals
        order = np.random.default_rng(case.seed(seed)).permutation(len(others))
        for size in sizes:
            if size > len(others):
                continue
            context = replace(case.context, individuals=[others[k] for k in order[:size]])
            for p in prefixes:
                yield replace(case, context=context, prefix=case.prefix.shown(p))


def learning_curves(
    forecaster: Forecaster,
    studies: Mapping[str, Study],
    prefixes: Iterable[int],
    sizes: Sequence[int],
    n_samples: int = 100,
    seed: int = 0,
) -> Answered:
    """Score the forecasts of all :func:`learning_cases`; prefix 0 with nobody in the context is
    refused by models that need somebody.

    Returns: rows model, compound, individual, prefix, context, n_target and ``SCORES``.
    """
    questions = [
        case
        for compound, study in studies.items()
        for case in learning_cases(compound, study, prefixes, sizes, seed)
    ]
    columns = ["model", "compound", "individual", "prefix", "context", "n_target", *SCORES]

    def table(scored: Scored) -> pd.DataFrame:
        row, case = score(forecaster.name, scored), scored.case
        row |= {"prefix": len(case.prefix.quantifiable()), "context": len(case.context)}
        return pd.DataFrame([row | {"in_90": row["covered_90"]}], columns=columns)

    return _ask(forecaster, questions, n_samples, seed, columns, table)


def learning_table(
    rows: pd.DataFrame,
    by: Sequence[str] = ("model", "prefix", "context"),
    draws: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean of each score over individuals per group, interval by bootstrap of people.

    Columns: by..., score, value, low, high, n (rows), n_people.
    """
    ordered = rows.sort_values(list(by), kind="stable")
    return mean_table(ordered, by, SCORES, "score", draws=draws, seed=seed)


def _quantities(times: Array, logs: Array) -> dict[str, Array]:
    """What is ranked, from ln concentrations [n, T] at unseen ``times`` [T] h: the first, middle
    and last point, Cmax and AUC over these points."""
    places = {"first": 0, "middle": logs.shape[1] // 2, "last": -1}
    found = {name: logs[:, k] for name, k in places.items()} | {"Cmax": logs.max(1)}
    return found | ({"AUC": auc(times, np.exp(logs))} if logs.shape[1] > 1 else {})


def rank_truths(
    forecaster: Forecaster,
    studies: Iterable[Study],
    n_samples: int = 99,
    prefix: int | None = None,
    seed: int = 0,
) -> Answered:
    """Rank the truth of one individual of each study among its forecast's samples.

    The law of the ranks is uniform for a model trained on the prior that ``studies`` were drawn
    from (``to_studies(simulate(prior, n, seed))``); another prior shows its difference.

    One individual a study, so that the ranks of a quantity are independent: the first with an
    observation beyond its prefix.  ``prefix`` None draws its length uniformly from 0 ... 8 (at
    most all points but one) for each study.

    Returns: rows model, study, prefix, quantity, rank (0 ... n_samples, ties at random), n_samples.
    """
    rng, questions = np.random.default_rng(seed), []
    columns = ["model", "study", "prefix", "quantity", "rank", "n_samples"]
    for study in studies:
        wanted = int(rng.integers(0, 9)) if prefix is None else prefix
        able = (one for one in study if len(one.after_dose()) > (prefix or 0))
        if (one := next(able, None)) is not None:
            number = min(wanted, len(one.after_dose()) - 1)
            questions.append(question(study.compound, study.without(one.id), one, number))

    def table(scored: Scored) -> pd.DataFrame:
        case, rows = scored.case, []
        about = forecaster.name, case.compound, len(case.prefix.quantifiable())
        truth = _quantities(case.times, np.log(case.observed)[None])
        for name, draws in _quantities(case.times, np.log(scored.forecast.samples)).items():
            # The randomized PIT is the rank plus a uniform number, over n_samples + 1.
            place = pit(draws[:, None], truth[name], case.seed(seed + 1))[0]
            rows.append((*about, name, int(place * (n_samples + 1) + 1e-9), n_samples))
        return pd.DataFrame(rows, columns=columns)

    return _ask(forecaster, questions, n_samples, seed, columns, table)


def sbc_table(ranks: pd.DataFrame) -> pd.DataFrame:
    """Per model and quantity: n, mean rank (0.5 is right), whether the ECDF leaves its 95 %
    envelope."""
    rows = []
    for (model, quantity), group in ranks.groupby(["model", "quantity"], sort=False):
        found, size = group["rank"].to_numpy(), int(group["n_samples"].iloc[0])
        outside = bool(ecdf_envelope(found, size)["outside"].any())
        rows.append((model, quantity, len(found), (found.mean() + 0.5) / (size + 1), outside))
    return pd.DataFrame(rows, columns=["model", "quantity", "n", "mean_rank", "outside"])


def ecdf_envelope(ranks: Array, n_samples: int, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
    """ECDF of the ranks minus the uniform's, with a simultaneous 95 % envelope.

    Pointwise binomial intervals, at the pointwise level at which 95 % of uniform rank sets stay
    inside everywhere (Sailynoja, Burkner & Vehtari 2022).  Columns: z (rank / (L + 1)),
    difference, low, high, outside.
    """
    z, cut, share, low, high = _envelope(len(ranks), n_samples, draws, seed)
    found = (np.asarray(ranks)[:, None] < cut).sum(0) / len(ranks)
    outside = (found < low) | (found > high)
    columns = {"z": z, "difference": found - share, "low": low - share, "high": high - share}
    return pd.DataFrame(columns | {"outside": outside})


@functools.lru_cache(maxsize=16)  # the quantities of a table have as many ranks each
def _envelope(n: int, n_samples: int, draws: int, seed: int) -> tuple[Array, ...]:
    """What is the same for all ranks of this number: z, cut, P(rank < cut), low, high."""
    steps = np.arange(1, min(n_samples, 100) + 1)
    z = steps / (len(steps) + 1)
    cut = np.ceil(np.round(z * (n_samples + 1), 6)).astype(int)
    share = cut / (n_samples + 1)
    uniform = np.full(n_samples + 1, 1 / (n_samples + 1))
    histograms = np.random.default_rng(seed).multinomial(n, uniform, size=draws)
    counts = histograms.cumsum(1)[:, cut - 1]
    tail = np.minimum(binom.cdf(counts, n, share), binom.sf(counts - 1, n, share))
    gamma = np.quantile(2 * tail.min(1), 0.05)
    low, high = binom.ppf(gamma / 2, n, share) / n, binom.ppf(1 - gamma / 2, n, share) / n
    return z, cut, share, low, high
