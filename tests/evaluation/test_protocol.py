"""What is shown, what is asked and what is scored, on studies made for the question."""

from dataclasses import replace

import numpy as np
import pytest

from agmpk.errors import AgmpkError
from agmpk.evaluation import cases, evaluate, question, studies_in
from agmpk.evaluation.compare import score, score_points
from agmpk.evaluation.protocol import CLOSEST, MOST, Scored, answer, at_times
from agmpk.forecasting.forecaster import Forecast, NaiveForecaster
from agmpk.studies import Dose, Individual, Study, write_study

TIMES = np.array([1.0, 2.0, 4.0, 8.0, 12.0, 24.0])
LIMIT = 2.0


def person(name, values, times=TIMES, start=0.0):
    """Values below the limit are censored at it; None was never measured; 0 is a zero."""
    known = [(t, v) for t, v in zip(times, values, strict=True) if v is not None]
    t, v = (np.array(part, dtype=float) for part in zip(*known, strict=True))
    low = (v < LIMIT) & (v > 0)
    return Individual(name, t + start, np.where(low, LIMIT, v), (Dose(start, 10.0, "oral"),), low)


@pytest.fixture
def study():
    return Study(
        "drug",
        (
            person("whole", [9, 8, 7, 6, 5, 4]),
            person("early", [1, 9, 8, 1, 1, None]),  # late to rise, early to fall below the limit
            person("zero", [9, 8, 4, 3, 0, 0]),
            person("shifted", [9, 8, 6, 5], times=[1.0, 2.0, 4.0, 10.0], start=3.0),
        ),
        lloq=LIMIT,
    )


def case_of(study, name, observed=2, protocol="study"):
    return next(c for c in cases("drug", study, observed, protocol) if c.prefix.id == name)


def test_everybody_is_asked_the_studys_times_after_what_was_shown(study):
    assert list(case_of(study, "whole").asked) == [4, 8, 10, 12, 24]
    # Its record ends at 4 h; the question does not say so.
    assert list(case_of(study, "early").asked) == [8, 10, 12, 24]
    assert list(case_of(study, "zero").asked) == [4, 8, 10, 12, 24]
    # Times count from each one's own first dose, at 3 h here.
    assert list(case_of(study, "shifted").asked) == [7, 11, 13, 15, 27]
    assert list(case_of(study, "early", 0).asked) == [1, 2, 4, 8, 10, 12, 24]


def test_the_question_does_not_depend_on_what_is_hidden(study):
    """Hidden values below the limit, missing or there: shown, context and asked are the same."""
    whole = [9, 8, 7, 6, 5, 4]
    asked, shown = set(), set()
    for hidden in (whole, [9, 8, 1, 1, 1, 1], [9, 8, 7, 0, 0, 0], [9, 8, 7, None, None, None]):
        others = study.individuals[1:]
        changed = Study("drug", (person("whole", whole), person("x", hidden), *others))
        case = case_of(changed, "x")
        asked.add(tuple(case.asked))
        shown.add(case.prefix)
    assert len(asked) == len(shown) == 1


def test_scored_are_the_individuals_own_samples(study):
    early = case_of(study, "early")
    assert list(early.prefix.times) == [1, 2, 4] and list(early.prefix.censored) == [True, 0, 0]
    assert not len(early.times) and list(early.below) == [8, 12] and early.held_out == 2
    assert list(early.limits) == [LIMIT, LIMIT]
    zero = case_of(study, "zero")
    assert list(zero.times) == [4, 8] and not len(zero.below)
    assert any(one.censored.any() for one in zero.context)


def test_nothing_is_shown_until_the_first_value(study):
    early = case_of(study, "early", 0)
    assert not len(early.prefix) and list(early.below) == [1, 8, 12]
    assert len(case_of(study, "early", 9).prefix) == 3  # all it has, the hidden tail left out


def test_the_published_protocol_is_as_it_was(study):
    early = case_of(study, "early", protocol="published")
    assert list(early.prefix.times) == [2, 4] and not early.held_out
    assert not any(one.censored.any() for one in early.context)
    whole = case_of(study, "whole", protocol="published")
    assert list(whole.asked) == list(whole.times) == [4, 8, 12, 24]
    with pytest.raises(AgmpkError, match="no protocol 'mine'"):
        cases("drug", study, 2, "mine")


def test_on_the_20_compounds_both_protocols_show_and_score_the_same(compounds):
    for name, study in compounds.items():
        pairs = zip(cases(name, study), cases(name, study, protocol="published"), strict=True)
        for main, published in pairs:
            assert main.prefix == published.prefix and main.context == published.context
            assert np.array_equal(main.times, published.times)
            assert set(main.times) <= set(main.asked)


def test_naive_has_the_same_errors_under_both(compounds):
    studies = {name: compounds[name] for name in ("theophylline", "omeprazole")}
    both = [
        evaluate([NaiveForecaster()], studies, n_samples=20, protocol=one).results.log_rmse
        for one in ("study", "published")
    ]
    assert np.array_equal(*both)


@pytest.mark.parametrize("doses", [1, 20])
def test_many_own_times_are_merged_and_own_ones_kept(doses):
    rng = np.random.default_rng(0)
    given = (Dose(0.0, 10.0, "oral", additional=doses - 1, interval=24.0 * (doses > 1)),)
    people = [
        Individual(str(k), np.sort(rng.uniform(0.1, 480, 12)), np.full(12, 5.0), given)
        for k in range(60)
    ]
    for case in cases("many", Study("many", tuple(people)), 1)[:10]:
        extra = np.setdiff1d(case.asked, case.times)
        assert set(case.times) <= set(case.asked) and len(extra) <= MOST
        assert len(extra) > (MOST / 2 if doses > 1 else 5)
        least = CLOSEST * (extra % 24 if doses > 1 else extra)
        assert np.all(np.abs(extra[:, None] - case.times).min(1) > least)
        assert np.all(np.diff(extra) > least[1:])


def test_times_near_a_later_dose_are_kept_apart_by_the_time_since_it():
    doses = (Dose(0.0, 10.0, "oral", additional=9, interval=24.0),)
    times = np.array([1.0, 216.5, 217.0, 218.0, 220.0])
    values = np.full(5, 5.0)
    study = Study("many doses", tuple(Individual(n, times, values, doses) for n in "ab"))
    one = Individual("c", [1.0, 230.0], [5.0, 5.0], doses)
    found = question("many doses", study, one, 1)
    assert list(found.asked) == [216.5, 217.0, 218.0, 220.0, 230.0]


class Known:
    """ln y ~ N(1, 1) at every time, independent; remembers what it was asked."""

    name = "known"

    def forecast(self, context, target, times, n_samples, seed):
        self.asked, self.target = times, target
        rng = np.random.default_rng(seed)
        return Forecast(np.asarray(times), np.exp(rng.normal(1, 1, (n_samples, len(times)))))


def test_answers_are_scored_at_own_times_only(study):
    model = Known()
    (scored,) = answer(model, [case_of(study, "early")], 400, 0)
    assert list(model.asked) == [8, 10, 12, 24]
    assert scored.forecast is None and scored.at_below.shape == (400, 2)
    row = score("known", scored)
    assert (row["n_target"], row["n_below"], row["log_rmse"]) == (0, 2, 0.0)
    points = score_points("known", scored)
    assert points.below.all() and points.crps.isna().all() and points.log_error.isna().all()
    # P(ln y < ln 2) under N(1, 1).
    assert np.allclose(points.p_below, 0.3795, atol=0.08) and (points.pit < points.p_below).all()
    (whole,) = answer(model, [case_of(study, "whole")], 50, 0)
    assert list(whole.forecast.times) == [4, 8, 12, 24]
    with pytest.raises(AgmpkError, match="not asked"):
        at_times(whole.answer, np.array([9.0]))
    refused = Scored(case_of(study, "early"), None, "cannot")
    assert np.isnan(score("known", refused)["log_rmse"])


@pytest.mark.parametrize("observed, tolerance", [(4, 0.0), (0, 1e-14)])
def test_the_naive_forecast_depends_on_nothing_else_that_is_asked(compounds, observed, tolerance):
    for name, study in compounds.items():
        case = next(c for c in cases(name, study, observed) if len(c.times) > 1)

        def log_pred(asked, at, case=case):
            found = replace(case, asked=asked).ask(NaiveForecaster(), 4, 0)
            return np.log(at_times(found, at).pred)

        together, late = log_pred(case.times, case.times), case.times[-1] * np.array([1.1, 1.5])
        alone = [log_pred(case.times[[k]], case.times[[k]])[0] for k in range(len(case.times))]
        for other in (alone, log_pred(case.asked, case.times),
                      log_pred(np.r_[case.times, late], case.times)):  # fmt: skip
            assert np.abs(other - together).max() <= tolerance, name


def test_a_folder_of_studies(study, tmp_path):
    with pytest.raises(AgmpkError, match="no folder with study tables"):
        studies_in(tmp_path)
    for name in ("a", "b"):
        write_study(study, tmp_path / f"{name}.csv")
    found = studies_in(tmp_path)
    assert list(found) == ["a", "b"] and found["a"]["early"].censored.sum() == 3
    table = evaluate([NaiveForecaster()], found, 2, 20).results
    assert len(table) == 8 and table.n_below.sum() == 4
