"""A small study for the tests of the networks."""

from collections.abc import Callable

import numpy as np
import pytest

from agmpk.studies import Dose, Individual, Study, Units


def make_study(scale: float = 1.0, hours: float = 1.0, dose: float = 1.0, repeat: int = 0) -> Study:
    """Five individuals with irregular samples of a one-compartment curve.

    ``scale``, ``hours`` and ``dose`` are the units of concentration, time and amount; ``repeat``
    is the number of further doses, one in six hours.
    """
    g = np.random.default_rng(4)
    people = []
    for i in range(5):
        t = np.sort(g.uniform(0.2, 24, 9 + i))
        ka, ke, v = np.exp(g.normal([0.3, -1.8, 3.0], 0.3))
        amount = float(np.exp(g.normal(3, 0.2)))
        y = 0.0
        for since in (t - 6.0 * k for k in range(repeat + 1)):
            one = ka / (ka - ke) * (np.exp(-ke * since) - np.exp(-ka * since))
            y = y + np.where(since > 0, amount / v * one, 0.0)
        people.append(
            Individual(
                str(i),
                t * hours,
                y * np.exp(g.normal(0, 0.1, len(t))) * scale,
                (Dose(0.0, amount * dose, "oral", 0.0, repeat, 6.0 * hours * (repeat > 0)),),
            )
        )
    return Study("toy", tuple(people), Units())


@pytest.fixture(scope="session")
def toy_study() -> Callable[..., Study]:
    """``make_study``."""
    return make_study
