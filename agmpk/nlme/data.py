"""A study as the estimation engine wants it: all observations below each other.

Shapes: I individuals with observations, N observations, K doses of the individual with the most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agmpk.errors import AgmpkError
from agmpk.nlme.closed_forms import DoseColumn, dose_columns
from agmpk.studies import Individual, Study

FEWEST = 3
"""Individuals that a fit needs: with fewer, a variance between them means nothing."""


@dataclass(frozen=True)
class FitData:
    """y [N], times [N] [h], group [N] (index into ``people``), and the doses of each one's owner.

    ``people`` have one quantified observation or more after their first dose. y holds these; the
    observations below their limit are still with the people (``censored``).
    """

    compound: str
    people: tuple[Individual, ...]
    y: NDArray[np.float64]
    times: NDArray[np.float64]
    group: NDArray[np.int64]
    doses: tuple[DoseColumn, ...]
    oral: bool
    both: bool

    @property
    def scale(self) -> float:
        """A typical concentration, the median of the individuals' maxima."""
        return float(np.median([one.concentrations[~one.censored].max() for one in self.people]))


def fit_data(study: Study) -> FitData:
    """Stack a study.

    Raises:
        AgmpkError: fewer than ``FEWEST`` individuals have quantified observations.
    """
    people = tuple(one for one in study.after_dose(limits=True) if not one.censored.all())
    if len(people) < FEWEST:
        raise AgmpkError(
            f"A mixed-effects fit of {study.compound} needs {FEWEST} individuals with "
            f"observations after their dose; it has {len(people)}."
        )
    schedules = [dose_columns(one) for one in people]
    most = max(map(len, schedules))
    table = np.zeros((most, len(DoseColumn._fields), len(people)))
    for i, schedule in enumerate(schedules):
        table[: len(schedule), :, i] = schedule
        table[len(schedule) :, -1, i] = schedule[0].oral
    routes = {bool(dose.oral) for schedule in schedules for dose in schedule}
    quantified = [one.select(~one.censored) for one in people]
    y, times = (
        np.concatenate([getattr(one, name) for one in quantified])
        for name in ("concentrations", "times")
    )
    group = np.repeat(np.arange(len(people)), [len(one) for one in quantified])
    doses = tuple(DoseColumn(*dose[:, group]) for dose in table)
    return FitData(
        study.compound, people, y, times, group, doses, oral=True in routes, both=len(routes) == 2
    )
