"""Both transports where the best prediction is known: a normal target, point by point.

Every asked time moves by itself from N(0, 1) to N(m, s^2); the numbers that they start from are
correlated, so the curve arrives with the reference's correlation.
"""

import math

import numpy as np
import pytest
import torch

from agmpk.errors import AgmpkError
from agmpk.models.transport import (
    FlowMatching,
    Kernel,
    VariancePreserving,
    correlation,
    factor,
    follow,
)

D = torch.float64
M = torch.tensor([0.7, -0.4, 1.1], dtype=D)
SD = torch.tensor([0.5, 0.3, 1.4], dtype=D)
SAMPLES = 20_000


def velocity(x, t):
    """E[x_1 - x_0 | x_t = x] of the straight path."""
    gain = (t * SD**2 - (1 - t)) / (t**2 * SD**2 + (1 - t) ** 2)
    return M + gain * (x - t * M)


def v_prediction(x, t):
    """E[sigma x_1 - alpha n | x_t = x] of the variance-preserving path."""
    a, s = math.sin(math.pi * t / 2), math.cos(math.pi * t / 2)
    gain = a * s * (SD**2 - 1) / (a**2 * SD**2 + s**2)
    return s * M + gain * (x - a * M)


CASES = {
    "flow": (FlowMatching(), velocity, 20),
    "ode": (VariancePreserving("ode"), v_prediction, 20),
    "sde": (VariancePreserving("sde"), v_prediction, 20),
    "euler": (VariancePreserving("euler"), v_prediction, 150),
}


def reference(seed: int = 0):
    """Correlated draws of the reference, and how to draw fresh ones."""
    u = torch.tensor([-1.0, -0.8, 0.9], dtype=D)
    free = torch.ones(3, dtype=torch.bool)
    root = factor(correlation(Kernel.from_raw(torch.zeros(3, dtype=D)), u, ~free, free))
    g = torch.Generator().manual_seed(seed)

    def fresh():
        return torch.randn(SAMPLES, 3, generator=g, dtype=D) @ root.T

    return fresh, root @ root.T


@pytest.mark.parametrize("name", CASES)
def test_the_sampler_gives_back_the_law_at_each_time(name):
    transport, predict, steps = CASES[name]
    fresh, law = reference()
    x = transport.sample(predict, fresh(), steps, fresh)
    assert torch.allclose(x.mean(0), M, atol=0.03)
    assert torch.allclose(x.std(0), SD, rtol=0.03)
    # Normal to normal is affine along the deterministic path: the correlation is the reference's.
    # The SDE forgets its start; its fresh numbers are correlated alike, but reach points of other
    # spreads with other gains, which can only lower the correlation (Cauchy and Schwarz).
    found, noise = torch.corrcoef(x.T), 0.02
    if name in ("flow", "ode"):
        assert torch.allclose(found, law, atol=noise)
    else:
        assert bool((found < law + noise).all()) and torch.allclose(found, law, atol=0.08)


@pytest.mark.parametrize("name", ["flow", "ode", "sde"])
def test_few_steps_are_enough_for_a_smooth_target(name):
    transport, predict, _ = CASES[name]
    fresh, _ = reference()
    x = transport.sample(predict, fresh(), 6, fresh)
    assert torch.allclose(x.mean(0), M, atol=0.05)
    assert torch.allclose(x.std(0), SD, rtol=0.12)


@pytest.mark.parametrize("name", ["flow", "ode"])
def test_deterministic_paths_send_quantiles_to_quantiles(name):
    transport, predict, _ = CASES[name]
    z = torch.linspace(-2, 2, 9, dtype=D)[:, None].expand(-1, 3)
    x = transport.sample(predict, z, 100, None)
    assert torch.allclose(x, M + SD * z, atol=2e-3)


@pytest.mark.parametrize("name", ["flow", "ode"])
@pytest.mark.parametrize("t", [0.0, 0.35, 0.8])
def test_the_pair_regresses_to_the_closed_form(name, t):
    transport, predict, _ = CASES[name]
    g = torch.Generator().manual_seed(2)
    x_1 = M + torch.randn((SAMPLES, 3), generator=g, dtype=D) * SD
    x_0, noise = torch.randn((2, SAMPLES, 3), generator=g, dtype=D)
    x_t, target = transport.pair(x_0, x_1, torch.full((SAMPLES, 1), t, dtype=D), noise)
    left = target - predict(x_t, t)
    # The residual of the best prediction has mean zero and is uncorrelated with the state.
    assert float(left.mean(0).abs().max()) < 0.03
    state = x_t - x_t.mean(0)
    assert float((left * state).mean(0).abs().max()) < 0.04


@pytest.mark.parametrize("name", CASES)
def test_paths_join_reference_and_data(name):
    transport = CASES[name][0]
    x_0, x_1, noise = torch.randn(3, 50, 3, dtype=D, generator=torch.Generator().manual_seed(0))
    start, _ = transport.pair(x_0, x_1, torch.zeros(50, 1, dtype=D), noise)
    end, _ = transport.pair(x_0, x_1, torch.ones(50, 1, dtype=D), noise)
    assert torch.allclose(start, x_0, atol=1e-3)
    assert torch.allclose(end, x_1, atol=1e-3)


def test_the_path_preserves_the_variance():
    t = torch.linspace(0, 1, 11, dtype=D)
    one, zero = torch.ones_like(t), torch.zeros_like(t)
    sigma, _ = VariancePreserving().pair(one, zero, t, zero)
    alpha, _ = VariancePreserving().pair(zero, one, t, zero)
    assert torch.allclose(alpha**2 + sigma**2, one)


def test_the_midpoint_method_is_of_second_order():
    # dx/dt = -3 x + t has the solution (x0 + 1/9) e^(-3 t) + t/3 - 1/9.
    start = torch.tensor([1.0, -2.0], dtype=D)
    exact = (start + 1 / 9) * np.exp(-3) + 1 / 3 - 1 / 9
    errors = [
        float((follow(lambda x, t: -3 * x + t, start, n) - exact).abs().max()) for n in (20, 40, 80)
    ]
    assert 3.7 < errors[0] / errors[1] < 4.4 and 3.7 < errors[1] / errors[2] < 4.3


def moments(sampler: str, steps: int) -> tuple[float, float]:
    """Mean and variance of the third point at the end, without sampling error: for a normal target
    a step is affine in (x, noise), and its coefficients along the run give the moments."""
    transport = VariancePreserving(sampler)

    def run(x: float, noise: list[float]) -> float:
        left = iter(noise)
        start = torch.tensor([0.0, 0.0, x], dtype=D)
        found = transport.sample(
            v_prediction, start, steps, lambda: torch.full((3,), next(left), dtype=D)
        )
        return float(found[2])

    shift = run(0.0, [0.0] * steps)
    gains = [run(0.0, [float(k == j) for j in range(steps)]) - shift for k in range(steps)]
    gains.append(run(1.0, [0.0] * steps) - shift)
    return shift, float(np.square(gains).sum())


def test_weak_orders_of_the_stochastic_samplers():
    exact = (float(M[2]), float(SD[2] ** 2))
    for sampler, order in (("euler", 1), ("sde", 2)):
        coarse, fine = (np.abs(np.subtract(moments(sampler, n), exact)) for n in (40, 80))
        assert np.all(fine < 0.02) and np.all(np.log2(coarse / fine) > order - 0.25), sampler


def test_an_unknown_sampler_is_refused():
    with pytest.raises(AgmpkError, match="no sampler 'dpm'.*ode, sde, euler"):
        VariancePreserving("dpm")
