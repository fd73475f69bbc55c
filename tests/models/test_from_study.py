"""Schedules of doses: what the networks accept and what they refuse."""

import numpy as np
import pytest

from agmpk.errors import AgmpkError
from agmpk.models.features import dosing, target_features
from agmpk.models.frame import to_frame
from agmpk.models.from_study import regimen, task_from_study
from agmpk.studies import Dose, Individual, Study


def person(name: str, *doses: Dose) -> Individual:
    times = np.array([1.0, 5.0, 7.0, 13.0, 20.0])
    return Individual(name, times, np.exp(-0.1 * times), doses)


THRICE = Dose(0.0, 2.0, "oral", additional=2, interval=6.0)
ONE_BY_ONE = tuple(Dose(6.0 * k, 2.0, "oral") for k in range(3))


def test_a_schedule_is_the_same_however_it_is_written():
    for doses in ((THRICE,), ONE_BY_ONE):
        found = regimen(person("1", *doses), "toy")
        assert (found.amount, found.additional, found.interval) == (2.0, 2, 6.0)
    assert regimen(person("1", Dose(0.0, 2.0)), "toy").interval == 0


def test_unequal_doses_are_refused():
    for doses in (
        (Dose(0.0, 2.0), Dose(6.0, 3.0)),
        (Dose(0.0, 2.0), Dose(6.0, 2.0), Dose(13.0, 2.0)),
        (Dose(0.0, 2.0), Dose(6.0, 2.0, "iv_bolus")),
    ):
        with pytest.raises(AgmpkError, match="Individual 1 .* not evenly spaced"):
            regimen(person("1", *doses), "toy")


def test_another_schedule_than_the_studys_is_refused():
    context = Study("toy", (person("1", *ONE_BY_ONE),))
    with pytest.raises(AgmpkError, match="3 doses every 6 h and the target 2 a single dose"):
        task_from_study(context, person("2", Dose(0.0, 2.0)).prefix(1), np.array([9.0]))
    with pytest.raises(AgmpkError, match="every 6 h and the target 2 3 doses every 8 h"):
        other = person("2", Dose(0.0, 2.0, additional=2, interval=8.0))
        task_from_study(context, other.prefix(1), np.array([9.0]))
    # Another amount is no other schedule: curves are dose-normalized.
    amount = person("2", Dose(0.0, 5.0, additional=2, interval=6.0))
    assert task_from_study(context, amount.prefix(1), np.array([9.0])).additional.tolist() == [2]


def test_features_tell_the_time_since_the_last_dose_and_the_number_of_doses():
    context = Study("toy", (person("1", THRICE),))
    target = person("2", THRICE)
    task = task_from_study(context, target.prefix(0), target.times)
    found = dosing(task, to_frame(task), task.target_times)[0, 0].numpy()
    assert np.allclose(found[:, 0] * 20.0, [1, 5, 1, 1, 8])
    assert np.allclose(np.exp(found[:, 2]), [1, 1, 2, 3, 3])
    assert np.allclose(found[:, 3], 1) and np.allclose(found[:, 4] * 20.0, 6)


def test_a_single_dose_leaves_the_features_of_a_schedule_zero():
    data = Study("toy", (person("1", Dose(0.0, 2.0)),))
    target = person("2", Dose(0.0, 2.0))
    task = task_from_study(data, target.prefix(0), target.times)
    frame = to_frame(task)
    assert not dosing(task, frame, task.target_times)[..., :6].any()
    assert bool(np.isfinite(target_features(task, frame).numpy()).all())
