"""Any pretrained network of the family, or a rival, as a forecaster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from agmpk.errors import AgmpkError
from agmpk.forecasting.forecaster import Forecast, check_question, too_far
from agmpk.models.task import Task, concatenate, task_from_study
from agmpk.studies import Individual, Study

IDLE = 1.0  # how far in ln a limit must lie above the study's highest mean value to say nothing


def without_idle_limits(task: Task) -> Task:
    """The task without samples "below a limit" that is far above the study's highest mean value.

    They say nothing, and no study of the prior has them, so a network may take them for anything.
    """
    highest = (task.frame.reference + task.frame.peak + IDLE)[:, None, None]
    context, target = task.context, task.target
    idle = context.below & (context.logs > highest)
    own = task.prefix & target.below & (target.logs > highest)
    if not (idle.any() or own.any()):
        return task
    kept = replace(context, mask=context.mask & ~idle, below=context.below & ~idle)
    left, lost = (
        theirs.flatten(1).any(1) | its.flatten(1).any(1)
        for theirs, its in ((kept.below, task.prefix & target.below & ~own), (idle, own))
    )
    return Task(
        kept,
        replace(target, mask=target.mask & ~own, below=target.below & ~own),
        task.prefix & ~own,
        task.asked,
        torch.where(lost & ~left, torch.nan, task.limit),
    )


class AmortizedForecaster:
    """A trained network behind the forecaster's seam.

    ``options`` go to the network's ``sample``, e.g. ``steps=8`` of a flow.
    """

    def __init__(self, model: nn.Module, name: str | None = None, **options: Any) -> None:
        self.model, self.name, self.options = model.eval(), name or model.kind, options

    def forecast(
        self,
        context: Study,
        target: Individual,
        times: NDArray[np.float64],
        n_samples: int,
        seed: int,
    ) -> Forecast:
        """As in :class:`Forecaster`; any doses of anybody, past and planned."""
        (found,) = self.forecast_all([(context, target, times, seed)], n_samples)
        if isinstance(found, AgmpkError):
            raise found
        return found

    def forecast_all(
        self, questions: Sequence[tuple[Study, Individual, NDArray, int]], n_samples: int
    ) -> list[Forecast | AgmpkError]:
        """As ``forecast`` of each question (context, target, times, seed), those with the same
        number of points in one pass of the network; a refusal stands in place of its forecast."""
        found: list[Forecast | AgmpkError] = [AgmpkError("not asked")] * len(questions)
        together: dict[int, list[tuple[int, Task]]] = {}
        for k, (context, target, times, _) in enumerate(questions):
            try:
                task = self._task(context, target, times, n_samples)
                together.setdefault(task.asked.shape[-1], []).append((k, task))
            except AgmpkError as error:
                found[k] = error
        for group in together.values():
            task = without_idle_limits(concatenate([task for _, task in group]))
            draw = [torch.Generator().manual_seed(questions[k][3]) for k, _ in group]
            known = self.model.condition(task)
            logs = self.model.sample(task, n_samples, draw, known=known, **self.options)
            means = self.model.mean(task, known=known)
            for place, (k, _) in enumerate(group):
                context, target, times, _ = questions[k]
                times = np.asarray(times, dtype=float)
                asked = slice(logs.shape[-1] - len(times), None)
                samples = logs[:, place, 0, asked].exp().numpy()
                answer = Forecast(times, samples, means[place, 0, asked].exp().numpy())
                refusal = too_far(task, place, context.compound, target.id)
                found[k] = AgmpkError(refusal) if refusal else answer
        return found

    def _task(
        self, context: Study, target: Individual, times: NDArray[np.float64], n_samples: int
    ) -> Task:
        """The question as tensors; an AgmpkError says why it cannot be one."""
        context, prefix, times = check_question(context, target, times, n_samples)
        if not len(prefix) and not self.model.generates:
            raise AgmpkError(
                f"The model {self.name} needs at least one observation of {prefix.id}: it does "
                "not generate individuals; use a model of the AGM-PK family."
            )
        return task_from_study(context, prefix, times)
