"""The forecaster's seam: what every model must hold, and the shipped models by name."""

import numpy as np
import pytest
import torch

from agmpk.errors import AgmpkError
from agmpk.evaluation import benchmark_studies, cases
from agmpk.forecasting import Forecast, generate, load_forecaster, model_names, sampling_times
from agmpk.forecasting.forecaster import (
    AmortizedForecaster,
    Forecaster,
    NaiveForecaster,
    small_dose,
)
from agmpk.models.registry import NETWORKS, build_model
from agmpk.studies import Dose, Individual, Study
from agmpk.training.config import load_training_config

EVERY = ["naive", *NETWORKS]


def forecaster(name: str) -> Forecaster:
    """The naive forecaster, or a tiny network of that kind with random weights."""
    if name == "naive":
        return NaiveForecaster()
    config = load_training_config(f"{name}-tiny")
    torch.manual_seed(2)
    model = build_model(name, config.model)
    with torch.no_grad():  # some layers start at zero; make every weight count
        for parameter in model.parameters():
            parameter.add_(0.03 * torch.randn(parameter.shape))
    return AmortizedForecaster(model)


@pytest.fixture(scope="module")
def theophylline() -> Study:
    return benchmark_studies()["theophylline"]


@pytest.mark.parametrize("name", EVERY)
def test_what_every_forecaster_holds(name, theophylline):
    model = forecaster(name)
    assert model.name == name
    case = cases("theophylline", theophylline)[3]
    generates = name == "naive" or model.model.generates
    for prefix in (case.prefix, case.prefix.prefix(0))[: 1 + generates]:
        one = model.forecast(case.context, prefix, case.times, 30, seed=1)
        again = model.forecast(case.context, prefix, case.times, 30, seed=1)
        other = model.forecast(case.context, prefix, case.times, 30, seed=2)
        assert one.samples.shape == (30, len(case.times)) and (one.samples > 0).all()
        assert np.array_equal(one.samples, again.samples)
        assert not np.array_equal(one.samples, other.samples)
        assert np.isfinite(one.pred).all()


@pytest.mark.parametrize("name", EVERY)
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
        forecaster(name).forecast(case.context, case.prefix, np.array(times), 5, 0)


def test_times_far_beyond_the_study_are_refused(theophylline):
    case = cases("theophylline", theophylline)[0]
    with pytest.raises(AgmpkError, match="would extrapolate beyond 3 times"):
        forecaster("flow").forecast(case.context, case.prefix, np.array([200.0]), 5, 0)


@pytest.mark.parametrize("name", NETWORKS)
def test_several_questions_together_are_answered_as_one_by_one(name, theophylline):
    """Whatever stands beside a question; what is refused among them says why, and the others go
    on."""
    model, study = forecaster(name), theophylline.after_dose()
    asked = [
        (study.without(one.id), one.prefix(k), one.times[k:] * factor, seed)
        for seed, (one, k, factor) in enumerate(
            [(study["1"], 4, 1), (study["2"], 2, 1), (study["3"], 4, 9), (study["5"], 4, 1),
             (study["6"], 0, 1)])
    ]  # fmt: skip
    context, target, *_ = asked[0]
    asked.append((context, target, np.array([0.0]), 5))  # inside the prefix
    for question, found in zip(asked, model.forecast_all(asked, 8), strict=True):
        try:
            alone = model.forecast(*question[:3], 8, question[3])
        except AgmpkError as error:
            assert str(found) == str(error)
            continue
        np.testing.assert_allclose(np.log(found.samples), np.log(alone.samples), atol=1e-4)
        np.testing.assert_allclose(np.log(found.pred), np.log(alone.pred), atol=1e-4)
    assert [isinstance(one, AgmpkError) for one in model.forecast_all(asked, 8)][2::3] == [True] * 2


def test_a_model_without_a_study_level_does_not_generate(theophylline):
    model = forecaster("transformer")
    model.model.generates = False
    case = cases("theophylline", theophylline, observed=0)[0]
    with pytest.raises(AgmpkError, match="needs at least one observation"):
        model.forecast(case.context, case.prefix, case.times, 5, 0)


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
    model = forecaster(name)
    cohort = generate(model, theophylline, 7, seed=4)
    assert len(cohort) == 7 and cohort.ids[0] == "V1"
    assert np.array_equal(cohort.individuals[0].times, sampling_times(theophylline))
    assert cohort == generate(model, theophylline, 7, seed=4)
    assert cohort != generate(model, theophylline, 7, seed=5)


def test_twice_the_dose_is_twice_the_concentration_before_anything_is_learned(theophylline):
    model = AmortizedForecaster(build_model("flow", load_training_config("flow-tiny").model))
    amount = theophylline.individuals[0].doses[0].amount
    usual, more = (
        generate(model, theophylline, 20, dose=Dose(0.0, share * amount, "oral"), seed=1)
        for share in (1, 2)
    )
    for one, other in zip(usual, more, strict=True):
        assert np.allclose(other.concentrations, 2 * one.concentrations, rtol=1e-6)
    assert more.individuals[0].doses[0].amount == 2 * amount


@pytest.mark.parametrize("name", ["naive", "flow"])
def test_any_what_if_dose_is_answered(name, theophylline):
    """Other schedules and routes were refused by the first model."""
    model = forecaster(name)
    amount = theophylline.individuals[0].doses[0].amount
    times = np.array([1.0, 11.0, 13.0, 40.0])
    for dose in (
        Dose(0.0, amount, "oral", 0.0, 2, 12.0),
        Dose(0.0, amount, "iv_bolus"),
        Dose(0.0, amount, "iv_infusion", 2.0),
    ):
        cohort = generate(model, theophylline, 3, times, dose)
        assert all(one.doses == (dose,) and (one.concentrations > 0).all() for one in cohort)


def test_what_if_in_a_study_of_repeated_doses():
    """Another amount on the study's own schedule, and a single dose."""
    schedule = Dose(0.0, 100.0, "oral", 0.0, 3, 12.0)
    times = np.array([1.0, 4.0, 11.0, 13.0, 25.0, 37.0, 40.0, 48.0])
    people = [Individual(str(i), times, 1.0 + i + np.exp(-times / 9), (schedule,)) for i in (1, 2)]
    study = Study("repeated", tuple(people))
    more = Dose(0.0, 150.0, "oral", 0.0, 3, 12.0)
    assert len(generate(forecaster("flow"), study, 4, dose=more)) == 4
    once = generate(forecaster("flow"), study, 4, times[:3], Dose(0.0, 100.0, "oral"))
    assert len(once) == 4


def test_ours_stand_before_the_rivals(tmp_path, monkeypatch):
    for name in ("transformer", "aicmet", "flow-b", "flow"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
        (tmp_path / "checkpoints" / name / "weights.safetensors").touch()
    monkeypatch.setenv("AGMPK_DATA", str(tmp_path))
    assert model_names() == ("naive", "flow", "aicmet", "transformer", "flow-b")


def test_unknown_models_and_empty_studies_are_refused(theophylline):
    assert "naive" in model_names() and "flow" in model_names()
    with pytest.raises(AgmpkError, match="no model 'nmle': use one of naive"):
        load_forecaster("nmle")
    with pytest.raises(AgmpkError, match="no individual"):
        generate(NaiveForecaster(), Study("empty", ()), 3)
    zero = Individual("1", [1.0], [0.0], (Dose(0.0, 1.0, "oral"),))
    with pytest.raises(AgmpkError, match="Nothing of s was quantified"):
        NaiveForecaster().forecast(
            Study("s", (zero,)), Individual("2", [], [], zero.doses), np.array([1.0]), 2, 0
        )


def test_a_dose_that_is_nearly_nothing_is_told():
    doses = [Dose(0, 100, "oral"), Dose(24, 8, "oral")]
    assert "below 0.1 times an earlier one" in small_dose(Individual("7", [], [], doses))
    assert not small_dose(Individual("7", [], [], [Dose(0, 100, "oral"), Dose(24, 12, "oral")]))
    assert not small_dose(Individual("7", [], [], [Dose(0, 8, "oral"), Dose(24, 100, "oral")]))


def test_times_after_the_others_last_sample_are_told(theophylline):
    own, model = theophylline.individuals[0], forecaster("flow")
    others, last = theophylline.without(own.id), max(one.times[-1] for one in theophylline)

    def ask(hours):
        return model.forecast(others, own.prefix(3), np.array([12.0, hours]), 4, 0).note

    assert ask(1.2 * last) == "" and f"sampled for {last:g} h" in ask(1.4 * last)
