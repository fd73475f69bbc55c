"""Virtual individuals of a study: forecasts of somebody of whom nothing has been observed yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from agmpk.errors import AgmpkError
from agmpk.forecasting.forecaster import Forecaster
from agmpk.studies.study import Array, Dose, Individual, Study


def sampling_times(study: Study) -> Array:
    """The union of the study's sampling times after the dose [h], positive observations only.

    On the study's own clock where everybody's first dose is at one time, else since each one's
    first dose.
    """
    return _union(study.individuals, first_dose_time(study))


def generate(
    forecaster: Forecaster,
    study: Study,
    n: int,
    times: Array | None = None,
    dose: Dose | Sequence[Dose] | None = None,
    seed: int = 0,
) -> Study:
    """Generate ``n`` virtual individuals V1 ... Vn given all individuals of ``study``.

    Each gets the doses of one of the study's individuals, drawn with replacement among those with
    a sample, so that a cohort of a study of several doses or schedules has all of them.  Time is
    the study's own where everybody's first dose is at one time, else it counts from each one's
    first dose.

    Args:
        forecaster: any model of the family; asked once for each distinct list of doses.
        study: the context, whole.
        n: number of virtual individuals.
        times: sampling times [h]; by default the union of the study's, or where individuals differ
            in their schedules (in more than the amounts) that of those with the same one.
        dose: what if they were all given this dose, or this list of doses (any amounts, times and
            routes; ``additional`` and ``interval`` repeat one).
        seed: same seed, same cohort.

    Raises:
        AgmpkError: the study is empty, or the model cannot generate for it or for those doses.
    """
    if not len(study):
        raise AgmpkError(f"The study of {study.compound} has no individual to generate from.")
    if n < 1:
        raise AgmpkError(f"A cohort of {n} was asked for; it must be of 1 or more.")
    start = first_dose_time(study)
    if dose is None:
        drawn = _drawn(study, n, start, seed)
    else:
        plan = (dose,) if isinstance(dose, Dose) else tuple(dose)
        drawn = [Individual("virtual", [], [], plan).doses] * n  # checked, and in order of time
    people: list[Individual | None] = [None] * n
    regimens = [*dict.fromkeys(drawn)]
    bar = tqdm(regimens, desc="cohort", unit="regimen", disable=None if len(regimens) > 1 else True)
    for number, doses in enumerate(bar):
        places = [place for place, one in enumerate(drawn) if one == doses]
        asked = _default_times(study, doses, start, dose is None) if times is None else times
        asked = np.asarray(asked, dtype=float)
        nobody = Individual("virtual", [], [], doses)
        # A seed of its own for each further list of doses.
        more = np.random.SeedSequence([seed, number]).generate_state(1)
        own_seed = seed if number == 0 else int(more[0])
        found = forecaster.forecast(study, nobody, asked, len(places), own_seed)
        for place, row in zip(places, found.samples, strict=True):
            people[place] = Individual(f"V{place + 1}", asked, row, doses)
    return Study(study.compound, tuple(people), study.units)


def first_dose_time(study: Study) -> float:
    """The time of the first dose where it is the same for everybody, else 0 [h]."""
    starts = {one.doses[0].time for one in study}
    return starts.pop() if len(starts) == 1 else 0.0


def _regimen(one: Individual, start: float) -> tuple[Dose, ...]:
    """The doses of an individual as if the first had been given at ``start``."""
    shift = start - one.doses[0].time
    if shift == 0:
        return one.doses
    return tuple(replace(dose, time=round(dose.time + shift, 9)) for dose in one.doses)


def _drawn(study: Study, n: int, start: float, seed: int) -> list[tuple[Dose, ...]]:
    """The doses of ``n`` individuals drawn with replacement, those with a sample if there are."""
    donors = [one for one in study if len(one.after_dose())] or list(study)
    regimens = [_regimen(one, start) for one in donors]
    if len(set(regimens)) == 1:
        return regimens[:1] * n
    return [regimens[k] for k in np.random.default_rng(seed).integers(len(donors), size=n)]


def _default_times(study: Study, doses: tuple[Dose, ...], start: float, own: bool) -> Array:
    """The sampling times of a virtual individual with these doses; ``own``: the study's doses."""

    def schedule(doses: Sequence[Dose]) -> list[Dose]:
        return [replace(dose, amount=1.0) for dose in doses]  # whatever the amounts

    mine = schedule(doses)
    same = [one for one in study if not own or schedule(_regimen(one, start)) == mine]
    times = _union(same, start)
    return times[times > doses[0].time]


def _union(people: Sequence[Individual], start: float) -> Array:
    """All times of positive observations after the first dose, which is moved to ``start``."""
    times = [np.array([])]
    for one in people:
        shift = start - one.doses[0].time
        own = one.after_dose().times
        times.append(np.round(own + shift, 9) if shift else own)
    return np.unique(np.concatenate(times))
