"""Simulation-based calibration (Talts et al. 2018): on studies drawn from the prior, the rank of
the truth among the model's samples is uniform if the model is the prior's exact conditional law.

Shapes: n studies, L samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from agmpk.evaluation.leave_one_out import REFUSED, Case, answer
from agmpk.evaluation.nca import auc
from agmpk.evaluation.ranks import ecdf_envelope, rank_of, rank_uniformity
from agmpk.forecasting.forecaster import Forecaster
from agmpk.prior import PriorConfig, simulate
from agmpk.prior.table import to_studies
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

    One individual a study, so that the ranks of a quantity are independent: the first with an
    observation beyond its prefix.  ``prefix`` None draws its length uniformly from 0 ... 8 (at
    most all points but one) for each study.
    """
    rng = np.random.default_rng(seed)
    rows, refused = [], []
    studies = tqdm(studies, desc=forecaster.name, unit="study", disable=None)
    asked = (case for study in studies for case in _one_case(study.after_dose(), prefix, rng))
    for scored in answer(forecaster, asked, n_samples, seed):
        case, forecast = scored.case, scored.forecast
        if forecast is None:
            refused.append(scored.refused_row(forecaster.name))
            continue
        truth = quantities(case.times, np.log(case.observed)[None])
        for name, draws in quantities(case.times, np.log(forecast.samples)).items():
            rank = rank_of(draws[None], truth[name], case.seed(seed + 1))[0]
            rows.append(
                (forecaster.name, case.compound, len(case.prefix), name, int(rank), n_samples)
            )
    key = ["model", "study", "prefix", "quantity", "rank", "n_samples"]
    return Ranks(pd.DataFrame(rows, columns=key), pd.DataFrame(refused, columns=REFUSED))


def _one_case(study: Study, prefix: int | None, rng: np.random.Generator) -> Iterator[Case]:
    """The first individual with something left to predict, if there is one."""
    shown = int(rng.integers(0, 9)) if prefix is None else prefix
    one = next((one for one in study if len(one) > (prefix or 0)), None)
    if one is not None:
        shown = min(shown, len(one) - 1)
        yield Case(study.compound, study.without(one.id), one.prefix(shown), *one.rest(shown))


def simulation_based_calibration(
    forecaster: Forecaster,
    config: PriorConfig,
    n_studies: int = 200,
    n_samples: int = 99,
    prefix: int | None = None,
    seed: int = 0,
) -> Ranks:
    """:func:`rank_truths` on ``n_studies`` studies drawn from the prior ``config``.

    The uniform law is due to a model trained on that prior; another prior shows its difference.
    """
    studies = to_studies(simulate(config, n_studies, seed))
    return rank_truths(forecaster, studies, n_samples, prefix, seed)


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
