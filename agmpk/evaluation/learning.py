"""Forecast quality against what is known: length of the prefix and size of the context."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from tqdm import tqdm

from agmpk.errors import AgmpkError
from agmpk.evaluation.calibration import refusal
from agmpk.evaluation.leave_one_out import Case, cases
from agmpk.evaluation.metrics import covered, crps, log_rmse
from agmpk.evaluation.people import people
from agmpk.evaluation.resample import cluster_mean
from agmpk.forecasting.forecaster import Forecaster
from agmpk.studies import Study

SCORES = ("log_rmse", "crps", "in_90")


@dataclass(frozen=True)
class Learning:
    """rows: model, compound, individual, prefix, context, seed, n_target, log_rmse, crps, in_90.
    refused: the same key and ``reason``."""

    rows: pd.DataFrame
    refused: pd.DataFrame


def learning_cases(
    compound: str,
    study: Study,
    prefixes: Iterable[int],
    sizes: Iterable[int] | None = None,
    seed: int = 0,
) -> Iterator[Case]:
    """Every question of a study: each individual x prefix length x number of context individuals.

    All questions about an individual have the same target points, those after the longest prefix,
    so that a curve over prefixes compares like with like; individuals without such points are left
    out.  Contexts are nested: for one seed, a larger one contains the smaller ones, drawn at random
    for each individual.  Sizes beyond the study's are skipped; None means 0 ... n - 1.
    """
    prefixes = sorted(set(prefixes))
    for case in cases(compound, study, prefixes[-1]):
        if not len(case.times):
            continue
        others = case.context.individuals
        order = np.random.default_rng(case.seed(seed)).permutation(len(others))
        for size in range(len(others) + 1) if sizes is None else sizes:
            if size > len(others):
                continue
            context = replace(case.context, individuals=[others[k] for k in order[:size]])
            for p in prefixes:
                yield replace(case, context=context, prefix=case.prefix.prefix(p))


def learning_curves(
    forecaster: Forecaster,
    studies: Mapping[str, Study],
    prefixes: Iterable[int] = range(9),
    sizes: Sequence[int] | None = None,
    n_samples: int = 100,
    seeds: Sequence[int] = (0,),
) -> Learning:
    """Score the forecasts of all :func:`learning_cases`, once for each seed of the contexts.

    A refused case (as prefix 0 with nobody in the context) is recorded and the others go on.
    """
    prefixes = list(prefixes)
    questions = [
        (seed, case)
        for seed in seeds
        for compound, study in studies.items()
        for case in learning_cases(compound, study, prefixes, sizes, seed)
    ]
    rows, refused = [], []
    for seed, case in tqdm(questions, desc=forecaster.name, unit="forecast", disable=None):
        more = {"context": len(case.context), "seed": seed}
        try:
            forecast = case.ask(forecaster, n_samples, seed)
        except AgmpkError as error:
            refused.append(refusal(forecaster.name, case, error) | more)
            continue
        rows.append(
            {
                "model": forecaster.name,
                "compound": case.compound,
                "individual": case.prefix.id,
                "prefix": len(case.prefix),
                **more,
                "n_target": len(case.times),
                "log_rmse": log_rmse(forecast.pred, case.observed),
                "crps": crps(np.log(forecast.samples), np.log(case.observed)).mean()
                if n_samples > 1
                else np.nan,
                "in_90": covered(forecast.samples, case.observed, 0.9).mean(),
            }
        )
    key = ["model", "compound", "individual", "prefix", "context", "seed"]
    return Learning(
        pd.DataFrame(rows, columns=[*key, "n_target", *SCORES]),
        pd.DataFrame(refused, columns=[*key, "reason"]),
    )


def learning_table(
    rows: pd.DataFrame,
    by: Sequence[str] = ("model", "prefix", "context"),
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean of each score over individuals per group, interval by bootstrap of people.

    Columns: by..., score, value, low, high, n_individuals, n_people.
    """
    table = []
    for key, group in rows.groupby(list(by), sort=True):
        person = people(group)
        found = cluster_mean(group[list(SCORES)].to_numpy(float), person, level, draws, seed)
        size = {
            "n_individuals": len(group.drop_duplicates(["compound", "individual"])),
            "n_people": person.nunique(),
        }
        for score, value, low, high in zip(SCORES, *found, strict=True):
            table.append(
                dict(zip(by, key, strict=True))
                | {"score": score, "value": value, "low": low, "high": high}
                | size
            )
    return pd.DataFrame(table)
