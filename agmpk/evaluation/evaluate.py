"""Run forecasters through the protocol and collect errors, points and forecasts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from tqdm import tqdm

from agmpk.evaluation.leave_one_out import COLUMNS, Scored, leave_one_out, score, score_points
from agmpk.forecasting.forecaster import Forecaster
from agmpk.studies import Study


@dataclass(frozen=True)
class Evaluation:
    """results: one row an individual (see ``score``).  points: one row a held-out observation (see
    ``score_points``).  By model, scored: the forecasts themselves; seconds: how long they took."""

    results: pd.DataFrame
    points: pd.DataFrame
    scored: dict[str, list[Scored]]
    seconds: dict[str, float]


def evaluate(
    forecasters: Sequence[Forecaster],
    studies: Mapping[str, Study],
    observed: int = 4,
    n_samples: int = 200,
    seed: int = 0,
) -> Evaluation:
    """Leave-one-individual-out over all studies with each forecaster, with a progress bar.

    What a forecaster refuses is a row without a score that says why.
    """
    total = sum(len(study) for study in studies.values())
    scored, seconds = {}, {}
    for one in forecasters:
        began = time.perf_counter()
        asked = leave_one_out(one, studies, observed, n_samples, seed)
        bar = tqdm(asked, total=total, desc=one.name, unit="individual", disable=None)
        scored[one.name] = list(bar)
        seconds[one.name] = time.perf_counter() - began
    rows = [score(name, s) for name, found in scored.items() for s in found]
    points = [score_points(name, s) for name, found in scored.items() for s in found]
    return Evaluation(
        pd.DataFrame(rows, columns=COLUMNS), pd.concat(points, ignore_index=True), scored, seconds
    )
