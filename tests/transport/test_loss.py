"""The loss: what it weighs alike, and what minimizes it."""

import torch

from agmpk.transport.flow_matching import interpolate
from agmpk.transport.loss import curve_loss

D = torch.float64


def test_the_best_velocity_of_a_gaussian_minimizes_the_loss():
    m, s, t = 1.7, 0.4, 0.6
    g = torch.Generator().manual_seed(1)
    x_0 = torch.randn((4000, 5), generator=g, dtype=D)
    x_1 = m + s * torch.randn((4000, 5), generator=g, dtype=D)
    x_t, v = interpolate(x_0, x_1, torch.tensor(t, dtype=D), torch.zeros_like(x_0))
    free = torch.ones_like(x_0, dtype=torch.bool)
    slope = (t * s**2 - (1 - t)) / (t**2 * s**2 + (1 - t) ** 2)
    best = float(curve_loss(m + slope * (x_t - t * m), v, free))
    for wrong in (m + 1.1 * slope * (x_t - t * m), 1.05 * m + slope * (x_t - t * m)):
        assert float(curve_loss(wrong, v, free)) > best


def test_the_loss_weighs_curves_alike_and_ignores_what_is_not_free():
    predicted, target = torch.zeros(2, 4, dtype=D), torch.tensor([[1.0] * 4, [3.0] * 4], dtype=D)
    free = torch.tensor([[True] * 4, [True, False, False, False]])
    assert float(curve_loss(predicted, target, free)) == (1 + 9) / 2
    target[1, 1:] = 99.0
    assert float(curve_loss(predicted, target, free)) == (1 + 9) / 2


def test_a_curve_of_twice_the_spread_counts_twice():
    error, free = torch.ones(1, 3, dtype=D), torch.ones(1, 3, dtype=torch.bool)
    one, two = (float(curve_loss(0 * error, error, free, spread * error)) for spread in (0.5, 1.0))
    assert abs(two - 2 * one) < 1e-12


def test_draws_are_averaged():
    predicted = torch.zeros(3, 2, 4, dtype=D)
    target = torch.arange(1.0, 4.0, dtype=D)[:, None, None].expand(3, 2, 4)
    free = torch.tensor([[True] * 4, [False] * 4])
    assert abs(float(curve_loss(predicted, target, free)) - (1 + 4 + 9) / 3) < 1e-12
