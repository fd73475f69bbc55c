"""The driver: right and wrong generators through every measure, refusals recorded."""

import numpy as np
import pandas as pd
import pytest

from agmpk.evaluation import cohorts
from agmpk.evaluation.calibration import outside_table
from agmpk.evaluation.cohorts import (
    CohortSettings,
    evaluate_cohorts,
    left_out,
    oracle,
    study_points,
    study_vpc,
)
from agmpk.evaluation.protocol import answer
from agmpk.evaluation.two_sample import classifier_auc
from agmpk.forecasting.forecaster import NaiveForecaster
from agmpk.prior import load_prior, simulate
from agmpk.prior.table import to_studies
from agmpk.studies import Individual, Study

pytest.importorskip("sklearn")
pytest.importorskip("pysiglib")

TINY = CohortSettings(
    n_samples=200,
    exposure=5,
    classifier=5,
    signature=3,
    classifier_repeats=1,
    permutations=9,
    bootstrap=20,
)
FAST = CohortSettings(
    n_samples=200,
    exposure=3,
    classifier=3,
    signature=2,
    classifier_repeats=1,
    permutations=0,
    bootstrap=20,
)


@pytest.fixture(scope="module")
def questions(toy):
    study = toy[0]
    return left_out({"toy": study(n=14), "other": study("other", n=14, seed=5)})


def test_the_right_generator_passes(toy, questions):
    found = evaluate_cohorts(toy[1](), questions, TINY)
    assert found.refused.empty
    assert set(found.classifier.compound) == {"all"} and found.classifier.p.min() > 0.1
    assert (found.classifier.auc - 0.5).abs().max() < 0.2
    assert found.signature.p[0] > 0.1
    global_p = found.npde[found.npde.test == "global"].p
    # npde of log-normal, not normal, curves are normal only nearly.
    assert global_p.min() > 1e-3
    share = outside_table(found.points).set_index("measure")
    assert 0.03 < share.value["outside"] < 0.2
    assert found.vpc.outside.mean() < 0.3
    ratio = found.exposures.set_index(["compound", "quantity", "measure"])
    assert 0.6 < ratio.value["toy", "AUC0_t", "gm_ratio"] < 1.6
    assert {"plain", "corrected"} == set(found.vpc.kind)
    for name in ("vpc", "points", "npde", "exposures", "classifier", "signature"):
        assert list(getattr(found, name).columns[:2]) == ["model", "compound"]


@pytest.mark.parametrize(
    "change, side", [({"shift": 1.5}, "below"), ({"scale": 0.2}, None), ({"scale": 4.0}, None)]
)
def test_wrong_generators_fail(toy, questions, change, side, monkeypatch):
    """The p values of the classifiers, whose permutations take most of the time, are not asked."""
    quick = {"permutations": 0}
    monkeypatch.setattr(cohorts, "classifier_auc", lambda *a, **k: classifier_auc(*a, **k | quick))
    found = evaluate_cohorts(toy[1]("wrong", **change), questions, TINY)
    assert found.classifier.set_index("classifier").auc["forest"] > 0.75
    assert found.signature.p[0] <= 0.1
    assert found.npde[found.npde.test == "global"].p.max() < 1e-3
    share = outside_table(found.points).set_index("measure").value
    assert share["outside"] < 0.03 if change.get("scale", 1) > 1 else share["outside"] > 0.25
    if side:
        assert share[side] > 0.25 and share["pit_mean"] < 0.3


def test_refusals_are_rows_and_the_rest_goes_on(toy):
    study = toy[0](n=6)
    found = evaluate_cohorts(toy[2]("2"), left_out({"toy": study}), FAST)
    assert list(found.refused.individual) == ["2"] and found.refused.reason[0].startswith("not")
    assert set(found.points.individual) == set(study.ids) - {"2"}
    nothing = evaluate_cohorts(toy[2](), left_out({"toy": study}), FAST)
    assert len(nothing.refused) == 6 and nothing.vpc.empty and nothing.classifier.empty
    two = {name: toy[0](name, n=2) for name in ("toy", "other")}
    few = evaluate_cohorts(toy[1](), left_out(two), FAST)
    assert few.classifier.empty and few.signature.empty and len(few.refused)


def test_the_naive_generator_resamples_the_context(toy):
    study = toy[0](n=6)
    case = left_out({"toy": study})["toy"][0]
    (scored,) = answer(NaiveForecaster(), [case], 200, 0)
    curves = np.array(
        [np.exp(np.interp(case.times, o.times, np.log(o.concentrations))) for o in case.context]
    )
    distance = np.abs(np.log(scored.forecast.samples[:, None] / curves)).max(2)
    assert distance.min(1).max() < 1e-9 and not scored.refusal
    assert len(set(distance.argmin(1))) == 5
    # Five distinct curves have no covariance of nine points: no npde, and the reason is recorded.
    found = evaluate_cohorts(NaiveForecaster(), left_out({"toy": study}), FAST)
    assert found.points.npde.isna().all() and found.points.npd.notna().all()
    assert found.refused.reason.str.contains("full-rank").sum() == 6


def test_same_seed_same_tables(toy):
    questions = left_out({name: toy[0](name, n=6) for name in ("toy", "other")})
    first, second = (evaluate_cohorts(toy[1](), questions, FAST, seed=3) for _ in range(2))
    assert first.points.equals(second.points) and first.classifier.equals(second.classifier)


def test_oracle_individuals_are_new_ones_of_the_same_study():
    prior = load_prior("extended").replace(design={"individuals": (24,)})
    questions = oracle(to_studies(simulate(prior, 3, seed=1)), n_context=10)
    assert len(questions) == 3
    for cases in questions.values():
        assert len(cases) >= 10
        for case in cases:
            assert len(case.context) == 10 and not len(case.prefix)
            assert case.prefix.id not in case.context.ids
            assert case.context.ids == cases[0].context.ids
            assert len(case.times) == len(case.observed) >= 2
    again = oracle(to_studies(simulate(prior, 3, seed=1)), n_context=10)
    assert np.array_equal(questions["S1"][0].observed, again["S1"][0].observed)


def limited(toy, limit, seed):
    """A study of 14, of whom values below the limit are hidden."""
    people = []
    for one in toy[0](n=14, seed=seed):
        low = one.concentrations < limit
        values = np.where(low, limit, one.concentrations)
        people.append(Individual(one.id, one.times, values, one.doses, low))
    return Study(f"S{seed}", tuple(people), lloq=limit)


def test_samples_below_the_limit_count_for_ranks(toy):
    limit = 1.0
    studies = {f"S{seed}": limited(toy, limit, seed) for seed in range(4)}
    scored = [
        one for cases in left_out(studies).values() for one in answer(toy[1](), cases, 400, 0)
    ]
    points, reasons = study_points(scored, 0)
    hidden = points[points.DV == limit]
    assert len(hidden) > 50 and not reasons
    assert points.npde.mean() == pytest.approx(0, abs=0.1)
    assert points.npde.std() == pytest.approx(1, abs=0.07)
    assert hidden.npde.mean() < -0.3
    assert points.pit.mean() == pytest.approx(0.5, abs=0.05)
    assert (points.outside != 0).mean() == pytest.approx(0.1, abs=0.04)
    # Without them, what is left of the late samples is high.
    assert points[points.DV > limit].pit.mean() > points.pit.mean() + 0.02


def test_a_vpc_compares_values_with_values(toy):
    """Of the right model, with a limit that hides a third of the samples: percentiles leave their
    bands as rarely as without one."""
    found = []
    for seed in range(8):
        scored = list(answer(toy[1](), left_out({"S": limited(toy, 2.0, seed)})["S"], 400, 0))
        assert sum(len(one.case.below) for one in scored) > 10
        found.append(study_vpc(scored))
    outside = pd.concat(found).groupby("kind").outside.mean()
    assert outside.max() < 0.1, outside
