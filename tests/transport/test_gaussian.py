"""Both transports on a Gaussian target, where the best prediction is known in closed form.

Reference N(m, K), target N(m + b, A): x_t is Gaussian for every t, and so are the best predictions.
The last point is a prefix point: it belongs to neither law and must stay.
"""

import math

import pytest
import torch

from agmpk.errors import AgmpkError
from agmpk.transport.diffusion import VariancePreserving, alpha_sigma
from agmpk.transport.flow_matching import FlowMatching
from agmpk.transport.reference import given_prefix, matern

D = torch.float64
U = torch.tensor([-1.0, -0.3, 0.4, -1.5], dtype=D)
FREE = torch.tensor([True, True, True, False])
LAW = given_prefix(matern(U), torch.tensor([0.0, 0.0, 0.0, 0.9], dtype=D), ~FREE, FREE)
K = LAW.factor @ LAW.factor.T
B = torch.tensor([0.7, -0.4, 1.1, 0.0], dtype=D)
ROOT = torch.tensor([[0.5, 0, 0, 0], [0.3, 0.4, 0, 0], [-0.2, 0.1, 0.9, 0], [0, 0, 0, 0]], dtype=D)
A = ROOT @ ROOT.T
SAMPLES = 20_000


def linear(gain, x):
    return x @ gain.T


def velocity(x, t):
    """E[x_1 - x_0 | x_t = x] of the straight path."""
    variance = (t**2 * A + (1 - t) ** 2 * K)[:3, :3]
    cross = (t * A - (1 - t) * K)[:3, :3]
    gain = torch.zeros(4, 4, dtype=D)
    gain[:3, :3] = cross @ torch.linalg.inv(variance)
    return B + linear(gain, x - LAW.mean - t * B)


def v_prediction(x, t):
    """E[sigma (x_1 - m) - alpha L eps | x_t = x] of the variance-preserving path."""
    a, s = math.sin(math.pi * t / 2), math.cos(math.pi * t / 2)
    variance = (a**2 * A + s**2 * K)[:3, :3]
    cross = (s * a * A - a * s * K)[:3, :3]
    gain = torch.zeros(4, 4, dtype=D)
    gain[:3, :3] = cross @ torch.linalg.inv(variance)
    return s * B + linear(gain, x - LAW.mean - a * B)


CASES = {
    "flow": (FlowMatching(), velocity, 20),
    "ode": (VariancePreserving("ode"), v_prediction, 20),
    "sde": (VariancePreserving("sde"), v_prediction, 20),
    "euler": (VariancePreserving("euler"), v_prediction, 150),
}


@pytest.mark.parametrize("name", CASES)
def test_the_sampler_gives_back_the_target(name):
    transport, predict, steps = CASES[name]
    x = transport.sample(predict, LAW, SAMPLES, torch.Generator().manual_seed(0), steps)
    assert torch.allclose(x.mean(0), LAW.mean + B, atol=0.02)
    assert torch.allclose(torch.cov(x.T), A, atol=0.02)
    assert bool((x[:, 3] == 0.9).all())


@pytest.mark.parametrize("name", ["flow", "ode", "sde"])
def test_few_steps_are_enough_for_a_smooth_target(name):
    transport, predict, _ = CASES[name]
    x = transport.sample(predict, LAW, SAMPLES, torch.Generator().manual_seed(0), 6)
    assert torch.allclose(x.mean(0), LAW.mean + B, atol=0.05)
    assert torch.allclose(x.std(0)[:3], A.diagonal()[:3].sqrt(), rtol=0.12)


@pytest.mark.parametrize("name", ["flow", "ode"])
@pytest.mark.parametrize("t", [0.0, 0.35, 0.8])
def test_the_pair_regresses_to_the_closed_form(name, t):
    transport, predict, _ = CASES[name]
    g = torch.Generator().manual_seed(2)
    x_1 = LAW.mean + B + torch.randn((SAMPLES, 4), generator=g, dtype=D) @ ROOT.T
    noise = torch.randn((2, SAMPLES, 4), generator=g, dtype=D)
    x_t, target = transport.pair(LAW, x_1, torch.full((SAMPLES,), t, dtype=D), noise)
    left = target - predict(x_t, t)
    # The residual of the best prediction has mean zero and is uncorrelated with the state.
    assert float(left.mean(0).abs().max()) < 0.02
    state = x_t - x_t.mean(0)
    assert float((left.T @ state / SAMPLES).abs().max()) < 0.03


@pytest.mark.parametrize("name", CASES)
def test_paths_join_reference_and_data(name):
    transport = CASES[name][0]
    x_1, noise = torch.randn(50, 4, dtype=D), torch.randn(2, 50, 4, dtype=D)
    start, _ = transport.pair(LAW, x_1, torch.zeros(50, dtype=D), noise)
    end, _ = transport.pair(LAW, x_1, torch.ones(50, dtype=D), noise)
    assert torch.allclose(start, LAW.draw(noise[0]), atol=1e-3)
    assert torch.allclose(end, x_1, atol=1e-3)


def test_the_path_preserves_the_variance():
    alpha, sigma = alpha_sigma(torch.linspace(0, 1, 11, dtype=D))
    assert torch.allclose(alpha**2 + sigma**2, torch.ones(11, dtype=D))


@pytest.mark.parametrize("t", [0.0, 0.3, 0.9])
def test_the_score_of_a_gaussian(t):
    transport = VariancePreserving()
    x = LAW.draw(torch.randn((20, 4), generator=torch.Generator().manual_seed(3), dtype=D))
    a, s = math.sin(math.pi * t / 2), math.cos(math.pi * t / 2)
    variance = (a**2 * A + s**2 * K)[:3, :3]
    exact = -(x - LAW.mean - a * B)[:, :3] @ torch.linalg.inv(variance)
    found = transport.score(v_prediction(x, t), x, t, LAW)
    assert torch.allclose(found[:, :3], exact, rtol=1e-6) and bool((found[:, 3] == 0).all())


def test_same_seed_same_draws_other_seed_others():
    for transport, predict, _ in CASES.values():
        one, same, other = (
            transport.sample(predict, LAW, 5, torch.Generator().manual_seed(seed), 3)
            for seed in (0, 0, 1)
        )
        assert torch.equal(one, same) and not torch.allclose(one[:, :3], other[:, :3])


def test_an_unknown_sampler_is_refused():
    with pytest.raises(AgmpkError, match="no sampler 'dpm'.*ode, sde, euler"):
        VariancePreserving("dpm")
