"""The forecaster's seam: what every model must hold, and the shipped models by name."""

import numpy as np
import pytest

from agmpk.errors import AgmpkError
from agmpk.evaluation import benchmark_studies, cases
from agmpk.forecasting import Forecast, generate, load_forecaster, model_names, sampling_times
from agmpk.forecasting.naive import NaiveForecaster
from agmpk.studies import Dose, Individual, Study


@pytest.fixture(scope="module")
def theophylline() -> Study:
    return benchmark_studies()["theophylline"]


@pytest.mark.parametrize("name", ["naive", "flow"])
def test_what_every_forecaster_holds(name, theophylline):
    model = load_forecaster(name)
    assert model.name == name
    case = cases("theophylline", theophylline)[3]
    for prefix in (case.prefix, case.prefix.prefix(0)):
        one = model.forecast(case.context, prefix, case.times, 30, seed=1)
        again = model.forecast(case.context, prefix, case.times, 30, seed=1)
        other = model.forecast(case.context, prefix, case.times, 30, seed=2)
        assert one.samples.shape == (30, len(case.times)) and (one.samples > 0).all()
        assert np.array_equal(one.samples, again.samples)
        assert not np.array_equal(one.samples, other.samples)
        assert np.isfinite(one.pred).all()


@pytest.mark.parametrize("name", ["naive", "flow"])
@pytest.mark.parametrize(
    "times, words",
    [
        ([], "at least one"),
        ([5.0, 4.0], "increasing"),
        ([np.nan], "finite"),
        ([0.1], "after that"),
    ],
)
def test_bad_times_are_refused(name, times, words, theophylline):
    case = cases("theophylline", theophylline)[0]
    with pytest.raises(AgmpkError, match=words):
        load_forecaster(name).forecast(case.context, case.prefix, np.array(times), 5, 0)


def test_summary_of_samples():
    samples = np.exp(np.array([[0.0, 1.0], [2.0, 3.0]]))
    forecast = Forecast(np.array([1.0, 2.0]), samples)
    assert np.allclose(forecast.pred, np.exp([1.0, 2.0]))
    assert list(forecast.to_frame()) == ["TIME", "PRED", "Q05", "Q25", "Q50", "Q75", "Q95"]
    assert np.allclose(forecast.quantiles([0.0, 1.0]), samples)


def test_naive_samples_are_the_contexts_own_departures(theophylline):
    case = cases("theophylline", theophylline)[0]
    forecast = NaiveForecaster().forecast(case.context, case.prefix, case.times, 400, 0)
    assert len(np.unique(forecast.samples[:, 0].round(9))) <= len(case.context)


@pytest.mark.parametrize("name", ["naive", "flow"])
def test_a_cohort_is_a_study(name, theophylline):
    model = load_forecaster(name)
    cohort = generate(model, theophylline, 7, seed=4)
    assert len(cohort) == 7 and cohort.ids[0] == "V1"
    assert np.array_equal(cohort.individuals[0].times, sampling_times(theophylline))
    assert cohort == generate(model, theophylline, 7, seed=4)
    assert cohort != generate(model, theophylline, 7, seed=5)


def test_twice_the_dose_is_twice_the_naive_level_of_the_flow(theophylline):
    model = load_forecaster("flow")
    double = Dose(0.0, 2 * theophylline.individuals[0].doses[0].amount, "oral")
    usual = generate(model, theophylline, 60, seed=1).individuals
    more = generate(model, theophylline, 60, dose=double, seed=1).individuals
    ratio = np.median(
        [b.concentrations / a.concentrations for a, b in zip(usual, more, strict=True)]
    )
    assert 1.6 < ratio < 2.5


def test_unknown_models_and_empty_studies_are_refused(theophylline):
    assert "naive" in model_names() and "flow" in model_names()
    with pytest.raises(AgmpkError, match="no model 'nmle': use one of naive"):
        load_forecaster("nmle")
    with pytest.raises(AgmpkError, match="no individual"):
        generate(NaiveForecaster(), Study("empty", ()), 3)
    point = Individual("1", [1.0], [2.0], (Dose(0.0, 1.0, "oral"),))
    with pytest.raises(AgmpkError, match="two positive observations"):
        NaiveForecaster().forecast(
            Study("s", (point,)), Individual("2", [], [], point.doses), np.array([1.0]), 2, 0
        )
