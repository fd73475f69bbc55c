"""NODE-PK's differential equation is solved as well as claimed."""

import pytest
import torch
from torchdiffeq import odeint

from agmpk.models.node import LatentODE, NodeConfig, NodeModel, grid_times, hermite, to_grid
from agmpk.models.own_frame import POINT_CHANNELS

D = torch.float64
N = 5


@pytest.fixture(scope="module")
def ode(moved) -> LatentODE:
    torch.manual_seed(1)
    ode = moved(LatentODE(4, 16, 24), 0.15)
    with torch.no_grad():
        ode.out.weight.mul_(8)
    return ode


def inputs(steps: int = 24):
    g = torch.Generator().manual_seed(3)
    start, code = torch.randn(N, 4, generator=g, dtype=D), torch.randn(N, 16, generator=g, dtype=D)
    return start, code, torch.randn(N, 3 * steps + 1, POINT_CHANNELS, generator=g, dtype=D)


def test_the_steps_are_those_of_torchdiffeq(ode):
    """Its ``rk4`` is the 3/8 rule too; the forcing is read at the thirds of each step."""
    start, code, forcing = inputs()
    known = (ode.forcing(forcing) + ode.code(code)[:, None]).transpose(0, 1)

    def rate(s, z):
        return ode.rate(z, known[round(float(s) * 72)])

    grid = torch.linspace(0, 1, 25, dtype=D)
    with torch.no_grad():
        expected = odeint(rate, start, grid, method="rk4")
        assert torch.allclose(ode.integrate(start, known), expected, atol=1e-12)
    assert (expected - start).abs().max() > 1  # something happens


def test_fixed_steps_agree_with_an_adaptive_solver(ode):
    """With a constant forcing dz/ds = f(z) is autonomous and dopri5 can be told the same."""
    start, code, forcing = inputs()
    s = torch.rand(N, 7, generator=torch.Generator().manual_seed(4), dtype=D)
    at, place = torch.cat([torch.zeros(1, dtype=D), s.flatten()]).unique(return_inverse=True)
    with torch.no_grad():
        found = ode(start, code, 0 * forcing, s)
        exact = odeint(lambda _, z: ode.rate(z, ode.code(code)), start, at, rtol=1e-10, atol=1e-10)
    exact = exact[place[1:].view(N, 7), torch.arange(N)[:, None]]
    assert torch.allclose(found, exact, rtol=1e-4, atol=1e-4)


def test_more_steps_change_nothing_visible(make_task, moved):
    task = make_task(doses=1)
    torch.manual_seed(1)
    coarse = moved(NodeModel(NodeConfig(16, latent=4)), 0.15)
    fine = NodeModel(NodeConfig(16, latent=4, steps=160)).double()
    fine.load_state_dict(coarse.state_dict())
    free = task.asked & task.prefix.any(-1, keepdim=True)
    assert torch.allclose(coarse.mean(task)[free], fine.mean(task)[free], atol=0.02)


def test_the_grid_map_is_undone_by_its_times():
    tau = grid_times(31)
    assert torch.allclose(to_grid(tau), torch.linspace(0, 1, 31, dtype=tau.dtype), atol=1e-6)
    assert (tau.diff() > 0).all() and tau[0] == 0 and tau[-1] == 1


def test_interpolation_is_exact_for_a_cubic():
    steps, s = 5, torch.tensor([[0.0, 0.13, 0.5, 0.99, 1.0]], dtype=D)
    nodes = torch.linspace(0, 1, steps + 1, dtype=D)[None, :, None]
    cubic, slope = 2 * nodes**3 - nodes**2 + 4, 6 * nodes**2 - 2 * nodes
    expected = (2 * s**3 - s**2 + 4)[..., None]
    assert torch.allclose(hermite(cubic, slope, s, steps), expected, atol=1e-12)
