"""Distances against scipy and cases that can be done by hand."""

import numpy as np
import pytest
from scipy.stats import ks_2samp, norm, wasserstein_distance

from agmpk.paper.prior_fit.compare import bootstrap, distances


@pytest.fixture
def samples():
    rng = np.random.default_rng(5)
    return rng.normal(0.3, 1, 40), rng.normal(0, 2, 301)


def test_without_weights_they_are_those_of_scipy(samples):
    real, simulated = samples
    found = distances(real, simulated)
    assert found["ks"] == pytest.approx(ks_2samp(real, simulated).statistic, abs=1e-12)
    assert found["wasserstein"] == pytest.approx(wasserstein_distance(real, simulated), abs=1e-12)


def test_whole_weights_are_repetitions(samples):
    real, simulated = samples
    times = np.random.default_rng(6).integers(0, 4, len(simulated))
    weighted = distances(real, simulated, times.astype(float))
    repeated = distances(real, np.repeat(simulated, times))
    assert weighted == pytest.approx(repeated, abs=1e-12)


def test_a_shift_is_its_own_wasserstein_distance():
    x = np.linspace(-1, 1, 50)
    found = distances(x + 3, x)
    assert found["wasserstein"] == pytest.approx(3)
    assert (found["ks"], found["inside_95"]) == (1, 0)


def test_shares_inside_are_those_of_normal_quantiles():
    at = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    found = distances(at, 2 * at)
    assert found["inside_95"] == pytest.approx(2 * norm.cdf(2 * norm.ppf(0.975)) - 1, abs=1e-3)
    assert found["inside_50"] == pytest.approx(2 * norm.cdf(2 * norm.ppf(0.75)) - 1, abs=1e-3)
    # E|Z| (2 - 1): the distance between two scales of one law.
    assert found["wasserstein"] == pytest.approx(np.sqrt(2 / np.pi), rel=1e-3)


def test_bootstrap_intervals_hold_the_estimate_and_repeat(samples):
    real, simulated = samples
    found, intervals = distances(real, simulated), bootstrap(real, simulated, 200, seed=1)
    assert intervals == bootstrap(real, simulated, 200, seed=1)
    for name in ("ks", "wasserstein", "inside_50"):
        low, high = intervals[name]
        assert low <= found[name] <= high and low < high
