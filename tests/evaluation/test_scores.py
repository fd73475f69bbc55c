"""Scores on cases with known answers: right, shifted, too narrow, too wide."""

import numpy as np
import pytest
from scipy.stats import norm

from agmpk.evaluation.scores import (
    LEVELS,
    covered,
    covered_below,
    crps,
    log_rmse,
    mean_scores,
    pit,
    points_outside,
    scores,
)

G = np.random.default_rng(0)


def test_log_rmse():
    assert log_rmse(np.array([np.e, 1.0]), np.array([1.0, 1.0])) == pytest.approx(np.sqrt(0.5))
    assert log_rmse(np.array([]), np.array([])) == 0.0


def test_crps_of_a_normal_forecast_has_a_closed_form():
    # Gneiting & Raftery 2007, eq. 21.
    mu, sd, y = 0.3, 1.4, np.array([-1.0, 0.3, 2.5])
    z = (y - mu) / sd
    exact = sd * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))
    samples = G.normal(mu, sd, (40_000, 3))
    assert np.allclose(crps(samples, y), exact, atol=0.015)


def test_crps_is_unbiased_for_few_samples():
    y = np.zeros(20_000)
    few = crps(G.normal(0, 1, (4, 20_000)), y).mean()
    exact = 2 * norm.pdf(0) - 1 / np.sqrt(np.pi)
    assert abs(few - exact) < 0.01


@pytest.mark.parametrize(
    "sd, shift, low, high",
    [
        (1.0, 0.0, 0.87, 0.93),
        (0.5, 0.0, 0.0, 0.65),
        (2.0, 0.0, 0.98, 1.0),
        (1.0, 2.0, 0.0, 0.45),
    ],
)
def test_coverage_of_right_narrow_wide_and_shifted_forecasts(sd, shift, low, high):
    # Standard error of the first case: 0.007 from the truth, 0.005 from the interval's ends.
    truth = G.normal(0, 1, 2000)
    samples = shift + sd * G.normal(0, 1, (4000, 1)) + np.zeros(2000)
    assert low <= covered(samples, truth, 0.9).mean() <= high


def test_coverage_is_exact_for_few_samples():
    inside = covered(G.normal(0, 1, (19, 40_000)), G.normal(0, 1, 40_000), 0.9)
    assert abs(inside.mean() - 0.9) < 5 * np.sqrt(0.09 / 40_000)


@pytest.mark.parametrize("limit", [-1.5, 0.0, 1.0])
def test_an_exact_forecast_is_calibrated_with_any_share_below_the_limit(limit):
    # Observations below the limit are known only to be below it; those above, exactly.
    n = 20_000
    truth, samples = G.normal(size=n), G.normal(size=(199, n))
    below = truth < limit
    seen = np.where(below, limit, truth)
    found = scores(samples, seen, below, seed=3)
    for level in LEVELS:
        assert found[f"in_{100 * level:g}"].mean() == pytest.approx(level, abs=0.012)
    assert np.allclose(np.histogram(found["pit"], 10, (0, 1))[0] / n, 0.1, atol=0.01)
    assert np.isnan(found["crps"][below]).all() and np.isfinite(found["crps"][~below]).all()
    # To count an interval that reaches below the limit as covering would flatter the forecast.
    if limit == 1.0:
        lowest = np.quantile(samples, 0.25, axis=0)
        assert (np.where(below, lowest < seen, covered(samples, seen, 0.5))).mean() > 0.7


def test_wrong_forecasts_of_what_is_below_the_limit_are_seen():
    truth = G.normal(size=5000)
    below, seen = truth < 0, np.maximum(truth, 0.0)
    too_high = scores(2 + G.normal(size=(199, 5000)), seen, below)
    assert too_high["pit"][below].max() < 0.1 and too_high["in_90"][below].mean() < 0.1
    assert np.all(covered_below(G.normal(size=(199, 3)), np.full(3, -9.0), 0.9) == 0)


def test_scores_are_the_functions_of_their_names():
    samples, truth = G.normal(size=(50, 4, 3)), G.normal(size=(4, 3))
    found = scores(samples, truth, seed=1)
    assert set(found) == {"in_50", "in_80", "in_90", "in_95", "crps", "pit"}
    assert np.array_equal(found["crps"], crps(samples, truth))
    assert np.array_equal(found["in_80"], covered(samples, truth, 0.8))
    assert np.array_equal(found["in_90"], points_outside(samples, truth) == 0)
    assert np.array_equal(found["pit"], pit(samples, truth, 1))
    one = np.log(np.array([[2.0, 8.0]]))
    assert np.isnan(crps(one, one[0])).all()


def test_mean_scores_average_within_individuals_first():
    samples = np.broadcast_to([1.0, 1.0, 1.0, 1.0, 2.0], (7, 5))
    found = mean_scores(samples, np.zeros(5), [4, 4, 4, 4, 8])
    assert found["log_rmse"] == pytest.approx(1.5) and found["crps"] == pytest.approx(1.5)
    assert found["coverage_90"] == 0.0
