"""The measures of one study's generated cohort: from answered cases to tidy tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agmpk.cohorts.bins import time_bins
from agmpk.cohorts.blocks import as_blocks
from agmpk.cohorts.exposure import compare_exposures, exposures
from agmpk.cohorts.features import amount, context_frame, curve_features
from agmpk.cohorts.npde import npde
from agmpk.cohorts.signature import paths
from agmpk.cohorts.vpc import points_outside, prediction_correct, vpc
from agmpk.errors import AgmpkError
from agmpk.evaluation.leave_one_out import Scored
from agmpk.evaluation.pit import pit


@dataclass(frozen=True)
class Settings:
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


@dataclass(frozen=True)
class Blocks:
    """Real and generated individuals of a study, matched: features [n, 1 + m, F], paths
    [n, 1 + k, L, 2], and who they are."""

    features: NDArray[np.float64]
    paths: NDArray[np.float64]
    individuals: tuple[str, ...]


def study_vpc(scored: Sequence[Scored], settings: Settings) -> pd.DataFrame:
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


def study_points(scored: Sequence[Scored], seed: int) -> tuple[pd.DataFrame, dict[str, str]]:
    """One row an observation: individual, TIME, DV, outside (-1, 0, 1: below, inside, above the
    central 90 %), pit, npd, npde; and why individuals have no npde (NaN there), by ID."""
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
                    "outside": points_outside(case.observed, samples),
                    "pit": pit(samples, case.observed, own),
                    "npd": npde(truth, logs, own, correlated=True),
                    "npde": errors,
                }
            )
        )
    return pd.concat(rows, ignore_index=True), reasons


def study_exposures(scored: Sequence[Scored], settings: Settings, seed: int) -> pd.DataFrame:
    """Noncompartmental quantities of generated against observed individuals of a study."""
    observed = [exposures(one.case.times, one.case.observed[None]) for one in scored]
    generated = [
        exposures(one.case.times, one.forecast.samples[: settings.exposure]) for one in scored
    ]
    return compare_exposures(
        observed, generated, level=settings.level, draws=settings.bootstrap, seed=seed
    )


def study_blocks(scored: Sequence[Scored], settings: Settings) -> Blocks:
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
