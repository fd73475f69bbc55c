"""What is asked, and scores of forecasters whose scores are known."""

import numpy as np
import pandas as pd
import pytest

from agmpk.errors import AgmpkError
from agmpk.evaluation import Case, benchmark_studies
from agmpk.forecasting.forecaster import Forecast, NaiveForecaster
from agmpk.paper.ablations.run import (
    COLUMNS,
    SCORING,
    development_questions,
    score_individuals,
    simulated_questions,
)
from agmpk.prior import load_prior
from agmpk.studies import Dose, Individual, Study


def test_development_questions_are_none_of_the_twenty_and_few_enough():
    questions = development_questions(SCORING)
    compounds = pd.Series([case.compound for case in questions]).value_counts()
    assert not set(compounds.index) & set(benchmark_studies())
    assert len(compounds) >= 8 and compounds.max() <= SCORING["individuals"]
    shown = {int((~case.prefix.censored).sum()) for case in questions}
    assert shown == {SCORING["prefix"]}
    # The main protocol: the study's times are asked, not only those at which there is a value.
    assert sum(len(case.asked) > len(case.times) for case in questions) > len(questions) / 4


def test_simulated_questions_are_held_out_and_reproducible(few):
    one, two = (simulated_questions(load_prior("calibrated"), SCORING) for _ in range(2))
    assert one and [c.times.tolist() for c in one] == [c.times.tolist() for c in two]


class Lognormal:
    """Knows the law of the observation: exp(N(ln 10, sigma^2))."""

    name = "oracle"

    def __init__(self, sigma):
        self.sigma = sigma

    def forecast(self, context, target, times, n_samples, seed):
        z = np.random.default_rng(seed).standard_normal((n_samples, len(times)))
        return Forecast(times, 10 * np.exp(self.sigma * z))


def flat_cases(sigma, n=300):
    """Individuals whose samples scatter around 10 with log-SD ``sigma``; the context does not."""
    rng = np.random.default_rng(1)
    times, dose = np.arange(1.0, 15.0), (Dose(0.0, 1.0, "oral"),)
    flat = np.full(len(times), 10.0)
    context = Study("flat", tuple(Individual(f"c{k}", times, flat, dose) for k in range(3)))
    found = []
    for k in range(n):
        y = 10 * np.exp(sigma * rng.standard_normal(len(times)))
        y[3] = 10.0  # the last sample shown, on which the naive forecast is pinned
        one = Individual(str(k), times, y, dose)
        found.append(Case("flat", context, one.prefix(4), one.times[4:], one.concentrations[4:]))
    return found


def test_scores_of_a_known_law():
    sigma, scoring = 0.3, {"samples": 400, "seed": 0}
    found = score_individuals(Lognormal(sigma), flat_cases(sigma), "x", scoring)
    assert tuple(found.columns) == COLUMNS
    assert found.coverage_90.mean() == pytest.approx(0.9, abs=0.02)
    # The CRPS of a normal law judged by its own draws is sigma / sqrt(pi) on average.
    assert found.crps.mean() == pytest.approx(sigma / np.sqrt(np.pi), rel=0.05)
    assert np.sqrt((found.log_rmse**2).mean()) == pytest.approx(sigma, rel=0.05)
    # Naive says 10 throughout: the mean of the law, so hardly another error than the oracle's.
    assert found.log_rmse_naive.mean() == pytest.approx(found.log_rmse.mean(), rel=0.01)
    # The mean of 10 independent ln values has an SD of sigma / sqrt(10), and its CRPS likewise.
    whole = sigma / np.sqrt(10) / np.sqrt(np.pi)
    assert found.crps_curve.mean() == pytest.approx(whole, rel=0.1)
    narrow = score_individuals(Lognormal(sigma / 3), flat_cases(sigma, n=60), "x", scoring)
    assert narrow.coverage_90.mean() < 0.6 and narrow.crps.mean() > found.crps.mean()


def test_naive_scores_as_naive(few):
    questions = development_questions(SCORING)
    found = score_individuals(NaiveForecaster(), questions, "development", SCORING)
    assert found.log_rmse.tolist() == found.log_rmse_naive.tolist()
    assert found.log_rmse.min() > 0


class Refusing:
    """Answers nobody."""

    name = "refusing"

    def forecast(self, context, target, times, n_samples, seed):
        raise AgmpkError("not this one")


def test_a_refusal_is_a_row_without_a_score():
    found = score_individuals(Refusing(), flat_cases(0.3, n=3), "x", {"samples": 8, "seed": 0})
    assert len(found) == 3 and found[["log_rmse", "crps", "crps_curve"]].isna().all(axis=None)
    assert found.log_rmse_naive.notna().all()
