"""Virtual individuals of a study: forecasts of somebody of whom nothing has been observed yet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agmpk.errors import AgmpkError
from agmpk.forecasting.forecaster import Forecaster
from agmpk.forecasting.naive import NaiveForecaster
from agmpk.studies import Dose, Individual, Study


def sampling_times(study: Study) -> NDArray[np.float64]:
    """The union of the study's sampling times after the dose [h], positive observations only."""
    times = [one.times for one in study.after_dose()]
    return np.unique(np.concatenate(times)) if times else np.array([])


def generate(
    forecaster: Forecaster,
    study: Study,
    n: int,
    times: NDArray[np.float64] | None = None,
    dose: Dose | None = None,
    seed: int = 0,
) -> Study:
    """Generate ``n`` virtual individuals V1 ... Vn given all individuals of ``study``.

    Args:
        forecaster: any model of the family.
        study: the context, whole.
        n: number of virtual individuals.
        times: sampling times [h]; by default the union of the study's.
        dose: what if they were given this dose (with ``additional`` and ``interval`` for a repeated
            one); by default they get the doses of the study's first individual.
        seed: same seed, same cohort.

    Raises:
        AgmpkError: the study is empty, or the model cannot generate for it or for that dose.
    """
    if not len(study):
        raise AgmpkError(f"The study of {study.compound} has no individual to generate from.")
    if dose is not None and isinstance(forecaster, NaiveForecaster):
        raise AgmpkError(
            "The naive forecast knows no doses, so it cannot say what another one would do: use a "
            "trained model."
        )
    times = sampling_times(study) if times is None else np.asarray(times, dtype=float)
    doses = study.individuals[0].doses if dose is None else (dose,)
    nobody = Individual("virtual", [], [], doses)
    cohort = forecaster.forecast(study, nobody, times, n, seed)
    return Study(
        study.compound,
        tuple(Individual(f"V{i + 1}", times, row, doses) for i, row in enumerate(cohort.samples)),
        study.units,
    )
