"""Ranks, their tests, and simulation-based calibration of the exact law and of wrong ones."""

import numpy as np
from scipy.stats import norm

from agmpk.evaluation.calibration import ecdf_envelope, rank_truths, sbc_table
from agmpk.forecasting.forecaster import NaiveForecaster
from agmpk.prior import load_prior, simulate
from agmpk.prior.table import to_studies


def test_ranks_and_their_tests():
    rng = np.random.default_rng(0)
    right = rng.integers(0, 100, 400)
    assert not ecdf_envelope(right, 99).outside.any()
    for law in (norm(0, 0.5), norm(0, 2.0), norm(0.5, 1)):  # too wide, too narrow, too low
        z = law.rvs(400, random_state=rng)
        wrong = np.clip((norm.cdf(z) * 100).astype(int), 0, 99)
        assert ecdf_envelope(wrong, 99).outside.any()


def test_the_envelope_is_simultaneous():
    rng = np.random.default_rng(1)
    left = [ecdf_envelope(rng.integers(0, 20, 80), 19, draws=300).outside.any() for _ in range(200)]
    assert np.mean(left) < 0.12


def test_simulation_based_calibration_of_the_exact_law(gaussian):
    many = list(gaussian.studies(250, 2, seed=3).values())
    right = sbc_table(rank_truths(gaussian.Exact(), many, n_samples=49).rows).set_index("quantity")
    assert not right.outside.any() and right.n.min() == 250 and set(right.index) >= {"Cmax", "AUC"}
    for change in ({"scale": 0.5}, {"scale": 2.0}, {"shift": 0.4}):
        wrong = sbc_table(rank_truths(gaussian.Exact(**change), many, n_samples=49).rows)
        assert wrong.set_index("quantity").outside["middle"]


def test_simulation_based_calibration_on_the_prior():
    drawn = to_studies(simulate(load_prior("extended"), 20, seed=0))
    found = rank_truths(NaiveForecaster(), drawn, n_samples=19, prefix=2)
    assert found.rows["rank"].between(0, 19).all() and set(found.rows.prefix) <= {0, 1, 2}
    assert found.rows.study.nunique() >= 15
