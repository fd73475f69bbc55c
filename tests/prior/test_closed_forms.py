"""Whole curves of the simulator against textbook solutions (Gabrielsson & Weiner)."""

import numpy as np
import pytest
from scipy.stats import gamma

T = np.r_[0.05, 0.25, np.linspace(0.5, 48, 96)]
DOSE, V, KA, KE = 100.0, 20.0, 1.3, 0.11
K12, K21 = 0.7, 0.2


def after(t, function):
    """``function`` of the time since an event, 0 before it."""
    return np.where(t > 0, function(np.maximum(t, 0)), 0.0)


def one_bolus(t):
    return DOSE / V * np.exp(-KE * t)


def one_oral(t):
    return DOSE / V * KA / (KA - KE) * (np.exp(-KE * t) - np.exp(-KA * t))


def one_infusion(t, hours=2.0):
    during = -np.expm1(-KE * np.minimum(t, hours))
    return DOSE / hours / KE / V * during * np.exp(-KE * np.maximum(t - hours, 0))


def hybrid():
    total, product = KE + K12 + K21, KE * K21
    alpha = (total + np.sqrt(total**2 - 4 * product)) / 2
    return alpha, product / alpha


def two_bolus(t):
    a, b = hybrid()
    return DOSE / V * ((a - K21) * np.exp(-a * t) + (K21 - b) * np.exp(-b * t)) / (a - b)


def two_oral(t):
    a, b = hybrid()
    terms = (
        (K21 - rate) / ((u - rate) * (w - rate)) * np.exp(-rate * t)
        for rate, u, w in ((a, b, KA), (b, a, KA), (KA, a, b))
    )
    return DOSE / V * KA * sum(terms)


def two_infusion(t, hours=2.0):
    a, b = hybrid()
    found = 0.0
    for rate, share in ((a, a - K21), (b, K21 - b)):
        during = -np.expm1(-rate * np.minimum(t, hours)) / rate
        found = found + share / (a - b) * during * np.exp(-rate * np.maximum(t - hours, 0))
    return DOSE / hours / V * found


CASES = {
    "one bolus": (one_bolus, {"oral": False}),
    "one oral": (one_oral, {}),
    "one infusion": (one_infusion, {"oral": False, "duration": 2.0}),
    "two bolus": (two_bolus, {"oral": False, "k_out": (K12,), "k_in": (K21,)}),
    "two oral": (two_oral, {"k_out": (K12,), "k_in": (K21,)}),
    "two infusion": (
        two_infusion,
        {"oral": False, "duration": 2.0, "k_out": (K12,), "k_in": (K21,)},
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("additional", [0, 3])
def test_single_and_repeated_doses(curve, name, additional):
    function, settings = CASES[name]
    found = curve(
        T, V=V, ka=KA, ke=KE, interval=12.0 if additional else 0, additional=additional, **settings
    )
    # A sample at the time of a dose is taken just after it.
    starts = 12.0 * np.arange(additional + 1)
    expected = sum(np.where(T >= s, function(np.maximum(T - s, 0)), 0.0) for s in starts)
    assert np.allclose(found, expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("additional", [0, 2])
def test_lag_moves_every_dose(curve, additional):
    found = curve(T, V=V, ka=KA, ke=KE, lag=1.7, interval=12.0, additional=additional)
    starts = 1.7 + 12.0 * np.arange(additional + 1)
    assert np.allclose(found, sum(after(T - s, one_oral) for s in starts), rtol=1e-9, atol=1e-13)


def test_a_split_dose_is_two_doses(curve):
    found = curve(T, V=V, ka=KA, ke=KE, lag=0.5, split=(0.3, 2.2))
    expected = 0.7 * after(T - 0.5, one_oral) + 0.3 * after(T - 2.7, one_oral)
    assert np.allclose(found, expected, rtol=1e-9, atol=1e-13)


def absorbed(curve, transits, ka=0.9):
    """Fraction absorbed: with (almost) no elimination the central amount is what came in."""
    return curve(T, ka=ka, ke=1e-13, transits=transits) * 20 / 100


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4])
def test_whole_chains_are_gamma_inputs(curve, n):
    assert np.allclose(absorbed(curve, n), gamma.cdf(0.9 * T, n + 1), rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("n", [0.3, 1.5, 3.8])
def test_real_chains_are_between_and_near_the_gamma_input(curve, n):
    found, k = absorbed(curve, n), int(n)
    mixed = (k + 1 - n) * gamma.cdf(0.9 * T, k + 1) + (n - k) * gamma.cdf(0.9 * T, k + 2)
    assert np.allclose(found, mixed, rtol=1e-7, atol=1e-10)
    assert np.abs(found - gamma.cdf(0.9 * T, n + 1)).max() < 0.05
    # Mean transit time (n + 1) / ka, as the gamma density has it: the area above the curve.
    t = np.linspace(1e-6, 60, 801)
    left = 1 - curve(t, ka=0.9, ke=1e-13, transits=n) * 20 / 100
    assert np.trapezoid(left, t) == pytest.approx((n + 1) / 0.9, rel=1e-3)


def test_metabolite_of_a_bolus_is_a_bateman_function(curve):
    km, share = 0.4, 0.6
    found = curve(T, V=V, ke=KE, oral=False, metabolite=(km, share, 0.0))
    expected = DOSE / V * share * KE / (km - KE) * (np.exp(-KE * T) - np.exp(-km * T))
    assert np.allclose(found, expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("minutes", [1.0, 60.0])
@pytest.mark.parametrize("litres", [1.0, 1000.0])
def test_equations_hold_in_any_units(curve, minutes, litres):
    """Rescaling time, volume and amount rescales the curve: no term has the wrong dimension."""
    settings = {"interval": 8.0, "additional": 2, "lag": 0.4, "split": (0.2, 1.1)}
    usual = curve(
        T, k_out=(0.5,), k_in=(0.3,), saturation=0.8, transits=1.4, metabolite=(0.3, 0.5, 0.2),
        **settings,
    )  # fmt: skip
    other = curve(
        T * minutes, dose=100.0 * 7, V=20.0 * litres, ka=1 / minutes, ke=0.1 / minutes,
        k_out=(0.5 / minutes,), k_in=(0.3 / minutes,), saturation=0.8, transits=1.4,
        metabolite=(0.3 / minutes, 0.5, 0.2), interval=8.0 * minutes, additional=2,
        lag=0.4 * minutes, split=(0.2, 1.1 * minutes),
    )  # fmt: skip
    assert np.allclose(other, usual * 7 / litres, rtol=1e-8)
