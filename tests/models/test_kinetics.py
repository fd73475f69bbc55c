"""Superposition of doses against closed forms and an ordinary differential equation."""

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from agmpk.models.kinetics import curves, rates, superpose
from agmpk.models.task import Record

D = torch.float64
TIMES = np.array([0.0, 0.5, 1.0, 3.0, 6.0, 7.5, 12.0, 12.5, 23.0])


def record(*doses: tuple[float, float, float, bool]) -> tuple[Record, torch.Tensor]:
    """One individual with doses (time, amount, duration, oral), and its amounts."""
    given = [torch.tensor([[list(values)]]) for values in zip(*doses, strict=True)]
    time, amount, duration, oral = given
    times = torch.from_numpy(TIMES)[None, None]
    mask = torch.ones_like(times, dtype=torch.bool)
    one = Record(
        times, 0 * times, mask, ~mask, time.to(D), amount.to(D), duration.to(D), oral,
        torch.ones_like(oral),
    )  # fmt: skip
    return one, amount.to(D)


@pytest.fixture(scope="module")
def grid() -> tuple[np.ndarray, np.ndarray]:
    ke, ka = rates(torch.zeros((), dtype=D))
    return ke.numpy(), ka.numpy()


def test_one_oral_dose_is_the_bateman_function(grid):
    ke, ka = grid
    one, amount = record((0.0, 2.0, 0.0, True))
    oral, vein = superpose(one, amount, one.times)
    e, a, t = ke[:, None], ka[None], TIMES[:, None, None]
    expected = 2 * a / (a - e) * (np.exp(-e * t) - np.exp(-a * t))
    assert np.allclose(oral[0, 0], expected, atol=1e-12) and not vein.any()


def test_one_bolus_and_one_infusion_are_exponentials(grid):
    ke, _ = grid
    t = TIMES[:, None]
    one, amount = record((0.0, 3.0, 0.0, False))
    oral, vein = superpose(one, amount, one.times)
    expected = np.where(t > 0, 3 * np.exp(-ke * t), 0.0)  # a sample at the dose comes before it
    assert np.allclose(vein[0, 0, ..., 0], expected, atol=1e-12) and not oral.any()
    one, amount = record((0.0, 3.0, 2.0, False))
    vein = superpose(one, amount, one.times)[1]
    on = 3 / (2 * ke) * (1 - np.exp(-ke * np.minimum(t, 2)))
    expected = on * np.exp(-ke * np.clip(t - 2, 0, None))
    assert np.allclose(vein[0, 0, ..., 0], expected, atol=1e-12)


MANY = ((0.0, 5.0, 0.0, True), (4.0, 2.0, 1.5, False), (7.0, 3.0, 0.0, True), (12.0, 1.0, 0, False))


def test_any_list_of_doses_solves_the_differential_equation(grid):
    """Gut and central amounts from dose to dose, integrated by LSODA; doses enter as jumps, the
    infusion as a rate.  The sample at 12 h is the trough before the last dose."""
    ke, ka = grid
    one, amount = record(*MANY)
    oral, vein = superpose(one, amount, one.times)
    found = (oral + vein)[0, 0].numpy()
    for e, a in ((1, 3), (6, 0), (3, 6)):
        k_e, k_a = ke[e], ka[a]

        def rate(t, y, k_e=k_e, k_a=k_a, into=0.0):
            return [-k_a * y[0], k_a * y[0] - k_e * y[1] + into]

        y, now, values = [5.0, 0.0], 0.0, np.zeros(len(TIMES))
        for end, into, gut, central in (
            (4.0, 0.0, 0, 0),
            (5.5, 2 / 1.5, 0, 0),
            (7.0, 0.0, 3, 0),
            (12.0, 0.0, 0, 1),
            (24.0, 0.0, 0, 0),
        ):
            inside = (now < TIMES) & (TIMES <= end)
            at = np.union1d(TIMES[inside], [end])
            way = solve_ivp(
                rate, (now, end), y, "LSODA", at, rtol=1e-10, atol=1e-12, args=(k_e, k_a, into)
            )
            values[inside] = np.interp(TIMES[inside], way.t, way.y[1])
            y, now = [way.y[0, -1] + gut, way.y[1, -1] + central], end
        assert np.allclose(found[:, e, a], values, rtol=1e-6, atol=1e-9)


def test_the_order_in_which_rates_are_laid_out(grid):
    ke, ka = grid
    one, amount = record(*MANY)
    oral, vein = superpose(one, amount, one.times)
    logs = curves(one, amount, one.times, torch.full((1, len(ke) * len(ka)), 0.5, dtype=D))
    expected = (0.5 * oral + vein)[0, 0, 4, 2, 3].log()
    assert torch.allclose(logs[0, 0, 4, 2 * len(ka) + 3], expected)


def test_padding_of_doses_is_invisible():
    one, amount = record(*MANY)
    padded = Record(
        **{
            n: torch.nn.functional.pad(v, (0, 3)) if n.startswith("dose") else v
            for n, v in vars(one).items()
        }
    )
    more = torch.nn.functional.pad(amount, (0, 3))
    for before, after in zip(
        superpose(one, amount, one.times), superpose(padded, more, one.times), strict=True
    ):
        assert torch.allclose(before, after, rtol=1e-12)
