"""Whole curves of the simulator against textbook solutions (Gabrielsson & Weiner)."""

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
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
    # A sample at the time of a dose is taken just before it.
    starts = 12.0 * np.arange(additional + 1)
    expected = sum(after(T - s, function) for s in starts)
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


def test_any_list_of_doses_superposes(curve):
    """Loading, missed and changed doses, oral and intravenous ones, an infusion: one record."""
    doses = [
        (0.0, 150.0, False, 2.0), (7.5, 40.0, True, 0.0), (19.0, 60.0, True, 0.0),
        (30.0, 80.0, False, 0.0), (33.0, 30.0, False, 2.0),
    ]  # fmt: skip
    found = curve(T, V=V, ka=KA, ke=KE, lag=0.4, k_out=(K12,), k_in=(K21,), doses=doses)
    expected = np.zeros_like(T)
    for start, amount, oral, hours in doses:
        shape = two_oral if oral else two_infusion if hours else two_bolus
        expected += amount / DOSE * after(T - start - 0.4 * oral, shape)
    assert np.allclose(found, expected, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("settings", [{}, {"k_out": (K12,), "k_in": (K21,)}, {"transits": 2.0}])
def test_thirty_doses_are_a_sum_of_single_ones(curve, settings):
    times = np.r_[696.0 - 1e-9, 696.0, 697, 700, 708]  # around the last dose
    found = curve(times, interval=24.0, additional=29, **settings)
    alone = sum(
        np.where(times > s, curve(np.maximum(times - s, 1e-6), **settings), 0.0)
        for s in 24.0 * np.arange(30)
    )
    assert np.allclose(found, alone, rtol=1e-6)
    assert found[1] == pytest.approx(found[0], rel=1e-6)  # a trough at the time of the dose


def test_zero_order_input_is_an_infusion(curve):
    found = curve(T, V=V, ka=KA, ke=KE, zero=(2.0, 1.0, False), lag=0.5)
    assert np.allclose(found, after(T - 0.5, one_infusion), rtol=1e-9, atol=1e-13)


def test_part_at_once_and_part_at_a_constant_rate(curve):
    found = curve(T, V=V, ka=KA, ke=KE, zero=(2.0, 0.3, False))
    assert np.allclose(found, 0.7 * one_oral(T) + 0.3 * one_infusion(T), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("doses", [1, 3])
def test_release_into_the_gut_is_absorbed_with_ka(curve, doses):
    """Against the equations integrated by scipy, restarted where the input changes."""
    hours, schedule = 3.0, [(9.0 * k, DOSE, True, 0.0) for k in range(doses)]
    times = np.linspace(0.5, 36, 40)
    found = curve(times, V=V, ka=KA, ke=KE, zero=(hours, 1.0, True), doses=schedule)
    state, now, expected = np.zeros(2), 0.0, []
    edges = sorted({*times, *(s + d for s, *_ in schedule for d in (0.0, hours))} - {0.0})
    for edge in edges:
        middle = 0.5 * (now + edge)
        rate = sum(DOSE / hours for s, *_ in schedule if s <= middle < s + hours)
        state = solve_ivp(
            lambda _, y, r=rate: [r - KA * y[0], KA * y[0] - KE * y[1]],
            (now, edge), state, "Radau", rtol=1e-10, atol=1e-12,
        ).y[:, -1]  # fmt: skip
        now = edge
        if edge in times:
            expected.append(state[1] / V)
    assert np.allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("n, ktr", [(1.0, 2.0), (3.0, 6.0), (12.0, 9.0)])
def test_a_chain_with_a_rate_of_its_own(curve, n, ktr):
    """The gut is fed by a gamma density of rate ktr: convolved with one_oral's curve."""
    t = np.linspace(0.5, 24, 12)
    found = curve(t, V=V, ka=KA, ke=KE, transits=n, ktr=ktr)
    for time, value in zip(t, found, strict=True):
        area, _ = quad(
            lambda s, time=time: gamma.pdf(s, n, scale=1 / ktr) * one_oral(time - s), 0, time,
            epsabs=1e-12, epsrel=1e-10,
        )  # fmt: skip
        # A long chain is far from normal, so the approximation of exp loses digits in it.
        assert value == pytest.approx(area, rel=1e-6, abs=1e-7 * DOSE / V)


def test_the_chain_may_be_empty_long_before_the_end(curve):
    """Later steps leave it out: the same curve as with all stages followed."""
    t = np.linspace(0.2, 96, 60)
    found = curve(t, V=V, ka=KA, ke=0.02, transits=12.0, ktr=9.0)
    slow = curve(np.r_[t, 1e4], V=V, ka=KA, ke=0.02, transits=12.0, ktr=9.0)[:-1]
    assert np.allclose(found, slow, rtol=1e-9)


@pytest.mark.parametrize("transits", [0.0, 2.0])
def test_linear_curves_are_proportional_to_the_dose(curve, transits):
    settings = {"k_out": (K12,), "k_in": (K21,), "transits": transits, "split": (0.2, 1.0)}
    low, high = (curve(T, dose=d, **settings) for d in (1.0, 300.0))
    assert np.allclose(300 * low, high, rtol=1e-9)
    low, high = (curve(T, dose=d, saturation=0.5, **settings) for d in (1.0, 300.0))
    assert np.allclose(300 * low, high, rtol=1e-2)  # Km is in multiples of dose / V


@pytest.mark.parametrize("ka", [KE, KE * (1 + 1e-9), KE / 3])
def test_flip_flop_and_equal_rates(curve, ka):
    found = curve(T, V=V, ka=ka, ke=KE)
    if abs(ka / KE - 1) < 1e-6:
        expected = DOSE / V * KE * T * np.exp(-KE * T)
    else:
        expected = DOSE / V * ka / (ka - KE) * (np.exp(-KE * T) - np.exp(-ka * T))
    assert np.allclose(found, expected, rtol=1e-7)
