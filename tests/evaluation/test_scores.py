"""Scores on cases with known answers: right, shifted, too narrow, too wide."""

import numpy as np
import pytest
from scipy.stats import norm

from agmpk.evaluation.scores import covered, crps, log_rmse

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
