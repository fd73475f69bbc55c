"""Virtual individuals of a fitted population, for visual predictive checks and npde."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agmpk.errors import AgmpkError
from agmpk.nlme.individual import draw_etas, predict
from agmpk.nlme.population import Population
from agmpk.studies import Dose, Individual, Study, Units


def simulate(
    population: Population,
    times: NDArray[np.float64],
    doses: Sequence[Dose],
    n: int,
    seed: int,
    units: Units | None = None,
) -> Study:
    """``n`` virtual individuals V1 ... Vn observed at ``times`` [h], residual error included.

    Raises:
        AgmpkError: fewer than one individual, or times that are not increasing.
    """
    if n < 1:
        raise AgmpkError(f"At least one virtual individual is needed, not {n}.")
    rng = np.random.default_rng(seed)
    nobody = Individual("virtual", np.asarray(times, float), np.ones(len(times)), tuple(doses))
    curves = predict(population, draw_etas(population, n, rng), nobody, nobody.times)
    observed = population.error.sample(curves, rng)
    people = [Individual(f"V{i + 1}", times, row, nobody.doses) for i, row in enumerate(observed)]
    return Study(population.compound, tuple(people), units or Units())
