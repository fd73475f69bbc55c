"""How fast a model forecasts, and what accuracy fewer sampling steps cost.

    agmpk paper steps flow --out steps.csv

Measured on simulated studies of the validation stream, never on the 20 compounds, so that the
number of steps can be chosen by it.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

from agmpk.errors import AgmpkError
from agmpk.evaluation.scores import mean_scores
from agmpk.forecasting.cohort import generate
from agmpk.forecasting.forecaster import AmortizedForecaster, Forecaster, load_forecaster
from agmpk.models.task import Task
from agmpk.paper.lineup import trained_on
from agmpk.prior import PriorConfig
from agmpk.prior.config import load_prior
from agmpk.studies import Study
from agmpk.training.config import TrainingConfig
from agmpk.training.data import validation_task

STEPS = (1, 2, 4, 8, 16, 100)
SEED = 0


def steps_benchmark(
    model: nn.Module,
    prior: PriorConfig,
    studies: int = 16,
    samples: int = 200,
    prefix: int = 4,
    steps: Sequence[int] = STEPS,
) -> pd.DataFrame:
    """On studies of ``prior``, one row a number of steps.

    Columns: steps; seconds per forecast of one individual; log_rmse, crps, coverage_90; distance:
    root mean square over samples and points of ln y against the largest number of steps from the
    same noise; mean_distance: the same for the mean forecast; lost_rmse and lost_crps against the
    largest number of steps.

    Raises:
        AgmpkError: the model is not sampled in steps.
    """
    if "steps" not in inspect.signature(model._draws).parameters:
        raise AgmpkError(f"A {model.kind} is sampled at once, not in steps: nothing to compare.")
    task = validation_task(TrainingConfig(targets=1), prior, 1, prefix)
    task = task[task.asked.any(-1)[:, 0]][:studies]
    draws, seconds = {}, {}
    for number in tqdm(steps, desc="steps", disable=None):
        draws[number], seconds[number] = _draw(model, task, samples, number)
    best = draws[max(steps)]
    free = task.asked[:, 0].numpy()
    rows = [
        {"steps": number, "seconds": seconds[number]} | _scores(draws[number], best, task, free)
        for number in steps
    ]
    table = pd.DataFrame(rows)
    reference = table[table.steps == max(steps)].iloc[0]
    table["lost_rmse"] = table.log_rmse - reference.log_rmse
    table["lost_crps"] = table.crps - reference.crps
    return table


def cohort_seconds(forecaster: Forecaster, study: Study, n: int = 100) -> float:
    """Processor seconds to generate ``n`` virtual individuals, the better of two calls."""
    return min(_timed(lambda: generate(forecaster, study, n))[1] for _ in range(2))


def _draw(model: nn.Module, task: Task, samples: int, steps: int) -> tuple[np.ndarray, float]:
    """Samples [S, B, T] of each study's target, and seconds per individual."""
    generator = torch.Generator().manual_seed(SEED)
    studies = [task[b : b + 1].trimmed() for b in range(len(task))]
    found, seconds = _timed(
        lambda: [model.sample(one, samples, generator, steps=steps)[:, 0, 0] for one in studies]
    )
    draws = np.zeros((samples, len(task), task.asked.shape[-1]))
    for b, one in enumerate(found):
        draws[:, b, : one.shape[-1]] = one.numpy()
    return draws, seconds / len(found)


def _scores(draws: np.ndarray, best: np.ndarray, task: Task, free: np.ndarray) -> dict[str, float]:
    truth = task.target.logs[:, 0].numpy()

    def distance(values: np.ndarray) -> float:
        return float(np.sqrt(np.square(values[..., free]).mean()))

    return {
        **mean_scores(draws[:, free], truth[free], np.nonzero(free)[0]),
        "distance": distance(draws - best),
        "mean_distance": distance(draws.mean(0) - best.mean(0)),
    }


def _timed(work):
    began = time.process_time()
    found = work()
    return found, time.process_time() - began


def steps_of(model: str, prior: str | None, studies: int, samples: int) -> pd.DataFrame:
    """:func:`steps_benchmark` of a shipped checkpoint or a folder, on a preset or its own prior.

    Raises:
        AgmpkError: there is no such model, or it is no network that is sampled in steps.
    """
    forecaster = load_forecaster(model)
    if not isinstance(forecaster, AmortizedForecaster):
        raise AgmpkError(f"{model} is not a trained network.")
    drawn = load_prior(prior) if prior else trained_on([model], forecaster.name)
    return steps_benchmark(forecaster.model, drawn, studies, samples)
