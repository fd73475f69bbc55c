"""Distances against scipy and cases that can be done by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, wasserstein_distance

from agmpk.paper.prior_fit.compare import agreement, half_sample_intervals
from agmpk.paper.prior_fit.trials import distances


@pytest.fixture
def samples():
    rng = np.random.default_rng(5)
    return rng.normal(0.3, 1, 40), rng.normal(0, 2, 301)


def test_without_weights_they_are_those_of_scipy(samples):
    real, simulated = samples
    found = distances(real, simulated)
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
    assert found["inside_95"] == 0


def test_shares_inside_are_those_of_normal_quantiles():
    at = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    found = distances(at, 2 * at)
    assert found["inside_95"] == pytest.approx(2 * norm.cdf(2 * norm.ppf(0.975)) - 1, abs=1e-3)
    # E|Z| (2 - 1): the distance between two scales of one law.
    assert found["wasserstein"] == pytest.approx(np.sqrt(2 / np.pi), rel=1e-3)


def halves_of(real, simulated, repeats=200, seed=1):
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(real)[: len(real) // 2] for _ in range(repeats)]
    return pd.DataFrame([distances(one, simulated) for one in drawn])


def test_intervals_hold_the_estimate(samples):
    real, simulated = samples
    found = distances(real, simulated)
    intervals = half_sample_intervals(found, halves_of(real, simulated))
    for name in found:
        low, high = intervals[f"{name}_low"], intervals[f"{name}_high"]
        assert low <= found[name] <= high and (low < high or name == "inside_95"), name
    # Where the two laws agree, halves are further away than the whole: an interval from their
    # percentiles would lie too high.
    rng = np.random.default_rng(8)
    real, simulated = rng.normal(size=60), rng.normal(size=4000)
    found, halves = distances(real, simulated), halves_of(real, simulated)
    assert halves["wasserstein"].median() > 1.1 * found["wasserstein"]
    intervals = half_sample_intervals(found, halves)
    low, high = intervals["wasserstein_low"], intervals["wasserstein_high"]
    assert 0 <= low <= found["wasserstein"] <= high


def test_intervals_cover_the_true_distance():
    rng, shift, inside = np.random.default_rng(2), 0.8, 0
    simulated = norm.ppf((np.arange(1000) + 0.5) / 1000)
    for repeat in range(100):
        real = rng.normal(shift, 1, 50)
        halves = halves_of(real, simulated, 60, seed=repeat)
        found = half_sample_intervals(distances(real, simulated), halves)
        inside += found["wasserstein_low"] <= shift <= found["wasserstein_high"]
    assert inside >= 87  # of 95 expected; less has a chance of 1 in 1,000


def test_agreement_resamples_clusters_and_averages_quantities():
    rng = np.random.default_rng(3)
    drug = np.repeat(np.arange(12), 10)
    real = pd.DataFrame({"a": rng.normal(size=12)[drug], "b": rng.normal(size=120)})
    simulated = pd.DataFrame({"a": rng.normal(size=500), "b": rng.normal(size=500), "prior": "p"})
    by_row = agreement(real, simulated, ["a", "b"], None, 100).set_index("quantity")
    by_drug = agreement(real, simulated, ["a", "b"], pd.Series(drug), 100).set_index("quantity")
    wide = by_drug["wasserstein_high"] - by_drug["wasserstein_low"]
    narrow = by_row["wasserstein_high"] - by_row["wasserstein_low"]
    # Ten rows of a drug are one observation of it.
    assert wide["a"] > 1.5 * narrow["a"] and wide["b"] < 1.5 * narrow["b"]
    distance = by_row["wasserstein"]
    assert distance["all"] == pytest.approx(distance[["a", "b"]].mean())
    low, high = by_row["wasserstein_low"], by_row["wasserstein_high"]
    assert (low <= distance).all() and (distance <= high).all()
