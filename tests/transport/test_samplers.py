"""Order of convergence of the samplers, on equations with a known solution."""

import math

import numpy as np
import torch

from agmpk.transport.midpoint import midpoint
from agmpk.transport.sde import euler_maruyama, stochastic_heun

D = torch.float64


def test_the_midpoint_method_is_of_second_order():
    # dx/dt = -3 x + t has the solution (x0 + 1/9) e^(-3 t) + t/3 - 1/9.
    start = torch.tensor([1.0, -2.0], dtype=D)
    exact = (start + 1 / 9) * np.exp(-3) + 1 / 3 - 1 / 9
    errors = [
        float((midpoint(lambda x, t: -3 * x + t, start, n) - exact).abs().max())
        for n in (20, 40, 80)
    ]
    assert 3.7 < errors[0] / errors[1] < 4.4 and 3.7 < errors[1] / errors[2] < 4.3


def moments(sampler, steps: int) -> tuple[float, float]:
    """Mean and variance at t = 1 of dx = (2 - 3 x) dt + 0.8 dW, x(0) = 1, without sampling error.

    For a linear equation a step is affine in (x, noise): its coefficients give the moments.
    """

    def step(x: float, z: float) -> float:
        """One step of length 1 / steps, as a whole run of one step of a rescaled equation."""
        found = sampler(
            lambda x, t: (2 - 3 * x) / steps,
            lambda t: z * 0.8 / math.sqrt(steps),
            torch.tensor(x, dtype=D),
            1,
        )
        return float(found)

    shift, mean, variance = step(0.0, 0.0), 1.0, 0.0
    slope, noise = step(1.0, 0.0) - shift, step(0.0, 1.0) - shift
    for _ in range(steps):
        mean, variance = shift + slope * mean, slope**2 * variance + noise**2
    return mean, variance


def test_weak_orders_of_the_stochastic_samplers():
    mean = 2 / 3 + (1 - 2 / 3) * math.exp(-3)
    variance = 0.64 / 6 * (1 - math.exp(-6))
    for sampler, ratio in ((euler_maruyama, 2), (stochastic_heun, 4)):
        coarse, fine = (
            np.abs(np.subtract(moments(sampler, n), (mean, variance))) for n in (40, 80)
        )
        assert np.all(np.abs(coarse / fine / ratio - 1) < 0.15), (sampler, coarse / fine)
