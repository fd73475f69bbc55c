"""Forecast quality against what is known: length of the prefix and size of the context."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from tqdm import tqdm

from agmpk.evaluation.compare import score
from agmpk.evaluation.intervals import Estimate, cluster_mean, people
from agmpk.evaluation.protocol import Case, answer, cases, shown
from agmpk.forecasting import Forecaster
from agmpk.studies import Study

CONTEXT_SIZES = (1, 2, 5, 10, 20, 50, 100)  # individuals; those beyond a study's are skipped
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
    targets: int | None = None,
    protocol: str = "study",
) -> Iterator[Case]:
    """Every question of a study: each individual x prefix length x number of context individuals.

    All questions about an individual have the same target points, those after the longest prefix,
    so that a curve over prefixes compares like with like; individuals without such points are left
    out.  Contexts are nested: for one seed, a larger one contains the smaller ones, drawn at random
    for each individual.  Sizes beyond the study's are skipped; None means 0 ... n - 1.  The times
    asked are those of the whole study, whatever the context.  ``targets`` asks about that many
    individuals, drawn at random, as a large study needs.
    """
    prefixes = sorted(set(prefixes))
    asked = [case for case in cases(compound, study, prefixes[-1], protocol) if len(case.times)]
    if targets is not None and targets < len(asked):
        chosen = np.random.default_rng(seed).permutation(len(asked))[:targets]
        asked = [asked[k] for k in sorted(chosen)]
    for case in asked:
        others = case.context.individuals
        order = np.random.default_rng(case.seed(seed)).permutation(len(others))
        for size in range(len(others) + 1) if sizes is None else sizes:
            if size > len(others):
                continue
            context = replace(case.context, individuals=[others[k] for k in order[:size]])
            for p in prefixes:
                yield replace(case, context=context, prefix=shown(case.prefix, p))


def learning_curves(
    forecaster: Forecaster,
    studies: Mapping[str, Study],
    prefixes: Iterable[int] = range(9),
    sizes: Sequence[int] | None = None,
    n_samples: int = 100,
    seeds: Sequence[int] = (0,),
    targets: int | None = None,
    protocol: str = "study",
) -> Learning:
    """Score the forecasts of all :func:`learning_cases`, once for each seed of the contexts.

    ``sizes=CONTEXT_SIZES`` with ``targets`` shows whether error and coverage hold as the context
    grows from 1 to 100 individuals.

    A refused case (as prefix 0 with nobody in the context) is recorded and the others go on.
    """
    prefixes = list(prefixes)
    rows, refused = [], []
    for seed in seeds:
        questions = [
            case
            for compound, study in studies.items()
            for case in learning_cases(compound, study, prefixes, sizes, seed, targets, protocol)
        ]
        asked = tqdm(questions, desc=forecaster.name, unit="forecast", disable=None)
        for scored in answer(forecaster, asked, n_samples, seed):
            case = scored.case
            more = {"context": len(case.context), "seed": seed}
            if scored.answer is None:
                refused.append(scored.refused_row(forecaster.name) | more)
                continue
            row = score(forecaster.name, scored)
            row |= {"prefix": len(case.prefix.quantifiable()), "in_90": row["covered_90"]} | more
            rows.append(row)
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
        for name, value, low, high in zip(SCORES, *found, strict=True):
            table.append(
                dict(zip(by, key, strict=True))
                | {"score": name, "value": value, "low": low, "high": high}
                | size
            )
    return pd.DataFrame(table)


def change_with_context(
    rows: pd.DataFrame,
    score: str = "in_90",
    small: int = CONTEXT_SIZES[0],
    large: int | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Mean change of a score from ``small`` contexts to ``large`` ones (by default the largest that
    each study has), over the individuals asked with both; interval by bootstrap of people.

    ``rows`` as in :class:`Learning`, of one model.  Below 0 for ``in_90``: the intervals cover less
    the more is known; above 0 for ``log_rmse``: more individuals make the forecast worse.
    """
    key = ["compound", "individual", "prefix", "seed"]
    last = rows.groupby("compound").context.transform("max") if large is None else large
    first = rows[rows.context == small].set_index(key)[score]
    change = (rows[(rows.context == last) & (last > small)].set_index(key)[score] - first).dropna()
    return cluster_mean(change, people(change.index.to_frame(index=False)), level, seed=seed)
