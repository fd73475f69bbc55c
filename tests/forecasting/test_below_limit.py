"""A sample below the limit is information: it lowers a forecast, and never raises it."""

import numpy as np
import pytest

from agmpk.forecasting import load_forecaster
from agmpk.studies import Dose, Individual, Study

TIMES = np.array([0.5, 1.0, 2.0, 4.0, 8.0, 12.0, 16.0, 24.0])


@pytest.fixture(scope="module")
def study(people, observe) -> Study:
    return observe(people(14, 5), [Dose(0.0, 100.0)] * 14, TIMES, 0.1)


def change(model, study: Study, one: Individual, share: float) -> float:
    """Mean change of ln PRED after a third sample "below ``share`` of what it is" instead of none;
    the first two are shown as they are."""
    context, later = study.without(one.id), TIMES[5:]
    values, marks = one.concentrations[:5:2].copy(), np.array([False, False, True])
    values[2] *= share
    told = Individual(one.id, TIMES[:5:2], values, one.doses, marks)
    without, with_it = (
        model.forecast(context, prefix, later, 8, seed=0).pred for prefix in (told.prefix(2), told)
    )
    return float(np.log(with_it / without).mean())


@pytest.mark.slow
def test_a_value_below_a_low_limit_lowers_the_forecast(study):
    """Half, or a tenth, of what would have been seen is the limit."""
    model = load_forecaster("flow")
    for share in (0.5, 0.1):
        changes = np.array([change(model, study, one, share) for one in study])
        assert changes.mean() < 0 and np.mean(changes <= 0.02) >= 0.9, (share, changes)


@pytest.mark.slow
def test_a_limit_far_above_says_next_to_nothing(study):
    model = load_forecaster("flow")
    changes = np.array([change(model, study, one, 20.0) for one in study])
    assert np.abs(changes).mean() < 0.1, changes
    low = np.array([change(model, study, one, 0.3) for one in study])
    assert low.mean() < changes.mean()
