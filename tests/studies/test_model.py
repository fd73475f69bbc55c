"""The data model: immutable, validated, equal by value."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest

from agmpk.errors import AgmpkError
from agmpk.studies import Dose, Individual, Study, Units, conversion_factor
from agmpk.studies.nonmem.write import to_frame

ORAL = Dose(0, 100)


def person(
    id="1", times=(0, 1, 2, 4), values=(0, 5, 3, 1), doses=(ORAL,), censored=None, person=None
):
    return Individual(id, times, values, doses, censored, person)


def test_a_schedule_expands_to_single_doses():
    doses = Dose(2, 50, "iv_infusion", 0.5, additional=3, interval=12).expand()
    assert [dose.time for dose in doses] == [2, 14, 26, 38]
    assert {(d.amount, d.route, d.duration, d.additional, d.interval) for d in doses} == {
        (50, "iv_infusion", 0.5, 0, 0)
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"time": -1e9}, "most that is taken"),
        ({"duration": -1}, "duration is -1"),
        ({"amount": 1e300}, "most that is taken"),
        ({"additional": 1e9, "interval": 12}, "9,999"),
        ({"time": "noon"}, "finite number"),
        ({"amount": 0}, "amount is 0"),
        ({"amount": float("nan")}, "finite number"),
        ({"route": "rectal"}, "rectal"),
        ({"route": "iv_infusion"}, "positive duration"),
        ({"duration": 1}, "positive duration"),
        ({"additional": 1}, "no interval"),
        ({"additional": 1.5, "interval": 12}, "whole number"),
        ({"additional": -1, "interval": 12}, "whole number"),
    ],
)
def test_a_wrong_dose_is_refused_in_one_sentence(arguments, says):
    with pytest.raises(AgmpkError, match=says) as caught:
        Dose(**{"time": 0, "amount": 100, **arguments})
    assert str(caught.value).count(". ") == 0 and str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"times": (0, 1, 1, 4)}, "strictly increasing"),
        ({"times": (-1, 1, 2, 4)}, "negative"),
        ({"times": (1, 2, 4)}, "3 times, 4 concentrations"),
        ({"times": (0, 1, np.nan, 4)}, "finite"),
        ({"values": (0, 5, -3, 1)}, "negative concentration"),
        ({"values": (0, 5, np.inf, 1)}, "finite"),
        ({"values": "abcd"}, "not numbers"),
        ({"times": [[0, 1], [2, 4]]}, "one row"),
        ({"censored": [True, False, False, False]}, "LLOQ"),
        ({"doses": ()}, "no dose"),
        ({"doses": (ORAL, Dose(0, 100))}, "same dose twice"),
        ({"id": "."}, "ID"),
        ({"id": " 1"}, "ID"),
        ({"id": "#1"}, "ID"),
        ({"person": "#1"}, "person"),
        ({"times": (0, 1, 2, 4e9)}, "after 1e\\+06 h"),
    ],
)
def test_a_wrong_individual_is_refused(arguments, says):
    with pytest.raises(AgmpkError, match=says):
        person(**arguments)


def test_arrays_are_copies_that_cannot_be_written():
    times = np.array([0.0, 1, 2, 4])
    one = person(times=times)
    times[0] = 99
    assert one.times[0] == 0
    for array in (one.times, one.concentrations, one.censored, one.prefix(2).times):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.id = "2"
    for twin in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert twin == one and not twin.times.flags.writeable


def test_equality_and_hash_go_by_value():
    assert person() == person() and hash(person()) == hash(person())
    assert person() != person(values=(0, 5, 3, 2))
    assert person() != person(doses=(Dose(0, 50),))
    assert person() != person(censored=[False, True, False, False])
    assert person() != "1"


def test_a_prefix_is_the_first_observations():
    one = person()
    for p in range(6):
        first = one.prefix(p)
        assert first.doses == one.doses and len(first) == min(p, 4)
        assert np.array_equal(first.times, one.times[:p])
        assert np.array_equal(first.concentrations, one.concentrations[:p])
    with pytest.raises(AgmpkError, match="0 or more"):
        one.prefix(-1)


def test_quantifiable_drops_zeros_and_censored_values_only():
    one = person(times=(0, 1, 2, 4), values=(0.2, 0, 3, 1), censored=[False, False, False, True])
    assert one.quantifiable().times.tolist() == [0, 2]


def test_doses_are_in_order_of_time():
    one = person(doses=(Dose(24, 1), Dose(0, 2, additional=2, interval=20)))
    assert [dose.time for dose in one.doses] == [0, 24]
    assert [dose.time for dose in one.single_doses()] == [0, 20, 24, 40]


def test_a_study_finds_and_leaves_out_individuals():
    study = Study("caffeine", [person("1"), person("2"), person("9")])
    assert study.ids == ("1", "2", "9") and len(study) == 3
    assert study["2"].id == "2" and study.without("2").ids == ("1", "9")
    assert study.ids == ("1", "2", "9")
    with pytest.raises(AgmpkError, match="no individual 3; it has 1, 2, 9"):
        study["3"]
    assert all(len(one) == 3 for one in study.only_quantifiable())
    assert len(Study("caffeine", [person()]).without("1")) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        {"individuals": [person(), person()]},
        {"compound": ""},
        {"lloq": 0},
        {"lloq": float("nan")},
        {"individuals": ["1"]},
    ],
)
def test_a_wrong_study_is_refused(arguments):
    with pytest.raises(AgmpkError):
        Study(**{"compound": "caffeine", "individuals": [person()], **arguments})


@pytest.mark.parametrize(
    "units", [("h", "µg/mL", "mg/kg"), ("hr", "mcg/L", "g"), ("hour", "nmol/L", "umol")]
)
def test_usual_units_are_understood(units):
    assert Units(*units).time == "h"


@pytest.mark.parametrize(
    "units",
    [
        ("min", "ng/mL", "mg"),
        ("h", "ng", "mg"),
        ("h", "ng/mL", "%"),
        ("h", "ng/mL", "h"),
        ("h", "nonsense/mL", "mg"),
        ("h", "", "mg"),
        ("h", "ng mL-1)", "mg"),
    ],
)
def test_wrong_units_are_refused(units):
    with pytest.raises(AgmpkError):
        Units(*units)


def test_conversion():
    assert conversion_factor("mg/L", "ng/mL") == pytest.approx(1000)
    assert conversion_factor("mcg/mL", "mg/L") == pytest.approx(1)
    assert conversion_factor("day", "h") == pytest.approx(24)
    with pytest.raises(AgmpkError, match="different things"):
        conversion_factor("mg", "h")


def test_to_frame_is_tidy():
    frame = to_frame(Study("caffeine", [person()]))
    assert frame[["TIME", "EVID", "MDV"]].values.tolist()[:2] == [[0, 0, 0], [0, 1, 1]]
    assert frame["DV"].isna().sum() == 1 and frame["AMT"].sum() == 100
