"""PIT, coverage and CRPS of a model whose forecasts are exact, and of wrong ones."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, kstest

from agmpk.errors import AgmpkError
from agmpk.evaluation.calibration import (
    calibrate,
    calibration_table,
    coverage_by_chance,
    learning_curves,
    pit_histogram,
    rank_truths,
)
from agmpk.evaluation.protocol import Case, Scored
from agmpk.evaluation.scores import pit
from agmpk.forecasting import Forecast
from agmpk.studies import Dose, Individual, Study


def distance(pits):
    return kstest(pits, "uniform").statistic


def test_pit_is_uniform_for_few_samples_and_with_ties():
    rng = np.random.default_rng(0)
    few = pit(rng.normal(size=(4, 20_000)), rng.normal(size=20_000))
    ties = pit(rng.integers(0, 3, (9, 20_000)), rng.integers(0, 3, 20_000))
    for values in (few, ties):
        assert distance(values) < 1.95 / np.sqrt(20_000)
    assert pit(np.array([[1.0], [2.0]]), np.array([9.0]))[0] > 2 / 3


@pytest.mark.parametrize(
    "scale, shift, middle, ends", [(1, 0, 1, 1), (0.4, 0, 0.5, 2), (3, 0, 2, 0.5), (1, 2, 0.5, 2)]
)
def test_pit_histogram(scale, shift, middle, ends):
    rng = np.random.default_rng(0)
    pits = pit(shift + scale * rng.normal(size=(99, 4000)), rng.normal(size=4000))
    table = pit_histogram(pits, np.arange(4000))
    assert table.density.mean() == pytest.approx(1.0)
    low, high = table.density[4:6].mean(), table.density[[0, 9]].mean()
    if scale == 1 and shift == 0:
        assert abs(low - 1) < 0.1 and abs(high - 1) < 0.1
        assert ((table.low < 1) & (1 < table.high)).sum() >= 8
    else:
        assert (low < middle) == (middle < 1) and (high > ends) == (ends > 1)


def test_the_exact_forecast_is_calibrated_at_every_prefix(gaussian):
    found = calibrate(gaussian.Exact(), gaussian.studies(12, 10), prefixes=[0, 2, 8], n_samples=100)
    assert found.refused.empty and set(found.rows.prefix) == {0, 2, 8}
    table = calibration_table(found.rows, ["prefix"]).set_index(["prefix", "quantity"])
    for prefix in (0, 2, 8):
        one = table.loc[prefix]
        ends = one.high["in_90"] - one.low["in_90"]
        assert abs(one.value["in_90"] - 0.9) < 1.5 * ends
        assert one.low["pit_mean"] - 0.05 < 0.5 < one.high["pit_mean"] + 0.05
        assert distance(found.rows.pit[found.rows.prefix == prefix]) < 0.12
        assert one.n_people["in_50"] == 120
    for prefix in (0, 8):
        one = table.loc[(prefix, "crps")]
        assert one.value == pytest.approx(gaussian.crps(prefix), rel=0.15)
        assert one.low < one.value < one.high


@pytest.mark.parametrize(
    "change, quantity, above",
    [
        ({"scale": 0.4}, "in_90", False),
        ({"scale": 0.4}, "pit_spread", True),
        ({"scale": 3.0}, "in_50", True),
        ({"scale": 3.0}, "pit_spread", False),
        ({"shift": 0.8}, "pit_mean", False),
        ({"shift": -0.8}, "pit_mean", True),
    ],
)
def test_wrong_forecasts_are_seen(gaussian, change, quantity, above):
    points = calibrate(
        gaussian.Exact(**change), gaussian.studies(6, 10), prefixes=[0], n_samples=60
    ).rows
    one = calibration_table(points).set_index("quantity").loc[quantity]
    assert (one.low > one.nominal) if above else (one.high < one.nominal)


def test_without_a_point_there_is_no_table():
    with pytest.raises(AgmpkError, match="No sample was left to forecast"):
        calibration_table(pd.DataFrame())


def test_a_short_record_is_not_counted_under_a_long_prefix(gaussian):
    study = gaussian.studies(1, 3)["toy0"]
    short = Study("toy0", (study["0"].prefix(4), *study.individuals[1:]))
    points = calibrate(gaussian.Exact(), {"toy0": short}, prefixes=[3, 4], n_samples=20).rows
    shown = points.groupby("prefix").individual.agg(lambda x: "".join(sorted(set(x))))
    assert shown[3] == "012" and shown[4] == "12"


def test_refusals_are_recorded(gaussian):
    found = calibrate(
        gaussian.Exact(refuses=True), gaussian.studies(1, 3), prefixes=[0, 1], n_samples=20
    )
    assert list(found.refused.prefix) == [0, 0, 0] and set(found.rows.prefix) == {1}
    learned = learning_curves(
        gaussian.Exact(refuses=True), gaussian.studies(1, 3), [0, 1], [0, 2], n_samples=10
    )
    assert set(learned.refused.prefix) == {0} and set(learned.rows.prefix) == {1}
    ranked = rank_truths(gaussian.Exact(refuses=True), gaussian.studies(4, 2).values(), prefix=0)
    assert len(ranked.refused) == 4 and ranked.rows.empty


@pytest.mark.parametrize("limit", [0.5, 2.0])
def test_the_exact_forecast_is_calibrated_although_much_is_below_the_limit(gaussian, limit):
    def censored(one):
        low = one.concentrations < limit
        return Individual(
            one.id, one.times, np.where(low, limit, one.concentrations), one.doses, low
        )

    studies = {
        name: replace(study, individuals=[censored(one) for one in study], lloq=limit)
        for name, study in gaussian.studies(12, 10).items()
    }
    points = calibrate(gaussian.Exact(), studies, prefixes=[0], n_samples=200).rows
    assert points.below.mean() > 0.15 and points.in_90.dtype == float
    table = calibration_table(points).set_index("quantity")
    for quantity in ("in_50", "in_80", "in_90", "in_95", "pit_mean"):
        one = table.loc[quantity]
        assert abs(one.value - one.nominal) < 1.2 * (one.high - one.low)
    assert distance(points.pit) < 0.08


@pytest.mark.parametrize("alike", [False, True])
def test_chance_moves_coverage_as_the_binomial_law_says(alike):
    """Of five points that are independent, or of one that is repeated five times."""
    times, seen = np.arange(1.0, 6.0), Individual("1", [0.5], [1.0], [Dose(0.0, 1.0)])
    draws = np.random.default_rng(0).lognormal(size=(2000, 5))
    forecast = Forecast(times, draws[:, :1].repeat(5, 1) if alike else draws)
    case = Case("drug", Study("drug", (seen,)), seen, times, np.ones(5))
    found = coverage_by_chance([Scored(case, forecast), Scored(case, None)], 0.9, 20_000, seed=1)
    shares = found["drug"].value_counts(normalize=True)
    if alike:
        assert shares.to_dict() == pytest.approx({1.0: 0.9, 0.0: 0.1}, abs=0.01)
    else:
        expected = {k / 5: binom.pmf(k, 5, 0.9) for k in range(6)}
        assert all(abs(shares.get(k, 0.0) - p) < 0.015 for k, p in expected.items())
