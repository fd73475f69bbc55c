"""Run forecasters through the protocol, and the tables of compounds that come of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from agmpk.evaluation.protocol import Case, Scored, answer, at_times, cases
from agmpk.evaluation.scores import log_rmse, probability_below, scores
from agmpk.files import data_path
from agmpk.forecasting.forecaster import Forecast, Forecaster
from agmpk.jobs import map_jobs
from agmpk.studies import Study

COLUMNS = ["model", "compound", "individual", "n_target", "n_below"]
COLUMNS += ["log_rmse", "crps", "covered_90", "failure"]
PUBLISHED = ["nlme", "transformer", "node", "aicmet", "pff"]


class Evaluation(NamedTuple):
    """results: one row an individual (see ``score``).  points: one row a held-out observation (see
    ``score_points``).  By model, scored: the forecasts themselves; seconds: of processor time."""

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
    protocol: str = "study",
    jobs: int = 1,
    scheduler: str = "",
) -> Evaluation:
    """Leave-one-individual-out over all studies with each forecaster, with a progress bar.

    ``studies`` may be any, by name; ``protocol`` as in :mod:`agmpk.evaluation.protocol`.  What a
    forecaster refuses is a row without a score that says why.  With ``jobs`` or a ``scheduler``
    (see :mod:`agmpk.jobs`) a study is a job.
    """
    questions = [cases(name, study, observed, protocol) for name, study in studies.items()]
    return evaluate_cases(forecasters, questions, n_samples, seed, jobs, scheduler)


def evaluate_cases(
    forecasters: Sequence[Forecaster],
    questions: Sequence[Sequence[Case]],
    n_samples: int = 200,
    seed: int = 0,
    jobs: int = 1,
    scheduler: str = "",
) -> Evaluation:
    """The same for the cases of any questions, in groups of which each is a job."""
    scored, seconds = {}, {}
    for one in forecasters:
        # The processor's seconds; of other processes only the time until they answer is known.
        clock = time.perf_counter if jobs > 1 or scheduler else time.process_time
        began = clock()
        ask = partial(_answers, one, n_samples, seed)
        if jobs > 1 or scheduler:
            parts = map_jobs(ask, questions, jobs, scheduler, one.name, "study")
            scored[one.name] = [s for part in parts for s in part]
        else:
            every = [case for part in questions for case in part]
            scored[one.name] = ask(tqdm(every, desc=one.name, unit="individual", disable=None))
        seconds[one.name] = clock() - began
    rows = [score(name, s) for name, found in scored.items() for s in found]
    points = [score_points(name, s) for name, found in scored.items() for s in found]
    return Evaluation(
        pd.DataFrame(rows, columns=COLUMNS), pd.concat(points, ignore_index=True), scored, seconds
    )


def _answers(
    forecaster: Forecaster, n_samples: int, seed: int, questions: Iterable[Case]
) -> list[Scored]:
    return list(answer(forecaster, questions, n_samples, seed))


def score(model: str, scored: Scored) -> dict[str, object]:
    """The row of an individual in the results table (``COLUMNS``).

    n_target: held-out samples with a value; n_below: those below the limit. log_rmse: of an empty
    rest 0, as published; of a refused case missing. crps: of ln concentration, mean over the
    samples with a value; both of the law given that it is ``reported``. covered_90: share of all
    held-out samples inside the central 90 % interval. failure: the refusal, else empty.
    """
    case, error, found = scored.case, np.nan if scored.refusal else 0.0, (np.nan, np.nan)
    if scored.answer is not None:
        points = score_points(model, scored)
        found = float(points["crps"].mean()), float(points["in_90"].mean())
        values = points[~points["below"]]
        error = log_rmse(values["PRED"], values["DV"])
    who = model, case.compound, case.prefix.id, len(case.times), len(case.below)
    return dict(zip(COLUMNS, (*who, error, *found, scored.refusal), strict=True))


def score_points(model: str, scored: Scored, seed: int = 0) -> pd.DataFrame:
    """One row a held-out sample: model, compound, individual, TIME [h], DV (the limit where
    ``below``), PRED, in_50 ... in_95, crps, pit (see :func:`scores`), log_error (of PRED), below,
    p_below (forecast probability of being below the limit, for these samples only)."""
    case, forecast = scored.case, scored.answer
    if forecast is None:
        return pd.DataFrame()
    # The point forecast of a sample below the limit is not scored: the mean of the curves stands.
    seen, low = at_times(forecast, case.times), scored.at_below
    given = reported(seen, case.limit)
    values, kept = (np.concatenate([one.samples, low], axis=1) for one in (seen, given))
    pred = np.concatenate([given.pred, np.exp(np.log(low).mean(0))])
    observed = np.concatenate([case.observed, case.limits])
    below = np.arange(len(observed)) >= len(case.times)
    found = scores(np.log(values), np.log(observed), below, case.seed(seed + 1), np.log(kept))
    pit = found.pop("pit")
    return pd.DataFrame(
        {
            "model": model,
            "compound": case.compound,
            "individual": case.prefix.id,
            "TIME": np.concatenate([case.times, case.below]),
            "DV": observed,
            "PRED": pred,
            **found,
            "log_error": np.where(below, np.nan, np.abs(np.log(pred) - np.log(observed))),
            "pit": pit,
            "below": below,
            "p_below": np.where(below, probability_below(values, observed), np.nan),
        }
    )


def reported(forecast: Forecast, limit: float | None) -> Forecast:
    """The forecast of values given that they are reported, at or above ``limit``: draws below it
    are replaced, rank by rank, by those above, and the point forecast moves as their mean does."""
    logs = np.log(np.maximum(forecast.samples, np.finfo(float).tiny))
    low = (logs < np.log(limit)).sum(0) if limit else np.zeros(1)
    if not low.any():
        return forecast
    order, draws = logs.argsort(0), len(logs)
    above = low + (np.arange(draws)[:, None] + 0.5) / draws * (draws - low)
    kept = np.sort(logs, 0)[np.minimum(above.astype(int), draws - 1), np.arange(logs.shape[1])]
    kept = np.maximum(kept, np.log(limit))  # where all draws are below it
    given = np.empty_like(logs)
    np.put_along_axis(given, order, kept, 0)
    moved = np.log(forecast.pred) + given.mean(0) - logs.mean(0)
    point = np.exp(np.maximum(moved, np.log(limit)))
    return replace(forecast, samples=np.exp(given), point=point)


def by_compound(results: pd.DataFrame, strict: bool = False) -> pd.DataFrame:
    """Mean log-RMSE per compound (rows) and model (columns), in order of appearance.

    ``strict`` leaves out individuals with nothing left to predict; as published they count 0.
    """
    rows = results[results.n_target > 0] if strict else results
    table = rows.pivot_table(index="compound", columns="model", values="log_rmse", sort=False)
    return table.reindex(columns=list(dict.fromkeys(results.model)))


def published_table() -> pd.DataFrame:
    """The published mean log-RMSE of five models by compound (AGM-PK, PAGE 34, 2026)."""
    table = pd.read_csv(data_path("benchmark", "published_log_rmse.csv"), index_col="compound")
    return table[PUBLISHED]


def wins(table: pd.DataFrame) -> pd.Series:
    """How often each column holds the lowest value of a row."""
    return table.idxmin(axis=1).value_counts().reindex(table.columns, fill_value=0)
