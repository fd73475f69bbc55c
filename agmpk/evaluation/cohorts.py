"""Is a generated cohort right?  Every measure for any forecaster over many studies: individuals
nobody showed the model against curves generated for them.

questions = left_out(benchmark_studies())  # or oracle(to_studies(simulate(prior, ...)), 10)
result = evaluate_cohorts(load_forecaster("flow"), questions)

Questions are :class:`agmpk.evaluation.Case` with an empty prefix: the context, the doses of
somebody unseen, and what was observed in them.  Samples below the limit count for PIT, npde and
shares outside; a VPC compares values with simulated ones above the limit; the other measures leave
such samples out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm
from tqdm import tqdm

from agmpk.errors import AgmpkError
from agmpk.evaluation.compare import reported
from agmpk.evaluation.exposure import (
    compare_exposures,
    context_frame,
    curve_features,
    exposures,
)
from agmpk.evaluation.intervals import people
from agmpk.evaluation.protocol import REFUSED, Case, Scored, answer, cases, question
from agmpk.evaluation.scores import pit, points_outside
from agmpk.evaluation.two_sample import classifier_auc, paths, signature_mmd
from agmpk.evaluation.vpc import (
    npde,
    npde_tests,
    prediction_correct,
    share_below,
    time_bins,
    vpc,
)
from agmpk.forecasting import Forecaster
from agmpk.studies.study import Array, Study

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
    classifier_repeats: int = 10
    permutations: int = 99
    bootstrap: int = 1000


def left_out(studies: Mapping[str, Study]) -> dict[str, list[Case]]:
    """Empirical: each individual with two or more observations, its context the others."""
    return {
        name: [case for case in cases(name, study, 0) if len(case.times) >= MINIMUM]
        for name, study in studies.items()
    }


def oracle(studies: Iterable[Study], n_context: int) -> dict[str, list[Case]]:
    """Synthetic: of each simulated study, the first ``n_context`` individuals are the context of
    all others, who are true new individuals of the same study."""
    found = {}
    for study in studies:
        context = Study(study.compound, study.individuals[:n_context], study.units, study.lloq)
        asked = [question(study.compound, context, one, 0) for one in study.individuals[n_context:]]
        found[study.compound] = [case for case in asked if len(case.times) >= MINIMUM]
    return found


class CohortEvaluation(NamedTuple):
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
) -> CohortEvaluation:
    """Generate for every case of every study and measure the cohorts; classifier and signature
    compare all studies pooled (features are relative to each study's context, so they pool), where
    there are two or more.

    A refusal of the model, or a measure that a study is too small for, becomes a row of
    ``refused`` and the rest goes on.

    New individuals of one oracle study share what the context leaves open about the study, so even
    the exact law is off for all of them in the same direction: tests and bands of one such study
    are descriptive, and p values are exact for an :func:`oracle` with one new individual of each
    study only.
    Left-out individuals have overlapping contexts: tests of the mean are rather too cautious.
    """
    settings, name = settings or CohortSettings(), forecaster.name
    tables: dict[str, list[pd.DataFrame]] = defaultdict(list)
    refused: list[tuple] = []
    blocks: list[tuple] = []
    # Paths are padded to one length: repeating the last point changes no signature.
    lengths = (len(case.times) for asked in questions.values() for case in asked)
    longest = 1 + max(lengths, default=0)

    def keep(compound: str, what: str, table: pd.DataFrame) -> None:
        table.insert(0, "model", name)
        table.insert(1, "compound", compound)
        tables[what].append(table)

    def refuse(compound: str, reason: object, individual: str = "") -> None:
        refused.append((name, compound, individual, 0, str(reason)))

    for compound, asked in tqdm(questions.items(), desc=name, unit="study", disable=None):
        answered = list(answer(forecaster, asked, settings.n_samples, seed))
        refused += [one.refused_row(name) for one in answered if one.refusal]
        scored = [one for one in answered if one.forecast is not None]
        if not scored:
            continue
        points, reasons = study_points(scored, seed)
        for individual, reason in reasons.items():
            refuse(compound, reason, individual)
        keep(compound, "vpc", study_vpc(scored))
        keep(compound, "npde", npde_tests(points["npde"].dropna().to_numpy()))
        keep(compound, "exposures", study_exposures(scored, settings, seed))
        keep(compound, "points", points)
        try:
            blocks.append(study_blocks(compound, scored, settings, longest))
        except AgmpkError as error:
            refuse(compound, error)
    for what, measure in _pooled(blocks, settings, seed).items():
        try:
            keep(POOLED, what, measure())
        except AgmpkError as error:
            refuse(POOLED, error)
    nothing = [pd.DataFrame(columns=REFUSED[:2])]
    joined = {
        one: pd.concat(tables[one] or nothing, ignore_index=True)
        for one in CohortEvaluation._fields[:-1]
    }
    return CohortEvaluation(**joined, refused=pd.DataFrame(refused, columns=REFUSED))


def _pooled(
    blocks: Sequence[tuple], settings: CohortSettings, seed: int
) -> dict[str, Callable[[], pd.DataFrame]]:
    """What compares the :func:`study_blocks` of two or more studies, by name."""
    if len(blocks) < 2:
        return {}
    *parts, who = zip(*blocks, strict=True)
    features, every = map(np.concatenate, parts)
    who = pd.concat(who, ignore_index=True)
    often = {"permutations": settings.permutations, "seed": seed}
    seldom = often | {"repeats": settings.classifier_repeats}
    # Over several studies, pairs of one study do not count: they share more than their law.
    studies = who["compound"] if len(blocks) > 2 else None
    return {
        "classifier": lambda: classifier_auc(features, people(who), **seldom),
        "signature": lambda: pd.DataFrame([signature_mmd(every, studies, **often)]),
    }


def study_vpc(scored: Sequence[Scored]) -> pd.DataFrame:
    """VPC (``kind`` plain) and prediction-corrected VPC (``corrected``) of a study.

    Replicate k holds sample k of every individual: individuals are independent given their
    contexts, so the bands do not hold what individuals share beyond that.  Where the study has a
    limit, a value was observed only above it; so the simulated ones are ``reported``, too.
    """
    times = np.concatenate([one.case.times for one in scored])
    observed = np.concatenate([one.case.observed for one in scored])
    seen = [reported(one.forecast, one.case.limit) for one in scored]
    simulated = np.concatenate([forecast.samples for forecast in seen], axis=1)
    bins = time_bins(times)
    corrected = prediction_correct(observed, simulated, bins)
    kinds = {"plain": (observed, simulated), "corrected": corrected}
    parts = [vpc(times, *values, bins).assign(kind=kind) for kind, values in kinds.items()]
    return pd.concat(parts, ignore_index=True)


def study_below(scored: Sequence[Scored]) -> pd.DataFrame:
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
    return share_below(times, below, limit, samples.T)


def study_points(scored: Sequence[Scored], seed: int) -> tuple[pd.DataFrame, dict[str, str]]:
    """One row an observation: individual, TIME, DV, outside (-1, 0, 1: below, inside, above the
    central 90 %), pit, npd, npde; and why individuals have no npde (NaN there), by ID.

    A sample below the limit has the limit as DV, a PIT drawn below the forecast's probability of
    being there, npd and outside by that, and counts for the npde with the value of that rank
    (Nguyen, Comets & Mentre 2012).
    """
    rows, reasons = [], {}
    for one in scored:
        case, samples = one.case, one.forecast.samples
        own, times = case.seed(seed), np.r_[case.times, case.below]
        low = pit(one.at_below, case.limits, own + 1, below=True)
        errors = np.full(len(times), np.nan)
        try:
            errors = _errors(one, low, own)
        except AgmpkError as error:
            reasons[case.prefix.id] = str(error)
        side = points_outside(samples, case.observed)
        ranks = np.r_[pit(samples, case.observed, own), low]
        columns = {
            "individual": case.prefix.id,
            "TIME": times,
            "DV": np.r_[case.observed, case.limits],
            "outside": np.r_[side, 1.0 * (low > 0.95) - (low < 0.05)],
            "pit": ranks,
            "npd": norm.ppf(ranks),
            "npde": errors,
        }
        rows.append(pd.DataFrame(columns))
    return pd.concat(rows, ignore_index=True), reasons


def _errors(one: Scored, low: Array, seed: int) -> Array:
    """npde at ``case.times`` and ``case.below``; ``low``: ranks of the latter among the draws.

    A sample below the limit gets the draw of its rank, whatever its neighbours are.  So must the
    simulated ones, or decorrelating would tell the two apart: below the limit, draws change places.
    """
    case, rng = one.case, np.random.default_rng(seed + 2)
    logs = np.log(np.hstack([one.forecast.samples, one.at_below]))
    limits = np.r_[np.full(len(case.times), case.limit or 0.0), case.limits]
    for column, limit in zip(logs.T, limits, strict=True):
        under = column < np.log(limit) if limit else np.zeros(len(column), bool)
        column[under] = rng.permutation(column[under])
    ranks = np.sort(logs[:, len(case.times) :], axis=0)
    drawn = np.take_along_axis(ranks, (low * len(ranks)).astype(int)[None], 0)[0]
    order = np.argsort(np.r_[case.times, case.below], kind="stable")
    observed, errors = np.r_[np.log(case.observed), drawn], np.empty(len(order))
    errors[order] = npde(observed[order], logs[:, order], seed)
    return errors


def study_exposures(scored: Sequence[Scored], settings: CohortSettings, seed: int) -> pd.DataFrame:
    """Noncompartmental quantities of generated against observed individuals of a study."""
    curves = [(one.case.times, one.case.observed[None], one.forecast.samples) for one in scored]
    observed = [exposures(times, real) for times, real, _ in curves]
    generated = [exposures(times, made[: settings.exposure]) for times, _, made in curves]
    return compare_exposures(observed, generated, settings.bootstrap, seed)


def study_blocks(
    compound: str, scored: Sequence[Scored], settings: CohortSettings, longest: int
) -> tuple[Array, Array, pd.DataFrame]:
    """Real and generated individuals of a study, matched, relative to each case's own context:
    features [n, 1 + m, F], paths [n, 1 + k, L, 2] of L = ``longest`` points, and who they are.

    Raises:
        AgmpkError: a context is too small to be a frame of reference.
    """
    features, found = [], []
    for one in scored:
        case, frame = one.case, context_frame(one.case.context)
        y = np.vstack([case.observed, one.forecast.samples]) / case.prefix.doses[0].amount
        features.append(curve_features(frame, case.times, y[: 1 + settings.classifier]))
        logs, scale = np.log(y[: 1 + settings.signature]), (frame.last, frame.level, frame.spread)
        found.append(paths(case.times, logs, *scale, longest))
    who = pd.DataFrame({"compound": compound, "individual": [one.case.prefix.id for one in scored]})
    return np.stack(features), np.stack(found), who
