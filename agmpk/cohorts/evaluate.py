"""All measures of generated cohorts, for any forecaster, over many studies.

questions = left_out(benchmark_studies())  # or oracle(config, 20, 10, 14, seed=1)
result = evaluate_cohorts(load_forecaster("flow"), questions)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import pandas as pd
from tqdm import tqdm

from agmpk.cohorts.classifier import classifier_auc
from agmpk.cohorts.measures import (
    Blocks,
    Settings,
    study_blocks,
    study_exposures,
    study_points,
    study_vpc,
)
from agmpk.cohorts.npde import npde_tests
from agmpk.cohorts.signature import signature_mmd
from agmpk.errors import AgmpkError
from agmpk.evaluation.leave_one_out import REFUSED, Case, Scored, answer
from agmpk.evaluation.people import people
from agmpk.forecasting.forecaster import Forecaster

POOLED = "all"


@dataclass(frozen=True)
class CohortEvaluation:
    """Tidy tables, each with ``model`` and ``compound`` in front ("all" pools the studies).

    vpc: see :func:`agmpk.cohorts.vpc.vpc`, with ``kind``.  points: one row an observation (see
    ``study_points``).  npde: see ``npde_tests``.  exposures: see ``compare_exposures``.
    classifier: see ``classifier_auc``.  signature: see ``Discrepancy``.  refused: individual,
    prefix, reason; one row for whatever could not be generated or computed.
    """

    vpc: pd.DataFrame
    points: pd.DataFrame
    npde: pd.DataFrame
    exposures: pd.DataFrame
    classifier: pd.DataFrame
    signature: pd.DataFrame
    refused: pd.DataFrame


def evaluate_cohorts(
    forecaster: Forecaster,
    questions: Mapping[str, Sequence[Case]],
    settings: Settings | None = None,
    seed: int = 0,
    per_study: bool = True,
    shared_study: bool = False,
) -> CohortEvaluation:
    """Generate for every case of every study and measure the cohorts.

    A refusal of the model, or a measure that a study is too small for, becomes a row of
    ``refused`` and the rest goes on.  ``per_study`` False computes classifier and signature only
    over all studies pooled (features are relative to each study's context, so they pool).

    New individuals of one oracle study share what the context leaves open about the study, so even
    the exact law is off for all of them in the same direction: tests and bands of one such study
    are descriptive.  For them, ``shared_study`` True makes the study, not the person, the unit of
    the pooled AUC's folds and interval; p values are exact for ``oracle(..., n_new=1)`` only.
    Left-out individuals have overlapping contexts: tests of the mean are rather too cautious.
    """
    settings = settings or Settings()
    tables = _Tables(forecaster.name)
    blocks: dict[str, Blocks] = {}
    for compound, cases in tqdm(
        questions.items(), desc=forecaster.name, unit="study", disable=None
    ):
        answered = list(answer(forecaster, cases, settings.n_samples, seed))
        refused = [one.refused_row(forecaster.name) for one in answered if one.refusal]
        tables.found["refused"].append(pd.DataFrame(refused, columns=REFUSED))
        scored = [one for one in answered if one.forecast]
        if scored:
            _measure_study(tables, compound, scored, settings, seed)
            try:
                blocks[compound] = study_blocks(scored, settings)
            except AgmpkError as error:
                tables.refuse(compound, error)
    groups = {one: [one] for one in blocks} if per_study else {}
    if len(blocks) > 1:
        groups[POOLED] = list(blocks)
    for group, members in groups.items():
        chosen = {one: blocks[one] for one in members}
        _tell_apart(tables, group, chosen, settings, seed, shared_study)
    return tables.joined()


class _Tables:
    """Collects the tables of an evaluation."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.found: dict[str, list[pd.DataFrame]] = {f.name: [] for f in fields(CohortEvaluation)}

    def keep(self, name: str, compound: str, table: pd.DataFrame) -> None:
        table.insert(0, "model", self.model)
        table.insert(1, "compound", compound)
        self.found[name].append(table)

    def refuse(self, compound: str, reason: object, individual: str = "") -> None:
        row = (self.model, compound, individual, 0, str(reason))
        self.found["refused"].append(pd.DataFrame([row], columns=REFUSED))

    def joined(self) -> CohortEvaluation:
        filled = {name: [t for t in found if len(t)] for name, found in self.found.items()}
        return CohortEvaluation(
            **{
                name: pd.concat(found, ignore_index=True)
                if found
                else pd.DataFrame(columns=REFUSED if name == "refused" else REFUSED[:2])
                for name, found in filled.items()
            }
        )


def _measure_study(
    tables: _Tables, compound: str, scored: Sequence[Scored], settings: Settings, seed: int
) -> None:
    points, reasons = study_points(scored, seed)
    for individual, reason in reasons.items():
        tables.refuse(compound, reason, individual)
    tests = npde_tests(points["npde"].dropna().to_numpy())
    tables.keep("vpc", compound, study_vpc(scored, settings))
    tables.keep("npde", compound, tests)
    tables.keep("exposures", compound, study_exposures(scored, settings, seed))
    tables.keep("points", compound, points)


def _tell_apart(
    tables: _Tables,
    group: str,
    blocks: Mapping[str, Blocks],
    settings: Settings,
    seed: int,
    shared_study: bool,
) -> None:
    features, paths, who = _pool(blocks)
    several = len(blocks) > 2
    try:
        found = classifier_auc(
            features,
            who["compound"] if several and shared_study else people(who),
            repeats=settings.classifier_repeats,
            permutations=settings.permutations,
            level=settings.level,
            seed=seed,
        )
        tables.keep("classifier", group, found)
    except AgmpkError as error:
        tables.refuse(group, error)
    try:
        # Over several studies, pairs of one study do not count: they share more than their law.
        studies = who["compound"] if several else None
        distance = signature_mmd(paths, studies, settings.permutations, seed=seed)
        tables.keep("signature", group, pd.DataFrame([asdict(distance)]))
    except AgmpkError as error:
        tables.refuse(group, error)


def _pool(blocks: Mapping[str, Blocks]) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    longest = max(one.paths.shape[2] for one in blocks.values())
    paths = [
        # Repeating the last point changes no signature.
        np.pad(one.paths, ((0, 0), (0, 0), (0, longest - one.paths.shape[2]), (0, 0)), "edge")
        for one in blocks.values()
    ]
    who = [(name, i) for name, one in blocks.items() for i in one.individuals]
    features = np.concatenate([one.features for one in blocks.values()])
    return features, np.concatenate(paths), pd.DataFrame(who, columns=["compound", "individual"])
