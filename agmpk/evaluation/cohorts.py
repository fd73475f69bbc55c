"""Is a generated cohort right?  Every measure for any forecaster over many studies: individuals
nobody showed the model against curves generated for them.

questions = left_out(benchmark_studies())  # or oracle(to_studies(simulate(prior, ...)), 10)
result = evaluate_cohorts(load_forecaster("flow"), questions)

Questions are :class:`agmpk.evaluation.Case` with an empty prefix: the context, the doses of
somebody unseen, and what was observed in them.  Samples below the limit count for PIT and shares
outside, and are left out of the other measures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm
from tqdm import tqdm

from agmpk.errors import AgmpkError
from agmpk.evaluation.exposure import (
    amount,
    compare_exposures,
    context_frame,
    curve_features,
    exposures,
)
from agmpk.evaluation.intervals import people
from agmpk.evaluation.npde import npde, npde_tests
from agmpk.evaluation.protocol import REFUSED, Case, Scored, answer, cases, question
from agmpk.evaluation.scores import pit, points_outside
from agmpk.evaluation.two_sample import as_blocks, classifier_auc, paths, signature_mmd
from agmpk.evaluation.vpc import prediction_correct, share_below, time_bins, vpc
from agmpk.forecasting import Forecaster
from agmpk.studies import Study

POOLED = "all"
MINIMUM = 2  # observations an individual needs to count as a curve


@dataclass(frozen=True)
class CohortSettings:
    """How much is computed.  Samples are curves per left-out individual.

    n_samples: generated, and used for VPC, npde and PIT (npde: 1000 recommended).
    exposure, classifier, signature: of these, how many go into each comparison.
    """

    n_samples: int = 1000
    exposure: int = 50
    classifier: int = 20
    signature: int = 5
    bin_minimum: int = 5
    classifier_repeats: int = 10
    permutations: int = 99
    bootstrap: int = 1000
    level: float = 0.95


def left_out(studies: Mapping[str, Study], protocol: str = "study") -> dict[str, list[Case]]:
    """Empirical: each individual with two or more observations, its context the others."""
    return {
        name: [c for c in cases(name, study, 0, protocol) if len(c.times) >= MINIMUM]
        for name, study in studies.items()
    }


def oracle(studies: Iterable[Study], n_context: int) -> dict[str, list[Case]]:
    """Synthetic: of each simulated study, the first ``n_context`` individuals are the context of
    all others, who are true new individuals of the same study."""
    return {study.compound: oracle_cases(study, n_context) for study in studies}


def oracle_cases(study: Study, n_context: int) -> list[Case]:
    """The individuals after the first ``n_context``, with these as their common context."""
    people = study.individuals
    context = Study(study.compound, people[:n_context], study.units, study.lloq)
    found = [question(study.compound, context, one, 0) for one in people[n_context:]]
    return [case for case in found if len(case.times) >= MINIMUM]


@dataclass(frozen=True)
class CohortEvaluation:
    """Tidy tables, each with ``model`` and ``compound`` in front ("all" pools the studies).

    vpc: see :func:`agmpk.evaluation.vpc.vpc`, with ``kind``.  points: one row an observation (see
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
    settings: CohortSettings | None = None,
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
    the pooled AUC's folds and interval; p values are exact for an :func:`oracle` with one new
    individual of each study only.
    Left-out individuals have overlapping contexts: tests of the mean are rather too cautious.
    """
    settings = settings or CohortSettings()
    tables = _Tables(forecaster.name)
    blocks: dict[str, Blocks] = {}
    for compound, asked in tqdm(
        questions.items(), desc=forecaster.name, unit="study", disable=None
    ):
        answered = list(answer(forecaster, asked, settings.n_samples, seed))
        refused = [one.refused_row(forecaster.name) for one in answered if one.refusal]
        tables.found["refused"].append(pd.DataFrame(refused, columns=REFUSED))
        scored = [one for one in answered if one.forecast is not None]
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
    tables: _Tables, compound: str, scored: Sequence[Scored], settings: CohortSettings, seed: int
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
    settings: CohortSettings,
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


@dataclass(frozen=True)
class Blocks:
    """Real and generated individuals of a study, matched: features [n, 1 + m, F], paths
    [n, 1 + k, L, 2], and who they are."""

    features: NDArray[np.float64]
    paths: NDArray[np.float64]
    individuals: tuple[str, ...]


def study_vpc(scored: Sequence[Scored], settings: CohortSettings) -> pd.DataFrame:
    """VPC (``kind`` plain) and prediction-corrected VPC (``corrected``) of a study.

    Replicate k holds sample k of every individual: individuals are independent given their
    contexts, so the bands do not hold what individuals share beyond that.
    """
    times = np.concatenate([one.case.times for one in scored])
    observed = np.concatenate([one.case.observed for one in scored])
    simulated = np.concatenate([one.forecast.samples for one in scored], axis=1)
    bins = time_bins(times, settings.bin_minimum)
    corrected = prediction_correct(observed, simulated, bins)
    return pd.concat(
        [
            vpc(times, y, x, bins, level=settings.level).assign(kind=kind)
            for kind, (y, x) in {"plain": (observed, simulated), "corrected": corrected}.items()
        ],
        ignore_index=True,
    )


def study_below(scored: Sequence[Scored], settings: CohortSettings) -> pd.DataFrame:
    """Share of samples below the limit, see :func:`agmpk.evaluation.vpc.share_below`; without rows
    where no sample is.  A quantified sample has the middle one of the study's limits."""
    limits = np.concatenate([one.case.limits for one in scored])
    if not len(limits):
        return pd.DataFrame()
    parts = []
    for one in scored:
        case, seen = one.case, len(one.case.times)
        times = np.r_[case.times, case.below]
        limit = np.r_[np.full(seen, np.median(limits)), case.limits]
        samples = np.hstack([one.forecast.samples, one.at_below])
        parts.append((times, np.arange(len(times)) >= seen, limit, samples.T))
    times, below, limit, samples = (np.concatenate(values) for values in zip(*parts, strict=True))
    return share_below(times, below, limit, samples.T, settings.bin_minimum, settings.level)


def study_points(scored: Sequence[Scored], seed: int) -> tuple[pd.DataFrame, dict[str, str]]:
    """One row an observation: individual, TIME, DV, outside (-1, 0, 1: below, inside, above the
    central 90 %), pit, npd, npde; and why individuals have no npde (NaN there), by ID.

    A sample below the limit has the limit as DV, a PIT drawn below the forecast's probability of
    being there, npd and outside by that (Nguyen, Comets & Mentre 2012), and no npde.
    """
    rows, reasons = [], {}
    for one in scored:
        case, samples = one.case, one.forecast.samples
        own = case.seed(seed)
        logs, truth = np.log(samples), np.log(case.observed)
        try:
            errors = npde(truth, logs, own)
        except AgmpkError as error:
            errors = np.full(len(truth), np.nan)
            reasons[case.prefix.id] = str(error)
        rows.append(
            pd.DataFrame(
                {
                    "individual": case.prefix.id,
                    "TIME": case.times,
                    "DV": case.observed,
                    "outside": points_outside(samples, case.observed),
                    "pit": pit(samples, case.observed, own),
                    "npd": npde(truth, logs, own, correlated=True),
                    "npde": errors,
                }
            )
        )
        if len(case.below):
            ranks = pit(one.at_below, case.limits, own + 1, below=True)
            rows.append(
                pd.DataFrame(
                    {
                        "individual": case.prefix.id,
                        "TIME": case.below,
                        "DV": case.limits,
                        "outside": np.where(ranks > 0.95, 1.0, np.where(ranks < 0.05, -1.0, 0.0)),
                        "pit": ranks,
                        "npd": norm.ppf(ranks),
                        "npde": np.nan,
                    }
                )
            )
    return pd.concat(rows, ignore_index=True), reasons


def study_exposures(scored: Sequence[Scored], settings: CohortSettings, seed: int) -> pd.DataFrame:
    """Noncompartmental quantities of generated against observed individuals of a study."""
    observed = [exposures(one.case.times, one.case.observed[None]) for one in scored]
    generated = [
        exposures(one.case.times, one.forecast.samples[: settings.exposure]) for one in scored
    ]
    return compare_exposures(
        observed, generated, level=settings.level, draws=settings.bootstrap, seed=seed
    )


def study_blocks(scored: Sequence[Scored], settings: CohortSettings) -> Blocks:
    """Features and paths of a study relative to each case's own context.

    Raises:
        AgmpkError: a context is too small to be a frame of reference.
    """
    features, all_paths = [], []
    longest = 1 + max(len(one.case.times) for one in scored)
    for one in scored:
        case, frame = one.case, context_frame(one.case.context)
        y = np.vstack([case.observed, one.forecast.samples]) / amount(case.prefix)
        features.append(curve_features(frame, case.times, y[: 1 + settings.classifier]))
        logs = np.log(y[: 1 + settings.signature])
        all_paths.append(
            paths([case.times] * len(logs), logs, frame.last, frame.level, frame.spread, longest)
        )
    block = np.stack(features)
    path = np.stack(all_paths)
    return Blocks(
        as_blocks(block[:, 0], block[:, 1:]),
        as_blocks(path[:, 0], path[:, 1:]),
        tuple(one.case.prefix.id for one in scored),
    )
