"""Studies of a linear Gaussian law, and forecasts that are exact or wrong in a known way.

ln y = 3 - 0.2 t + b + e with b ~ N(0, 0.5^2) per individual and e ~ N(0, 0.2^2).
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from agmpk.errors import AgmpkError
from agmpk.evaluation import benchmark_studies
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


SAMPLED = np.array([0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0])
DOSE = Dose(0.0, 100.0, "iv_bolus")
LEVEL, SLOPE, NOISE = 0.4, 0.25, 0.1  # SD of ln V, SD of ln CL, residual SD


def truth(times, n, rng):
    """ln concentrations [n, T]: one compartment, bolus, log-normal V and CL, proportional error."""
    volume = np.exp(2.0 + LEVEL * rng.normal(size=(n, 1)))
    clearance = np.exp(0.0 + SLOPE * rng.normal(size=(n, 1)))
    logs = np.log(DOSE.amount / volume) - clearance / volume * times
    return logs + NOISE * rng.normal(size=(n, len(times)))


def toy_study(name="toy", n=12, seed=0):
    """``n`` individuals of that law, each with one of the sampling times missing."""
    rng = np.random.default_rng(seed)
    people = []
    for k, row in enumerate(np.exp(truth(SAMPLED, n, rng))):
        keep = np.arange(len(SAMPLED)) != k % len(SAMPLED)
        people.append(Individual(str(k + 1), SAMPLED[keep], row[keep], (DOSE,)))
    return Study(name, tuple(people))


class Knowing:
    """Draws from the true law, moved by ``shift`` and stretched by ``scale`` in ln y."""

    def __init__(self, name="right", shift=0.0, scale=1.0):
        self.name, self.shift, self.scale = name, shift, scale

    def forecast(self, context, target, times, n_samples, seed):
        rng = np.random.default_rng(seed)
        centre = truth(times, 4000, np.random.default_rng(1)).mean(0)
        logs = truth(np.asarray(times), n_samples, rng)
        return Forecast(times, np.exp(centre + self.shift + self.scale * (logs - centre)))


class Refusing(Knowing):
    """Right, but refuses one individual, or everybody."""

    def __init__(self, whom=None):
        super().__init__("refusing")
        self.whom = whom

    def forecast(self, context, target, times, n_samples, seed):
        if self.whom in (None, target.id):
            raise AgmpkError("not for this one")
        return super().forecast(context, target, times, n_samples, seed)


@pytest.fixture(scope="session")
def toy():
    """A study whose law is known, and forecasters that are right or wrong about it: (toy_study,
    Knowing, Refusing, truth, times)."""
    return toy_study, Knowing, Refusing, truth, SAMPLED


@pytest.fixture(scope="session")
def compounds():
    """The 20 studies of the benchmark, read once."""
    return benchmark_studies()
