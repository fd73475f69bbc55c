"""A study whose law is known, and forecasters that are right or wrong about it."""

from __future__ import annotations

import numpy as np
import pytest

from agmpk.errors import AgmpkError
from agmpk.forecasting.forecaster import Forecast
from agmpk.studies import Dose, Individual, Study

TIMES = np.array([0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0])
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
    for k, row in enumerate(np.exp(truth(TIMES, n, rng))):
        keep = np.arange(len(TIMES)) != k % len(TIMES)
        people.append(Individual(str(k + 1), TIMES[keep], row[keep], (DOSE,)))
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
    """(toy_study, Knowing, Refusing, truth, TIMES)."""
    return toy_study, Knowing, Refusing, truth, TIMES
