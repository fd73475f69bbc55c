"""NODE-PK: no study level, and a differential equation that is solved as well as claimed."""

from dataclasses import replace

import pytest
import torch
from torchdiffeq import odeint

from agmpk.errors import AgmpkError
from agmpk.models.dosing import since_dose
from agmpk.models.latent_ode import grid_times, hermite, to_grid
from agmpk.models.node import NodeConfig, NodeModel
from agmpk.models.own_frame import own_frame
from agmpk.models.task import Task, tasks_from_simulation
from agmpk.prior.preset import load_prior
from agmpk.prior.simulate import simulate_block


@pytest.fixture(scope="module")
def task() -> Task:
    studies = simulate_block(load_prior("extended"), 5, 0)
    task = tasks_from_simulation(studies, 3, 8, torch.Generator().manual_seed(2))
    enough = (task.target_mask.sum(-1) > 6).all(-1)
    task = task[torch.where(enough)[0][:4]]
    position = torch.arange(task.target_mask.shape[-1])
    shown = torch.tensor([1, 2, 4])
    return replace(task, prefix_mask=task.target_mask & (position < shown[:, None]))


def random_model(steps: int = 24) -> NodeModel:
    torch.manual_seed(1)
    model = NodeModel(NodeConfig(16, latent=4, steps=steps)).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn(parameter.shape, dtype=torch.float64))
    return model


def test_the_context_is_never_seen(task):
    model = random_model()
    other = replace(
        task,
        context_logs=task.context_logs + 3.0,
        context_times=task.context_times * 2,
        context_mask=torch.zeros_like(task.context_mask),
        context_dose=task.context_dose - 1.0,
    )

    def answer(task):
        draws = model.sample(task, 4, torch.Generator().manual_seed(0))
        return draws[draws.isfinite()], model.loss(task, torch.Generator())

    assert torch.equal(answer(task)[0], answer(other)[0])
    assert torch.equal(answer(task)[1], answer(other)[1])


def test_without_any_prefix_it_refuses(task):
    nobody = replace(task, prefix_mask=torch.zeros_like(task.prefix_mask))
    with pytest.raises(AgmpkError, match="cannot forecast without a prefix"):
        random_model().sample(nobody, 2, torch.Generator())


def test_fixed_steps_agree_with_an_adaptive_solver(task):
    """With a constant forcing dz/ds = f(z) is autonomous and dopri5 can be told the same."""
    ode = random_model().ode
    with torch.no_grad():
        ode.forcing.weight.zero_()
        ode.out.weight.mul_(8)
    frame = own_frame(task, task.prefix_mask.any(-1))
    g = torch.Generator().manual_seed(3)
    N = len(frame.centre)
    start = torch.randn(N, 4, generator=g, dtype=torch.float64)
    code = torch.randn(N, 16, generator=g, dtype=torch.float64)
    with torch.no_grad():
        found = ode(start, code, frame)
        s, place = to_grid(frame.tau).flatten().unique(return_inverse=True)
        s = torch.cat([torch.zeros(1, dtype=torch.float64), s])
        exact = odeint(lambda _, z: ode.rate(z, ode.code(code)), start, s, rtol=1e-10, atol=1e-10)
        place = place.view(frame.tau.shape) + 1
        exact = exact[place, torch.arange(N)[:, None]]
    assert (exact - start[:, None]).abs().max() > 1  # something happens
    assert torch.allclose(found, exact, rtol=1e-4, atol=1e-4)


def test_more_steps_change_nothing_visible(task):
    coarse, fine = random_model(24), random_model(240)
    fine.load_state_dict(coarse.state_dict())

    def mean(model):
        return model.sample(task, 2, torch.Generator().manual_seed(0)).mean(0)

    assert torch.allclose(mean(coarse), mean(fine), atol=0.01)


def test_the_grid_map_is_undone_by_its_times():
    tau = grid_times(31)
    assert torch.allclose(to_grid(tau), torch.linspace(0, 1, 31, dtype=tau.dtype), atol=1e-6)
    assert (tau.diff() > 0).all() and tau[0] == 0 and tau[-1] == 1


def test_interpolation_is_exact_for_a_cubic():
    steps, s = 5, torch.tensor([[0.0, 0.13, 0.5, 0.99, 1.0]], dtype=torch.float64)
    nodes = torch.linspace(0, 1, steps + 1, dtype=torch.float64)[None, :, None]
    cubic, slope = 2 * nodes**3 - nodes**2 + 4, 6 * nodes**2 - 2 * nodes
    expected = (2 * s**3 - s**2 + 4)[..., None]
    assert torch.allclose(hermite(cubic, slope, s, steps), expected, atol=1e-12)


def test_the_last_dose_is_found(task):
    """Three doses every 12 h (two additional): 30 h is 6 h after the third, 60 h is 36 h after."""
    repeated = replace(
        task[:1], interval=torch.tensor([12.0]).double(), additional=torch.tensor([2])
    )
    times = torch.tensor([[[3.0, 12.0, 30.0, 60.0]]], dtype=torch.float64)
    since, number = since_dose(repeated, times)
    assert since.flatten().tolist() == [3.0, 0.0, 6.0, 36.0]
    assert number.flatten().tolist() == [1.0, 2.0, 3.0, 3.0]
    since, number = since_dose(task[:1], times)
    assert torch.equal(since, times) and torch.equal(number, torch.ones_like(times))
