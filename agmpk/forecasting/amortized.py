"""Any pretrained network of the family, or a rival, as a forecaster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from agmpk.errors import AgmpkError
from agmpk.forecasting.forecaster import Forecast, check_question, too_far
from agmpk.models.task import Task, task_from_study
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
    left = kept.below.any() or (task.prefix & target.below & ~own).any()
    return Task(
        kept,
        replace(target, mask=target.mask & ~own, below=target.below & ~own),
        task.prefix & ~own,
        task.asked,
        task.limit if left else torch.full_like(task.limit, torch.nan),
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
        context, prefix, times = check_question(context, target, times, n_samples)
        if not len(prefix) and not self.model.generates:
            raise AgmpkError(
                f"The model {self.name} needs at least one observation of {prefix.id}: it does "
                "not generate individuals; use a model of the AGM-PK family."
            )
        task = without_idle_limits(task_from_study(context, prefix, times))
        if refusal := too_far(task, context.compound, prefix.id):
            raise AgmpkError(refusal)
        generator = torch.Generator().manual_seed(seed)
        known = self.model.condition(task)
        logs = self.model.sample(task, n_samples, generator, known=known, **self.options)
        samples = logs[:, 0, 0, -len(times) :].exp().numpy()
        mean = self.model.mean(task, known=known)[0, 0, -len(times) :].exp().numpy()
        return Forecast(times, samples, mean)
