"""Autoregressive curves of known correlation, the same values with each time shuffled; forecasters
that depend on the question, or on the dose, in a known way."""

import numpy as np
import pytest
from agmpk.evaluation.coherence import coherence, consistency, dose_proportionality

from agmpk.errors import AgmpkError
from agmpk.forecasting.forecaster import Forecast, NaiveForecaster
from agmpk.studies import Dose, Individual, Study


def curves(n, rho, rng, points=10):
    y = [rng.standard_normal(n)]
    for _ in range(points - 1):
        y.append(rho * y[-1] + np.sqrt(1 - rho**2) * rng.standard_normal(n))
    return np.exp(np.array(y).T)


def found(rho_real, rho_made, shuffle=False, seed=0):
    rng = np.random.default_rng(seed)
    observed = list(curves(150, rho_real, rng))
    generated = [curves(60, rho_made, rng) for _ in observed]
    if shuffle:
        generated = [rng.permuted(g, axis=0) for g in generated]
    return coherence(observed, generated).set_index("which")


@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_the_correlation_is_found_and_the_gap_holds_zero(rho):
    table = found(rho, rho)
    assert table.value["observed"] == pytest.approx(rho, abs=0.06)
    assert table.value["generated"] == pytest.approx(rho, abs=0.06)
    assert table.low["gap"] < 0 < table.high["gap"]


def test_shuffled_points_are_not_coherent_though_each_is_right():
    table = found(0.8, 0.8, shuffle=True)
    assert table.value["generated"] == pytest.approx(0, abs=0.05)
    assert table.high["gap"] < -0.5


def test_curves_that_are_too_parallel_show_a_gap_above_zero():
    assert found(0.3, 0.9).low["gap"] > 0.3


def test_people_who_appear_twice_widen_the_interval():
    rng = np.random.default_rng(1)
    observed = list(curves(40, 0.5, rng)) * 4
    generated = [curves(20, 0.5, rng) for _ in observed]
    alone = coherence(observed, generated).set_index("which")
    shared = coherence(observed, generated, np.tile(np.arange(40), 4)).set_index("which")
    width = [t.high["observed"] - t.low["observed"] for t in (alone, shared)]
    assert width[1] > 1.5 * width[0]


def test_single_points_have_no_coherence():
    with pytest.raises(AgmpkError, match="two observations"):
        coherence([np.ones(1)], [np.ones((5, 1))])


class Leaking:
    """Forecasts exp(``by`` x number of times asked), or refuses beyond ``until`` h."""

    name = "leaking"

    def __init__(self, by, until=np.inf):
        self.by, self.until = by, until

    def forecast(self, context, target, times, n_samples, seed):
        if times[-1] > self.until:
            raise AgmpkError("too late")
        times = np.asarray(times)
        return Forecast(times, np.exp(self.by * len(times)) * np.ones((n_samples, len(times))))


def test_the_naive_forecast_depends_on_nothing_else_that_is_asked(compounds):
    for shown, tolerance in ((4, 0.0), (1, 0.0), (0, 1e-14)):  # a mean of one column is rounded
        found = consistency(NaiveForecaster(), compounds, shown, people=20, n_samples=4)
        assert len(found) == 20 and found.compound.nunique() == 20
        assert found[["alone", "grid", "later"]].max().max() <= tolerance


def test_a_forecast_that_counts_the_times_asked_is_seen(gaussian):
    found = consistency(Leaking(0.01), gaussian.studies(3, 4), 4, people=5, n_samples=2)
    assert list(found.compound) == ["toy0", "toy1", "toy2", "toy0", "toy1"]
    assert (found.n_times == 7).all() and np.allclose(found.alone, 0.06)
    assert np.allclose(found.later, 0.03) and np.allclose(found.grid, 0.0)
    refused = consistency(Leaking(0.01, until=36.0), gaussian.studies(1, 3), 4, n_samples=2)
    assert refused.later.isna().all() and len(refused) == 3


class Powered(Leaking):
    """Level proportional to dose**power, the shape exact."""

    def forecast(self, context, target, times, n_samples, seed):
        level = target.doses[0].amount ** self.by
        return Forecast(times, level * np.exp(-0.1 * times) * np.ones((n_samples, len(times))))


def test_proportionality_to_the_dose():
    times = np.array([1.0, 2.0, 4.0, 8.0, 12.0])
    amounts = [1.0, 3.0, 10.0, 30.0]
    study = Study(
        "linear",
        tuple(
            Individual(f"{a:g}", times, a * np.exp(-0.1 * times), (Dose(0, a, "iv_bolus"),))
            for a in amounts
        ),
    )
    right = dose_proportionality(Powered(1.0), study, amounts, n_samples=3)
    assert np.allclose(right.ratio, 1) and np.allclose(right.of_context, 1)
    wrong = dose_proportionality(Powered(0.9), study, [1.0, 100.0], n_samples=3)
    assert np.allclose(wrong.ratio, [10**0.1, 10**-0.1])
    assert np.allclose(wrong.of_context, [1, 100**-0.1])
