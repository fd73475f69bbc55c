"""The naive forecaster: the context's mean log-curve, moved onto the last prefix sample.

Where everybody has the same doses up to their amounts, ln(y / dose) is interpolated linearly in
time for each context individual with two or more values, constant beyond its range, and averaged.
Otherwise the mean curve is the superposition of one typical curve, fitted to the context in closed
form on a grid (``agmpk.models.kinetics``), plus the context's mean residual around the same time
since the last dose.  The target's residual at its last prefix sample is added.  Time counts from
each individual's first dose.

Samples add the context's own departures (a bootstrap), so that intervals and cohorts exist.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agmpk.forecasting.forecaster import Forecast, check_question, too_far
from agmpk.studies import Individual, Study


class NaiveForecaster:
    """See the module; ``forecast`` as in :class:`Forecaster`."""

    name = "naive"

    def forecast(
        self,
        context: Study,
        target: Individual,
        times: NDArray[np.float64],
        n_samples: int,
        seed: int,
    ) -> Forecast:
        """Point forecast as defined above; samples by bootstrap of the context."""
        from agmpk.models.frame import usable
        from agmpk.models.task import task_from_study

        context, prefix, times = check_question(context, target, times, n_samples)
        task = task_from_study(context, prefix, times)
        frame = task.frame
        asked = len(times)
        point = (frame.naive + frame.reference)[0, 0, -asked:].numpy()
        rng = np.random.default_rng(seed)
        if bool(frame.same[0, 0]):
            # The pinned curves of the context individuals that the mean is made of.
            people = usable(task.context.quantified)[0].numpy()
            departures = frame.departures[0, people, 0, -asked:].numpy()
            samples = point + departures[rng.integers(len(departures), size=n_samples)]
        else:
            samples = point + self._departures(task, rng, n_samples, asked)
        note = too_far(task, 0, context.compound, prefix.id)
        return Forecast(times, np.exp(samples), np.exp(point), note)

    @staticmethod
    def _departures(task, rng: np.random.Generator, n_samples: int, asked: int) -> NDArray:
        """Departures [S, T] for doses that differ: a member's mean residual, unless the prefix says
        the level, and any residual about such a mean at each time."""
        frame, seen = task.frame, task.context.quantified[0].numpy()
        residual = (task.context.logs - frame.reference - frame.context_curve)[0].numpy()
        levels = np.array([r[s].mean() for r, s in zip(residual, seen, strict=True) if s.any()])
        around = [r[s] - r[s].mean() for r, s in zip(residual, seen, strict=True) if s.any()]
        around = np.concatenate([*around, np.zeros(1)])
        found = around[rng.integers(len(around), size=(n_samples, asked))]
        if not bool(task.prefix.any()) and len(levels):
            return found + levels[rng.integers(len(levels), size=(n_samples, 1))]
        return found - around[rng.integers(len(around), size=(n_samples, 1))]
