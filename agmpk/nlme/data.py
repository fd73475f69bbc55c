"""A study as the estimation engine wants it: all observations below each other.

Shapes: I individuals with observations, N observations, K doses of the individual with the most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agmpk.errors import AgmpkError
from agmpk.nlme.structural.superposition import DoseColumn
from agmpk.studies import Individual, Study

FEWEST = 3
"""Individuals that a fit needs: with fewer, a variance between them means nothing."""


@dataclass(frozen=True)
class FitData:
    """y [N], times [N] [h], group [N] (index into ``people``), and the doses.

    Observations are the quantifiable ones after the first dose: those below the LLOQ are left out
    (method M1 of Beal 2001).
    """

    compound: str
    people: tuple[Individual, ...]
    y: NDArray[np.float64]
    times: NDArray[np.float64]
    group: NDArray[np.int64]
    doses: tuple[DoseColumn, ...]
    oral: bool

    def doses_of(self, group: NDArray[np.int64]) -> tuple[DoseColumn, ...]:
        """The doses, one row per entry of ``group``."""
        return tuple(DoseColumn(*(column[group] for column in dose)) for dose in self.doses)

    @property
    def scale(self) -> float:
        """A typical concentration, the median of the individuals' maxima."""
        return float(np.median([one.concentrations.max() for one in self.people]))


def fit_data(study: Study) -> FitData:
    """Stack a study.

    Raises:
        AgmpkError: fewer than ``FEWEST`` individuals have observations, or there are both oral and
            IV doses (bioavailability is not among the parameters).
    """
    people = tuple(one for one in study.after_dose() if len(one))
    if len(people) < FEWEST:
        raise AgmpkError(
            f"A mixed-effects fit of {study.compound} needs {FEWEST} individuals with "
            f"observations after their dose; it has {len(people)}."
        )
    oral = {is_oral(one, study.compound) for one in people}
    if len(oral) > 1:
        raise AgmpkError(
            f"The study of {study.compound} has oral and IV doses, which would need a "
            "bioavailability; fit one route at a time."
        )
    schedules = [one.single_doses() for one in people]
    most = max(map(len, schedules))
    table = np.zeros((3, most, len(people)))
    for i, schedule in enumerate(schedules):
        for k, dose in enumerate(schedule):
            table[:, k, i] = dose.time, dose.amount, dose.duration
    return FitData(
        study.compound,
        people,
        np.concatenate([one.concentrations for one in people]),
        np.concatenate([one.times for one in people]),
        np.repeat(np.arange(len(people)), [len(one) for one in people]),
        tuple(DoseColumn(*table[:, k]) for k in range(most)),
        oral.pop(),
    )


def is_oral(one: Individual, compound: str) -> bool:
    """Whether all doses are oral (True) or all IV (False); AgmpkError where they are mixed."""
    found = {dose.route == "oral" for dose in one.doses}
    if len(found) > 1:
        raise AgmpkError(
            f"Individual {one.id} of the study of {compound} has oral and IV doses, which would "
            "need a bioavailability; give one route only."
        )
    return found.pop()


def dose_columns(one: Individual) -> tuple[DoseColumn, ...]:
    """The single doses of one individual as scalars."""
    return tuple(
        DoseColumn(*np.array([dose.time, dose.amount, dose.duration]))
        for dose in one.single_doses()
    )
