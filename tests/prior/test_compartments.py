"""The compartment solution against closed forms and an independent stiff integrator."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from agmpk.prior.compartments import Layout, Rates, generator_matrix, propagate

HOURS = torch.linspace(0, 24, 49, dtype=torch.float64)


def constant_rates(n: int, peripherals: int, **values: float) -> Rates:
    """Rates that stay the same in all 48 half-hour intervals; absent ones are 0."""
    shape = (n, len(HOURS) - 1)
    full = {
        name: torch.full(shape, values.get(name, 0.0), dtype=torch.float64)
        for name in ("ka", "ke", "k_form", "km", "first_pass")
    }
    exchange = {
        name: torch.full((*shape, peripherals), values.get(name, 0.0), dtype=torch.float64)
        for name in ("k_out", "k_in")
    }
    return Rates(**full, **exchange)


def solve(layout: Layout, rates: Rates, jumps: torch.Tensor) -> torch.Tensor:
    n = len(rates.ka)
    return propagate(rates, layout, HOURS.diff().expand(n, -1), jumps)


def dose_at_zero(layout: Layout, state: int, amount: float = 100.0) -> torch.Tensor:
    jumps = torch.zeros(1, len(HOURS), layout.size, dtype=torch.float64)
    jumps[:, 0, state] = amount
    return jumps


def largest_relative_error(found: torch.Tensor, expected: np.ndarray) -> float:
    """Over the points where the expected amount is more than 1e-9 of the dose."""
    keep = expected > 1e-7
    return float(np.max(np.abs(found.numpy()[keep] / expected[keep] - 1)))


def test_oral_one_compartment_is_the_bateman_function():
    layout = Layout(0, 1)
    ka, ke = 1.3, 0.21
    states = solve(layout, constant_rates(1, 1, ka=ka, ke=ke), dose_at_zero(layout, layout.gut))
    t = HOURS.numpy()
    expected = 100 * ka / (ka - ke) * (np.exp(-ke * t) - np.exp(-ka * t))
    assert largest_relative_error(states[0, :, layout.central], expected) < 1e-10


def test_bolus_two_compartments_is_a_biexponential():
    layout = Layout(0, 1)
    k10, k12, k21 = 0.4, 0.7, 0.2
    states = solve(
        layout,
        constant_rates(1, 1, ka=1.0, ke=k10, k_out=k12, k_in=k21),
        dose_at_zero(layout, layout.central),
    )
    total, product = k10 + k12 + k21, k10 * k21
    alpha = (total + np.sqrt(total**2 - 4 * product)) / 2
    beta = product / alpha
    t = HOURS.numpy()
    expected = (
        100
        * ((alpha - k21) * np.exp(-alpha * t) + (k21 - beta) * np.exp(-beta * t))
        / (alpha - beta)
    )
    assert largest_relative_error(states[0, :, layout.central], expected) < 1e-10


def test_infusion_one_compartment_rises_and_decays():
    layout = Layout(0, 1)
    ke, hours, rate = 0.3, 4.0, 25.0
    jumps = dose_at_zero(layout, layout.infusion, rate)
    jumps[:, 8, layout.infusion] = -rate
    states = solve(layout, constant_rates(1, 1, ka=1.0, ke=ke), jumps)
    t = HOURS.numpy()
    during = rate / ke * (1 - np.exp(-ke * np.minimum(t, hours)))
    expected = during * np.exp(-ke * np.maximum(t - hours, 0))
    assert largest_relative_error(states[0, :, layout.central], expected) < 1e-10


def test_transit_chain_is_a_gamma_density():
    # With two transit compartments of rate ka, the input into central is ka^3 t^2 e^(-ka t) / 2.
    layout = Layout(2, 1)
    ka = 0.9
    states = solve(layout, constant_rates(1, 1, ka=ka, ke=0.0), dose_at_zero(layout, 0))
    x = ka * HOURS.numpy()
    absorbed = 100 * (1 - np.exp(-x) * (1 + x + x**2 / 2))
    assert largest_relative_error(states[0, :, layout.central], absorbed) < 1e-9


def test_repeated_doses_superpose():
    layout = Layout(0, 1)
    rates = constant_rates(1, 1, ka=1.1, ke=0.15, k_out=0.3, k_in=0.1)
    single = dose_at_zero(layout, layout.gut)
    repeated = single.clone()
    repeated[:, 16, layout.gut] = 60.0
    one = solve(layout, rates, single)[0, :, layout.central]
    both = solve(layout, rates, repeated)[0, :, layout.central]
    shifted = torch.cat([torch.zeros(16, dtype=torch.float64), one[:-16]]) * 0.6
    assert torch.allclose(both, one + shifted, rtol=1e-10, atol=0)


def random_rates(n: int, layout: Layout, seed: int) -> Rates:
    """Log-uniform over five decades, stiff ones included, new in every interval."""
    g = torch.Generator().manual_seed(seed)
    shape = (n, len(HOURS) - 1)

    def draw(*more: int) -> torch.Tensor:
        middle = 10 ** (4 * torch.rand((n, 1, *more), generator=g, dtype=torch.float64) - 2.5)
        return middle * torch.exp(
            0.3 * torch.randn((*shape, *more), generator=g, dtype=torch.float64)
        )

    ke = draw()
    share = torch.rand((n, 1), generator=g, dtype=torch.float64).expand(shape)
    return Rates(
        ka=draw(),
        ke=ke,
        k_out=draw(layout.peripherals),
        k_in=draw(layout.peripherals),
        k_form=ke * share,
        km=draw(),
        first_pass=share,
    )


def test_random_stiff_systems_agree_with_radau():
    layout = Layout(1, 2)
    rates = random_rates(5, layout, seed=3)
    jumps = dose_at_zero(layout, 0).expand(5, -1, -1)
    matrix = generator_matrix(rates, layout)
    states = solve(layout, rates, jumps)
    for i in range(5):
        x = jumps[i, 0].numpy()
        for k in range(8):  # piecewise constant rates: a restart at every interval
            a = matrix[i, k].numpy()
            x = solve_ivp(
                lambda _, y, a=a: a @ y, (0, 0.5), x, "Radau", rtol=1e-10, atol=1e-13, jac=a
            ).y[:, -1]
            keep = x > 1e-7
            assert np.max(np.abs(states[i, k + 1].numpy()[keep] / x[keep] - 1)) < 1e-3


@pytest.mark.parametrize("transits, peripherals", [(0, 1), (2, 2), (4, 3)])
def test_a_thousand_stiff_systems_agree_with_the_matrix_exponential(transits, peripherals):
    layout, n = Layout(transits, peripherals), 1000
    rates = random_rates(n, layout, seed=7)
    jumps = dose_at_zero(layout, 0).expand(n, -1, -1)
    states = solve(layout, rates, jumps)
    matrix = generator_matrix(rates, layout)
    x = jumps[:, 0]
    for k in range(6):
        x = (torch.matrix_exp(0.5 * matrix[:, k]) @ x[..., None])[..., 0]
        keep = x > 1e-4  # a millionth of the dose
        assert float((states[:, k + 1][keep] / x[keep] - 1).abs().max()) < 1e-3


def test_thousands_of_random_systems_keep_their_mass():
    layout = Layout(2, 2)
    n = 2000
    rates = random_rates(n, layout, seed=5)
    closed = Rates(**{**vars(rates), "ke": rates.k_form, "km": torch.zeros_like(rates.km)})
    states = solve(layout, closed, dose_at_zero(layout, 0).expand(n, -1, -1))
    assert torch.isfinite(states).all() and (states >= 0).all()
    # Nothing leaves: elimination of the parent is formation of a metabolite that stays.
    total = states[..., :-1].sum(-1)
    assert torch.allclose(total, torch.full_like(total, 100.0), rtol=1e-9)


def test_no_time_no_change():
    layout = Layout(1, 2)
    rates = random_rates(5, layout, seed=1)
    jumps = torch.rand(5, len(HOURS), layout.size, dtype=torch.float64)
    states = propagate(rates, layout, torch.zeros(5, len(HOURS) - 1, dtype=torch.float64), jumps)
    assert torch.allclose(states, jumps.cumsum(1), rtol=1e-11)
