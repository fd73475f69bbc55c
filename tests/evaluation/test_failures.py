"""Readings of one-compartment curves of which one thing was changed."""

import numpy as np
import pytest

from agmpk.evaluation import cases
from agmpk.evaluation.failures import KINDS, REMEDIES, readings
from agmpk.studies import Dose, Individual, Study

TIMES = np.array([0.5, 1, 2, 3, 4, 6, 8, 10, 12, 16])


def curve(ka=1.5, ke=0.2, scale=1.0, lag=0.0, times=TIMES):
    t = np.maximum(times - lag, 0.01)
    return scale * 100 * ka / (ka - ke) * (np.exp(-ke * t) - np.exp(-ka * t))


def kinds(amount=10.0, times=TIMES, lloq=None, **change):
    spread = np.linspace(0.8, 1.25, 8)
    people = [
        Individual(str(k), TIMES, curve(scale=s), (Dose(0.0, 10.0, "oral"),))
        for k, s in enumerate(spread)
    ]
    odd = Individual("odd", times, curve(times=times, **change), (Dose(0.0, amount, "oral"),))
    study = Study("drug", (*people, odd), lloq=lloq)
    (case,) = [c for c in cases("drug", study, 4) if c.prefix.id == "odd"]
    return [one.kind for one in readings(case)]


def test_an_ordinary_individual_is_unexplained():
    assert kinds() == ["unexplained"]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"lag": 4.0}, "delayed absorption"),
        ({"ke": 0.05, "ka": 3.0}, "slow elimination"),
        ({"scale": 2.5}, "slow elimination"),
        ({"scale": 0.3}, "low exposure"),
        ({"lloq": 8.0}, "assay limit"),
    ],
)
def test_each_change_is_read(change, kind):
    assert kind in kinds(**change)


def test_a_larger_dose_is_not_a_higher_level():
    assert kinds(scale=2.5, amount=25.0) == ["unexplained"]


def test_a_prefix_before_the_rise_is_a_delay_though_somebody_else_peaked_later():
    spread = np.linspace(0.8, 1.25, 8)
    curves = [curve(scale=s) for s in spread] + [curve(lag=4.5), curve(lag=2.95)]
    people = [
        Individual(str(k), TIMES, y, (Dose(0.0, 10.0, "oral"),)) for k, y in enumerate(curves)
    ]
    first, *_, odd = cases("drug", Study("drug", tuple(people)), 4)
    (late, *_) = readings(odd)
    assert late.kind == "delayed absorption" and "of its peak" in late.evidence
    assert readings(first)[0].kind == "unexplained"


def test_two_things_are_both_read():
    assert {"delayed absorption", "low exposure"} <= set(kinds(lag=4.0, scale=0.2))


def test_one_sample_cannot_be_compared():
    assert kinds(times=TIMES[:1]) == ["unexplained"]


def test_every_kind_has_a_remedy():
    assert all(REMEDIES[kind] for kind in KINDS)
