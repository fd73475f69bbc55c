"""Studies of a linear Gaussian law, and forecasts that are exact or wrong in a known way.

ln y = 3 - 0.2 t + b + e with b ~ N(0, 0.5^2) per individual and e ~ N(0, 0.2^2).
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from agmpk.errors import AgmpkError
from agmpk.forecasting.forecaster import Forecast
from agmpk.studies import Dose, Individual, Study

TIMES = np.array([0.5, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 18.0, 24.0, 30.0, 36.0])
BETWEEN, WITHIN = 0.5, 0.2


def centre(t):
    return 3.0 - 0.2 * np.asarray(t)


def studies(count, n, seed=0):
    rng = np.random.default_rng(seed)
    dose = (Dose(0.0, 1.0, "iv_bolus"),)
    logs = centre(TIMES) + BETWEEN * rng.normal(size=(count, n, 1))
    values = np.exp(logs + WITHIN * rng.normal(size=logs.shape))
    return {
        f"toy{s}": Study(
            f"toy{s}",
            tuple(Individual(str(i), TIMES, row, dose) for i, row in enumerate(values[s])),
        )
        for s in range(count)
    }


class Exact:
    """The exact conditional law; ``scale`` and ``shift`` make it wrong."""

    def __init__(self, shift=0.0, scale=1.0, refuses=False):
        self.name, self.shift, self.scale, self.refuses = "exact", shift, scale, refuses

    def forecast(self, context, target, times, n_samples, seed):
        if self.refuses and not len(target):
            raise AgmpkError("nothing to go by")
        rng = np.random.default_rng(seed)
        p = len(target)
        precision = 1 / BETWEEN**2 + p / WITHIN**2
        residual = np.log(target.concentrations) - centre(target.times)
        mean = residual.sum() / WITHIN**2 / precision
        b = mean + rng.normal(size=(n_samples, 1)) / np.sqrt(precision)
        logs = centre(times) + b + WITHIN * rng.normal(size=(n_samples, len(times)))
        middle = centre(times) + mean
        return Forecast(times, np.exp(middle + self.shift + self.scale * (logs - middle)))


def crps(prefix):
    """Mean CRPS of the exact Gaussian forecast after ``prefix`` points: sd / sqrt(pi)."""
    sd = np.sqrt(WITHIN**2 + 1 / (1 / BETWEEN**2 + prefix / WITHIN**2))
    return sd / np.sqrt(np.pi)


@pytest.fixture(scope="session")
def gaussian():
    """``studies``, the forecaster ``Exact``, its ``crps`` in closed form, and ``times``."""
    return SimpleNamespace(studies=studies, Exact=Exact, crps=crps, times=TIMES)
