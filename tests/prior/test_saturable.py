"""Saturable elimination against its closed form, a stiff integrator and its linear limit."""

import numpy as np
import pytest
import torch
from scipy.special import lambertw

from agmpk.prior import load_prior, simulate_block
from agmpk.prior.laws import Streams
from agmpk.prior.reference import by_scipy, largest_relative_error
from agmpk.prior.simulate import draw_trial, problems

T = np.linspace(0.1, 24, 60)


@pytest.mark.parametrize("saturation", [0.1, 0.3, 1.0, 10.0])
@pytest.mark.parametrize("ke", [0.02, 0.3, 3.0])
def test_bolus_follows_lambert_w(curve, saturation, ke):
    # dC/dt = -ke C / (1 + C / Km) has C = Km W(r e^(r - ke t)), r = C0 / Km (Beal 1983).
    start = 100.0 / 20.0
    r = 1 / saturation
    expected = start / r * lambertw(r * np.exp(r - ke * T)).real
    keep = expected > 1e-6 * start
    found = curve(T, ke=ke, oral=False, saturation=saturation)
    assert np.allclose(found[keep], expected[keep], rtol=1e-3, atol=0)


def test_large_km_is_linear(curve):
    settings = {"k_out": (0.4,), "k_in": (0.2,), "lag": 0.3, "interval": 8.0, "additional": 2}
    assert np.allclose(curve(T, saturation=1e9, **settings), curve(T, **settings), rtol=1e-6)


def test_saturation_slows_elimination_and_formation(curve):
    assert (curve(T, saturation=0.2)[10:] > 1.1 * curve(T)[10:]).all()
    metabolite = {"metabolite": (0.5, 1.0, 0.0), "oral": False}
    assert (curve(T, saturation=0.2, **metabolite)[:5] < curve(T, **metabolite)[:5] / 2).all()


def saturable_problem(seed: int):
    config = load_prior("extended").replace(disposition={"saturable_probability": 1.0})
    streams = Streams(seed, 0)
    _, _, problem = next(problems(config, draw_trial(config, streams), streams))
    return problem


def test_drawn_individuals_agree_with_radau():
    problem = saturable_problem(seed=21)[:3]
    exact = by_scipy(problem, "Radau", rtol=1e-8, atol=1e-11)
    assert largest_relative_error(problem.states(), exact, problem.layout, 1e-4) < 1e-3


def test_nothing_is_lost_or_negative():
    problem = saturable_problem(seed=22)[:150]
    rates = problem.rates
    # All that is eliminated is metabolite, and the metabolite stays.
    closed = type(rates)(**{**vars(rates), "k_form": rates.ke, "km": torch.zeros_like(rates.km)})
    states = type(problem)(**{**vars(problem), "rates": closed}).states()
    held = states[..., : problem.layout.infusion].sum(-1)
    assert (states[..., : problem.layout.infusion] >= 0).all()
    rate = states[:, :-1, problem.layout.infusion] * problem.steps
    given = problem.jumps[..., : problem.layout.infusion].sum(-1).cumsum(-1)
    given = given + torch.nn.functional.pad(rate.cumsum(-1), (1, 0))
    assert torch.allclose(held, given, rtol=1e-8, atol=1e-9)


def test_the_switch_sets_the_share_of_studies():
    config = load_prior("extended")
    trials = [draw_trial(config, Streams(1, b)).parameters.saturation for b in range(30)]
    saturation = torch.cat(trials)
    share = torch.isfinite(saturation).double().mean()
    expected = config.disposition.saturable_probability
    assert abs(share - expected) < 5 * (expected * (1 - expected) / len(saturation)) ** 0.5
    law = config.disposition.saturation
    finite = saturation[torch.isfinite(saturation)]
    assert finite.min() >= law.low and finite.max() <= law.high
    off = config.replace(disposition={"saturable_probability": 0.0})
    linear = ~torch.isfinite(trials[0])
    on, without = simulate_block(config, 1, 0).true, simulate_block(off, 1, 0).true
    assert torch.allclose(on[linear], without[linear], rtol=1e-9, atol=1e-12)
    assert linear.all() or not torch.allclose(on, without)
