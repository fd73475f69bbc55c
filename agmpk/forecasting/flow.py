"""The AGM-PK flow as a forecaster."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from agmpk.errors import AgmpkError
from agmpk.forecasting.forecaster import Forecast, check_question
from agmpk.models.flow import FlowModel
from agmpk.models.from_study import only_dose, task_from_study
from agmpk.studies import Individual, Study

# Targets beyond this multiple of the context's last time were never seen in training.
FARTHEST = 2.0


class FlowForecaster:
    """A trained flow behind the forecaster's seam.

    ``steps`` is the number of Heun steps from the reference to the forecast.
    """

    def __init__(self, model: FlowModel, name: str = "flow", steps: int = 4) -> None:
        self.model, self.name, self.steps = model.eval(), name, steps

    def forecast(
        self,
        context: Study,
        target: Individual,
        times: NDArray[np.float64],
        n_samples: int,
        seed: int,
    ) -> Forecast:
        """As in :class:`Forecaster`; one dose per individual, one route per study."""
        context, prefix, times = check_question(context, target, times, n_samples)
        self._check_horizon(context, prefix, times)
        task = task_from_study(context, prefix, times)
        generator = torch.Generator().manual_seed(seed)
        logs = self.model.sample(task, n_samples, generator, self.steps)[:, 0, 0, len(prefix) :]
        amount = only_dose(prefix, context.compound).amount
        return Forecast(times, np.exp(logs.numpy()) * amount)

    @staticmethod
    def _check_horizon(context: Study, prefix: Individual, times: NDArray[np.float64]) -> None:
        last = max((one.times[-1] for one in context if len(one)), default=np.inf)
        if times[-1] > FARTHEST * last:
            raise AgmpkError(
                f"The study of {context.compound} was sampled until {last:g} h; a forecast of "
                f"{prefix.id} at {times[-1]:g} h would extrapolate beyond {FARTHEST:g} times "
                "that: ask for earlier times."
            )
