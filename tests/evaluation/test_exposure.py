"""Noncompartmental quantities of cohorts, against closed forms."""

import numpy as np
import pytest

from agmpk.evaluation import compare_exposures, exposures

TIMES = np.array([1.0, 2.0, 4.0, 8.0, 12.0, 24.0])


def individuals(n, m, factor=1.0, scale=1.0, seed=0):
    """Mono-exponential curves: observed and m generated ones for each of n individuals."""
    rng = np.random.default_rng(seed)

    def curves(size, by, f):
        level, rate = np.exp(by * 0.3 * rng.normal(size=(2, size, 1)))
        return f * level * np.exp(-0.1 * rate * TIMES)

    observed = [exposures(TIMES, curves(1, 1.0, 1.0)) for _ in range(n)]
    return observed, [exposures(TIMES, curves(m, scale, factor)) for _ in range(n)]


def table(**change):
    found = compare_exposures(*individuals(25, 20, **change), draws=200)
    return found.set_index(["quantity", "measure"])


def test_exposures_of_a_mono_exponential():
    found = exposures(TIMES, 3 * np.exp(-0.1 * TIMES)[None])
    assert found["t_half"][0] == pytest.approx(np.log(2) / 0.1)
    assert found["Cmax"][0] == pytest.approx(3 * np.exp(-0.1)) and found["Tmax"][0] == 1.0
    # The logarithmic trapezoid is exact for an exponential.
    assert found["AUC0_t"][0] == pytest.approx(30 * (np.exp(-0.1) - np.exp(-2.4)))


def test_the_same_law():
    one = table()
    assert one.value["AUC0_t", "rank_p"] > 0.01
    held = []
    for seed in range(20):
        found = compare_exposures(*individuals(20, 5, seed=seed), draws=60)
        found = found[(found.quantity == "Cmax") & found.measure.isin(["gm_ratio", "cv_ratio"])]
        held.append((found.low.to_numpy() < 1) & (found.high.to_numpy() > 1))
    # 95 % intervals; percentile bootstraps of 20 individuals hold a little less.
    assert np.all(np.mean(held, axis=0) >= 0.75)


def test_twice_the_exposure():
    found = table(factor=2.0)
    assert found.value["AUC0_t", "gm_ratio"] == pytest.approx(2.0, rel=0.2)
    assert found.low["AUC0_t", "gm_ratio"] > 1.5
    assert found.value["AUC0_t", "rank_p"] < 1e-3
    assert np.allclose(found.loc["t_half"].value, table().loc["t_half"].value)


@pytest.mark.parametrize("scale, low, high", [(0.3, 0.0, 0.6), (3.0, 2.0, np.inf)])
def test_a_wrong_spread(scale, low, high):
    found = table(scale=scale)
    assert low < found.value["Cmax", "cv_ratio"] < high
    assert not found.low["Cmax", "cv_ratio"] < 1 < found.high["Cmax", "cv_ratio"]


def test_a_missing_half_life_is_counted_and_ranks_last():
    observed, generated = individuals(10, 5)
    observed[0] = exposures(TIMES, np.ones((1, 6)))
    assert np.isnan(observed[0]["t_half"][0])
    found = compare_exposures(observed, generated, draws=50).set_index(["quantity", "measure"])
    assert found.n["t_half", "gm_ratio"] == 9 and found.n["t_half", "rank_p"] == 10
    assert np.isfinite(found.value["t_half", "gm_ratio"])
