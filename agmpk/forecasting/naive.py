"""The naive forecaster: the context's mean log-curve, moved onto the last prefix point.

ln y is interpolated linearly in time for each context individual with two or more points,
constant beyond its range, and averaged; the target's residual at its last prefix point is added.
Samples add the context individuals' own departures from the mean curve, pinned in the same way
(a bootstrap), so that intervals and cohorts exist.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agmpk.errors import AgmpkError
from agmpk.forecasting.forecaster import Forecast, check_question
from agmpk.studies import Individual, Study


def log_curves(context: Study, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """ln concentration [J, T] of the context individuals with two or more points at ``times``.

    Raises:
        AgmpkError: no individual has two points.
    """
    curves = [
        np.interp(times, one.times, np.log(one.concentrations)) for one in context if len(one) >= 2
    ]
    if not curves:
        raise AgmpkError(
            f"The naive forecast of {context.compound} needs a context individual with at least "
            "two positive observations."
        )
    return np.array(curves)


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
        context, prefix, times = check_question(context, target, times, n_samples)
        pin = prefix.times[-1:]
        curves = log_curves(context, np.concatenate([times, pin]))
        mean = curves.mean(0)
        departures = curves - mean
        offset = 0.0
        if len(prefix):
            offset = np.log(prefix.concentrations[-1]) - mean[-1]
            departures = departures - departures[:, -1:]
        point = mean[: len(times)] + offset
        chosen = np.random.default_rng(seed).integers(len(curves), size=n_samples)
        samples = point + departures[chosen, : len(times)]
        return Forecast(times, np.exp(samples), np.exp(point))
