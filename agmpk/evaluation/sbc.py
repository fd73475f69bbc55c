"""Simulation-based calibration (Talts et al. 2018): on studies drawn from the prior, the rank of
the truth among the model's samples is uniform if the model is the prior's exact conditional law.

Shapes: n studies (or ranks, independent of each other), L samples each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom, chisquare
from tqdm import tqdm

from agmpk.evaluation.nca import auc
from agmpk.evaluation.protocol import REFUSED, Case, answer, question
from agmpk.evaluation.scores import pit
from agmpk.forecasting import Forecaster
from agmpk.studies import Study


@dataclass(frozen=True)
class Ranks:
    """ranks: model, study, prefix, quantity, rank (0 ... n_samples), n_samples.
    refused: model, compound, individual, prefix, reason."""

    ranks: pd.DataFrame
    refused: pd.DataFrame


def quantities(times: NDArray[np.float64], logs: NDArray[np.float64]) -> dict[str, NDArray]:
    """What is ranked, from ln concentrations [n, T] at unseen ``times`` [T] h: the first, middle
    and last point, Cmax and AUC over these points."""
    middle = logs.shape[1] // 2
    found = {"first": logs[:, 0], "middle": logs[:, middle], "last": logs[:, -1]}
    found["Cmax"] = logs.max(1)
    if logs.shape[1] > 1:
        found["AUC"] = np.array([auc(times, curve) for curve in np.exp(logs)])
    return found


def rank_truths(
    forecaster: Forecaster,
    studies: Iterable[Study],
    n_samples: int = 99,
    prefix: int | None = None,
    seed: int = 0,
) -> Ranks:
    """Rank the truth of one individual of each study among its forecast's samples.

    The law of the ranks is uniform for a model trained on the prior that ``studies`` were drawn
    from (``to_studies(simulate(prior, n, seed))``); another prior shows its difference.

    One individual a study, so that the ranks of a quantity are independent: the first with an
    observation beyond its prefix.  ``prefix`` None draws its length uniformly from 0 ... 8 (at
    most all points but one) for each study.
    """
    rng = np.random.default_rng(seed)
    rows, refused = [], []
    studies = tqdm(studies, desc=forecaster.name, unit="study", disable=None)
    asked = (case for study in studies for case in _one_case(study, prefix, rng))
    for scored in answer(forecaster, asked, n_samples, seed):
        case, forecast = scored.case, scored.forecast
        if forecast is None:
            refused.append(scored.refused_row(forecaster.name))
            continue
        shown = len(case.prefix.quantifiable())
        truth = quantities(case.times, np.log(case.observed)[None])
        for name, draws in quantities(case.times, np.log(forecast.samples)).items():
            rank = rank_of(draws[None], truth[name], case.seed(seed + 1))[0]
            rows.append((forecaster.name, case.compound, shown, name, int(rank), n_samples))
    key = ["model", "study", "prefix", "quantity", "rank", "n_samples"]
    return Ranks(pd.DataFrame(rows, columns=key), pd.DataFrame(refused, columns=REFUSED))


def _one_case(study: Study, prefix: int | None, rng: np.random.Generator) -> Iterator[Case]:
    """The first individual with something left to predict, if there is one."""
    shown = int(rng.integers(0, 9)) if prefix is None else prefix
    for one in study:
        size = len(one.after_dose())
        if size > (prefix or 0):
            context = study.without(one.id)
            yield question(study.compound, context, one, min(shown, size - 1))
            return


def sbc_table(ranks: pd.DataFrame, bins: int = 10) -> pd.DataFrame:
    """Per model and quantity: n, chi-square p, mean rank (0.5 is right), whether the ECDF leaves
    its 95 % envelope."""
    rows = []
    for (model, quantity), group in ranks.groupby(["model", "quantity"], sort=False):
        found, size = group["rank"].to_numpy(), int(group["n_samples"].iloc[0])
        rows.append(
            {
                "model": model,
                "quantity": quantity,
                "n": len(found),
                "mean_rank": (found.mean() + 0.5) / (size + 1),
                "p": rank_uniformity(found, size, bins),
                "outside": bool(ecdf_envelope(found, size)["outside"].any()),
            }
        )
    return pd.DataFrame(rows)


def rank_of(draws: NDArray[np.float64], truth: NDArray[np.float64], seed: int = 0) -> NDArray:
    """Rank [n] in 0 ... L of each ``truth`` [n] among its ``draws`` [n, L], ties at random."""
    size = draws.shape[1]
    # The randomized PIT is the rank plus a uniform number, over L + 1.
    return np.floor(pit(draws.T, np.asarray(truth), seed) * (size + 1) + 1e-9).astype(int)


def rank_histogram(ranks: NDArray, n_samples: int, bins: int = 10) -> pd.DataFrame:
    """Counts of ranks in ``bins`` classes with what a uniform law gives 99 % of the time.

    Columns: left, right (ranks, right one excluded), count, expected, low, high.
    """
    edges = np.round(np.linspace(0, n_samples + 1, bins + 1)).astype(int)
    share = np.diff(edges) / (n_samples + 1)
    low, high = binom.interval(0.99, len(ranks), share)
    count = np.histogram(ranks, edges - 0.5)[0]
    return pd.DataFrame(
        {
            "left": edges[:-1],
            "right": edges[1:],
            "count": count,
            "expected": len(ranks) * share,
            "low": low,
            "high": high,
        }
    )


def rank_uniformity(ranks: NDArray, n_samples: int, bins: int = 10) -> float:
    """p of the chi-square test of uniform ranks; give at least 5 ``bins`` studies."""
    table = rank_histogram(ranks, n_samples, bins)
    return float(chisquare(table["count"], table["expected"]).pvalue)


def ecdf_envelope(
    ranks: NDArray, n_samples: int, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """ECDF of the ranks minus the uniform's, with a simultaneous envelope.

    Pointwise binomial intervals, at the pointwise level at which ``level`` of uniform rank sets
    stay inside everywhere (Sailynoja, Burkner & Vehtari 2022).  Columns: z (rank / (L + 1)),
    difference, low, high, outside.
    """
    n = len(ranks)
    steps = np.arange(1, min(n_samples, 100) + 1)
    z = steps / (len(steps) + 1)
    cut = np.ceil(np.round(z * (n_samples + 1), 6)).astype(int)
    share = cut / (n_samples + 1)  # P(rank < cut)
    histograms = np.random.default_rng(seed).multinomial(
        n, np.full(n_samples + 1, 1 / (n_samples + 1)), size=draws
    )
    counts = histograms.cumsum(1)[:, cut - 1]
    tail = np.minimum(binom.cdf(counts, n, share), binom.sf(counts - 1, n, share))
    gamma = np.quantile(2 * tail.min(1), 1 - level)
    count = (np.asarray(ranks)[:, None] < cut).sum(0)
    low, high = binom.ppf(gamma / 2, n, share) / n, binom.ppf(1 - gamma / 2, n, share) / n
    found = count / n
    return pd.DataFrame(
        {
            "z": z,
            "difference": found - share,
            "low": low - share,
            "high": high - share,
            "outside": (found < low) | (found > high),
        }
    )
