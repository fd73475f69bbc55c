"""Bins and visual predictive checks, on laws that are known."""

import numpy as np
import pytest

from agmpk.errors import AgmpkError
from agmpk.evaluation.scores import points_outside
from agmpk.evaluation.vpc import prediction_correct, time_bins, vpc


def test_bins_follow_nominal_times():
    rng = np.random.default_rng(0)
    nominal = np.repeat([0.5, 1.0, 2.0, 4.0, 8.0, 24.0], 8)
    actual = nominal * np.exp(0.03 * rng.normal(size=len(nominal)))
    mixed = rng.permutation(len(nominal))
    bins = time_bins(actual[mixed], minimum=5)
    expected = np.repeat(np.arange(6), 8)[mixed]
    assert np.array_equal(bins, expected)


def test_bins_never_split_a_time_nor_fall_below_the_minimum():
    times = np.array([1.0] * 9 + [2.0] * 3 + [3.0] * 4 + [10.0] * 6)
    bins = time_bins(times, minimum=5)
    assert np.bincount(bins).min() >= 5
    assert all(len(set(bins[times == t])) == 1 for t in np.unique(times))
    assert set(time_bins(np.full(20, 2.0))) == {0}
    with pytest.raises(AgmpkError, match="after the dose"):
        time_bins(np.array([0.0, 1.0]))


T = np.repeat([1.0, 2.0, 4.0, 8.0], 30)


def table(shift=0.0, scale=1.0, seed=0):
    rng = np.random.default_rng(seed)
    observed = np.exp(rng.normal(size=len(T)) - T / 4)
    simulated = np.exp(shift + scale * rng.normal(size=(1000, len(T))) - T / 4)
    return vpc(T, observed, simulated), points_outside(simulated, observed)


def test_vpc_of_the_right_model():
    tables = [table(seed=k)[0] for k in range(40)]
    outside = np.mean([t["outside"].mean() for t in tables])
    # 40 x 12 percentiles; those of a bin go together: a standard error of about 0.013.
    assert abs(outside - 0.05) < 0.035
    one = tables[0]
    assert list(one["n"].unique()) == [30] and len(one) == 12
    # Percentiles of ln y are normal quantiles.
    middle = one[one.percentile == 50]
    assert np.allclose(np.log(middle["simulated"]), -middle["time"] / 4, atol=0.06)


@pytest.mark.parametrize(
    "change, share, side",
    [
        ({"shift": 1.0}, 0.8, None),
        ({"scale": 0.3}, 0.5, "wings"),
        ({"scale": 3.0}, 0.5, "wings"),
    ],
)
def test_vpc_of_wrong_models(change, share, side):
    found, _ = table(**change)
    if side == "wings":
        found = found[found.percentile != 50]
    assert found["outside"].mean() >= share


def test_points_outside_of_right_narrow_and_shifted():
    rights = np.concatenate([table(seed=k)[1] for k in range(20)])
    assert abs((rights != 0).mean() - 0.1) < 5 * np.sqrt(0.09 / len(rights))
    assert (table(scale=0.3)[1] != 0).mean() > 0.4
    assert (table(scale=3.0)[1] != 0).mean() < 0.05
    assert (table(shift=-2.0)[1] > 0).mean() > 0.5


def test_prediction_correction_takes_the_dose_out():
    rng = np.random.default_rng(3)
    dose = np.tile([1.0, 100.0], 40)
    bins = np.zeros(80, int)
    observed = dose * np.exp(0.1 * rng.normal(size=80))
    simulated = dose * np.exp(0.1 * rng.normal(size=(500, 80)))
    y, x = prediction_correct(observed, simulated, bins)
    assert np.log(y).std() < 0.15 < np.log(observed).std()
    assert np.log(x).std() < 0.15
    # Bergstrand et al. 2011, eq. 1 (lower bound 0), by hand: predictions 2 and 8, median 5.
    simulated = np.array([[1.0, 16.0], [2.0, 8.0], [4.0, 4.0]])
    y, x = prediction_correct(np.array([3.0, 4.0]), simulated, np.zeros(2, int))
    assert np.allclose(y, [7.5, 2.5]) and np.allclose(x[0], [2.5, 10.0])


def test_a_nominal_time_with_enough_samples_on_both_sides_of_a_minute_is_one_bin():
    times = np.concatenate([np.linspace(23.5, 24.5, 20), np.linspace(11.8, 12.1, 20)])
    assert list(np.unique(time_bins(times, minimum=5))) == [0, 1]
