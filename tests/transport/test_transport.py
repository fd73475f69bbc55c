"""Flow matching and its parts on problems with a known answer."""

import numpy as np
import torch

from agmpk.transport.flow_matching import interpolate, velocity_loss
from agmpk.transport.heun import heun
from agmpk.transport.reference import NUGGET, gp_given_prefix, matern

D = torch.float64


def test_heun_is_of_second_order():
    # dx/dt = -3 x + t has the solution (x0 + 1/9) e^(-3 t) + t/3 - 1/9.
    start = torch.tensor([1.0, -2.0], dtype=D)
    exact = (start + 1 / 9) * np.exp(-3) + 1 / 3 - 1 / 9
    errors = [
        float((heun(lambda x, t: -3 * x + t, start, n) - exact).abs().max()) for n in (20, 40, 80)
    ]
    assert 3.7 < errors[0] / errors[1] < 4.4 and 3.7 < errors[1] / errors[2] < 4.3


def test_the_path_joins_reference_and_data():
    x_0, x_1, noise = torch.randn(3, 50, 7, dtype=D)
    for t, expected in ((0.0, x_0), (1.0, x_1)):
        x_t, v = interpolate(x_0, x_1, torch.tensor(t, dtype=D), noise)
        assert torch.allclose(x_t, expected, atol=1e-3) and torch.equal(v, x_1 - x_0)


def test_the_exact_velocity_of_a_gaussian_moves_the_reference_to_it():
    # x_0 ~ N(0, 1) and x_1 ~ N(m, s^2) independent: E[x_1 - x_0 | x_t] in closed form.
    m, s = 1.7, 0.4

    def velocity(x, t):
        variance = t**2 * s**2 + (1 - t) ** 2
        return m + (t * s**2 - (1 - t)) / variance * (x - t * m)

    x_0 = torch.randn(20_000, generator=torch.Generator().manual_seed(0), dtype=D)
    x_1 = heun(velocity, x_0, 50)
    assert abs(float(x_1.mean()) - m) < 0.02 and abs(float(x_1.std()) - s) < 0.02


def test_that_velocity_minimizes_the_loss():
    m, s, t = 1.7, 0.4, 0.6
    g = torch.Generator().manual_seed(1)
    x_0 = torch.randn((4000, 5), generator=g, dtype=D)
    x_1 = m + s * torch.randn((4000, 5), generator=g, dtype=D)
    x_t, v = interpolate(x_0, x_1, torch.tensor(t, dtype=D), torch.zeros_like(x_0))
    free = torch.ones_like(x_0, dtype=torch.bool)
    slope = (t * s**2 - (1 - t)) / (t**2 * s**2 + (1 - t) ** 2)
    best = float(velocity_loss(m + slope * (x_t - t * m), v, free))
    for wrong in (m + 1.1 * slope * (x_t - t * m), 1.05 * m + slope * (x_t - t * m)):
        assert float(velocity_loss(wrong, v, free)) > best


def test_the_loss_weighs_curves_alike_and_ignores_what_is_not_free():
    predicted, target = torch.zeros(2, 4, dtype=D), torch.tensor([[1.0] * 4, [3.0] * 4], dtype=D)
    free = torch.tensor([[True] * 4, [True, False, False, False]])
    assert float(velocity_loss(predicted, target, free)) == (1 + 9) / 2
    target[1, 1:] = 99.0
    assert float(velocity_loss(predicted, target, free)) == (1 + 9) / 2


def test_the_reference_is_the_textbook_gaussian_process():
    u = torch.tensor([-2.0, -1.0, -0.4, 0.1, 0.8], dtype=D)
    x = torch.tensor([0.5, -1.0, 0.0, 0.0, 0.0], dtype=D)
    prefix = torch.tensor([True, True, False, False, False])
    law = gp_given_prefix(u, x, prefix, ~prefix)
    k = matern(u).numpy()
    a, b = k[:2, :2], k[2:, :2]
    mean = b @ np.linalg.solve(a, x[:2].numpy())
    covariance = k[2:, 2:] - b @ np.linalg.solve(a, b.T)
    assert np.allclose(law.mean[2:], mean) and torch.equal(law.mean[:2], x[:2])
    found = (law.factor @ law.factor.T).numpy()
    assert np.allclose(found[2:, 2:], covariance, atol=1e-5) and np.all(found[:2] == 0)


def test_the_covariance_is_matern_three_halves():
    # Independent formula: (1 + sqrt(3) d / l) exp(-sqrt(3) d / l) at d = 1.5 = l.
    k = matern(torch.tensor([0.0, 1.5], dtype=D))
    assert np.isclose(float(k[0, 1]), (1 - NUGGET) * (1 + 3**0.5) * np.exp(-(3**0.5)))
    assert torch.allclose(k.diagonal(), torch.ones(2, dtype=D))


def test_without_a_prefix_the_reference_has_unit_variance():
    u = torch.linspace(-3, 0, 6, dtype=D)
    nobody = torch.zeros(6, dtype=torch.bool)
    law = gp_given_prefix(u, torch.zeros(6, dtype=D), nobody, ~nobody)
    assert torch.allclose((law.factor @ law.factor.T).diagonal(), torch.ones(6, dtype=D), atol=1e-5)
