"""Before a fit: a study as the estimation engine wants it, all observations below each other, and
the values to start from.

Shapes: N observations, P parameters.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from agmpk.errors import AgmpkError
from agmpk.nlme.closed_forms import DoseColumn, StructuralModel, dose_columns
from agmpk.studies.study import Array, Individual, Study

FEWEST = 3
"""Individuals that a fit needs: with fewer, a variance between them means nothing."""

LEAST_ABSORBED = 0.3
"""Of a dose at Tmax: with less, absorption and elimination have changed places."""


@dataclass(frozen=True)
class FitData:
    """y [N], times [N] [h], group [N] (index into ``people``), and the doses of each one's owner.

    ``people`` have one quantified observation or more after their first dose. y holds these; the
    observations below their limit are still with the people (``censored``).
    """

    compound: str
    people: tuple[Individual, ...]
    y: Array
    times: Array
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


def suggested(data: FitData) -> dict[str, float]:
    """What the data suggest before any fit, whatever the doses.

    CL [volume/h], lambda_z [1/h] (and ka [1/h] where doses are swallowed) of the one-compartment
    curve that is nearest to all observations at once, on a grid of rates with the level in closed
    form, residuals in the logarithm; Tmax [h], the median over individuals of the time since the
    last dose at their highest observation; first [h], that of their first observation.
    """
    dosed = np.stack([dose.time for dose in data.doses])
    given = np.stack([dose.amount for dose in data.doses]) > 0
    since_last = (data.times - np.where(given & (dosed < data.times), dosed, -np.inf)).min(0)
    mine = [data.group == i for i in range(len(data.people))]
    since_first = data.times - np.array([one.doses[0].time for one in data.people])[data.group]
    tmax = float(np.median([since_last[m][np.argmax(data.y[m])] for m in mine]))
    first, shortest = (
        float(np.median([since[m].min() for m in mine])) for since in (since_first, since_last)
    )
    last = float(np.median([since_first[m].max() for m in mine]))
    rates = np.geomspace(0.1 / last, max(5 / shortest, 1 / last), 30)
    structure = StructuralModel(1, data.oral, both=data.both)
    pairs = [
        (ka, ke)
        for ka, ke in itertools.product(2 * rates if data.oral else [np.nan], rates)
        if not ka < 1.1 * ke
    ]
    named = {"ka": 0.0, "F": 0.7, "CL": 0.0, "V": 1.0}
    values = np.array(
        [[(named | {"ka": ka, "CL": ke})[p] for p in structure.parameters] for ka, ke in pairs]
    )
    curves = structure.concentration(values[:, None, :], data.times, data.doses)
    gaps = np.log(data.y) - np.log(np.maximum(curves, 1e-12 * curves.max()))
    levels = np.median(gaps, axis=1)
    best = int(np.argmin(np.abs(gaps - levels[:, None]).mean(1)))
    ka, ke = pairs[best]
    volume = float(np.exp(-levels[best]))
    return {"CL": ke * volume, "lambda_z": ke, "ka": ka, "Tmax": tmax, "first": first}


def guesses(data: FitData, structure: StructuralModel, flip_flop: bool = False) -> list[Array]:
    """Parameter vectors [P] that span the hills; ka < ke only with ``flip_flop``."""
    base = suggested(data)
    cl, ke, fast = base["CL"], base["lambda_z"], base["ka"]
    # (ka, ke): usual, slow absorption, flip-flop
    rates = [(fast, ke), (1.2 * ke, 1.1 * ke), (ke, fast)][: 3 if flip_flop else 2]
    rates = rates if structure.oral else [(np.nan, ke)]
    lags = [0.5 * base["first"], 0.5 * base["Tmax"]] if structure.lag else [np.nan]
    splits = [(0.5, 1.0), (0.15, 0.3)] if structure.compartments == 2 else [(1.0, np.nan)]
    found = []
    for (ka, k), lag, (central, exchange) in itertools.product(rates, lags, splits):
        v = cl / k
        named = {"ka": ka, "tlag": max(lag, 1e-3), "F": 0.7, "CL": cl, "V": central * v}
        named |= {"Q": exchange * cl, "V2": max(1 - central, 0.1) * v}
        found.append(np.array([named[name] for name in structure.parameters]))
    return found


def starting_values(
    data: FitData, structure: StructuralModel, count: int = 2, flip_flop: bool = False
) -> list[Array]:
    """Up to ``count`` distinct vectors [P] of typical parameters, the best pooled fit first.

    The pooled fit (one curve for everybody, residuals in the logarithm) is run from several
    guesses, with early and late absorption, ka above and below ke (flip-flop), and short and long
    lags, because each of these is a hill of its own.
    Without ``flip_flop``, solutions with ka below the terminal rate are left out unless there is
    no other.
    """
    # Before the lag the prediction is 0: half the smallest value keeps its logarithm finite.
    small = data.y.min() / 2
    target = np.log(data.y + small)

    def residual(logs: Array) -> Array:
        f = structure.concentration(np.exp(logs)[None], data.times, data.doses)
        return np.nan_to_num(np.log(f + small) - target, nan=50.0, posinf=50.0, neginf=-50.0)

    solutions = []
    for guess in guesses(data, structure, flip_flop):
        x0 = np.log(guess)
        # Within a factor e^3 = 20 of the guess: far enough to matter, near enough to be sane.
        solved = least_squares(
            residual, x0, bounds=(x0 - 3, x0 + 3), loss="soft_l1", diff_step=1e-3, max_nfev=60
        )
        solutions.append((solved.cost, solved.x))
    if not flip_flop:
        tmax = suggested(data)["Tmax"]
        usual = [s for s in solutions if not is_flip_flop(structure, np.exp(s[1]), tmax)]
        solutions = usual or solutions
    solutions.sort(key=lambda pair: pair[0])
    kept: list[Array] = []
    for _, logs in solutions:
        if all(np.max(np.abs(logs - other)) > 0.3 for other in kept):
            kept.append(logs)
    return [np.exp(logs) for logs in kept[:count]]


def is_flip_flop(structure: StructuralModel, typical: Array, tmax: float) -> bool:
    """Whether absorption has changed places with a phase of disposition.

    That is so when ka is below the terminal rate, and also when less than ``LEAST_ABSORBED`` of
    the dose would be absorbed at Tmax [h] (in two compartments ka can hide between the rates).
    """
    if not structure.oral:
        return False
    ka = typical[0]
    too_slow = -np.expm1(-ka * tmax) < LEAST_ABSORBED
    return bool(too_slow or ka <= structure.exponentials(typical)[-1][1])
