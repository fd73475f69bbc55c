"""The Transformer: no study level, and a Gaussian whose mean can be learned."""

from dataclasses import replace

import pytest
import torch

from agmpk.errors import AgmpkError
from agmpk.models.gaussian import antithetic, curve_loss
from agmpk.models.task import Task, tasks_from_simulation
from agmpk.models.transformer import TransformerConfig, TransformerModel
from agmpk.prior.preset import load_prior
from agmpk.prior.simulate import simulate_block


def tiny() -> TransformerModel:
    torch.manual_seed(1)
    return TransformerModel(TransformerConfig(32, 1, 2))


@pytest.fixture(scope="module")
def task() -> Task:
    studies = simulate_block(load_prior("extended"), 5, 0)
    task = tasks_from_simulation(studies, 3, 8, torch.Generator().manual_seed(2))
    enough = (task.target_mask.sum(-1) > 6).all(-1)
    task = task[torch.where(enough)[0][:4]]
    position = torch.arange(task.target_mask.shape[-1])
    shown = torch.tensor([1, 2, 4])
    return replace(task, prefix_mask=task.target_mask & (position < shown[:, None]))


def trained(task: Task, steps: int, rate: float = 3e-3) -> TransformerModel:
    model = tiny()
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    for _ in range(steps):
        loss = model.loss(task, torch.Generator())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def test_the_context_is_never_seen(task):
    model = trained(task, 5)
    other = replace(
        task,
        context_logs=task.context_logs + 3.0,
        context_times=task.context_times * 2,
        context_mask=torch.zeros_like(task.context_mask),
        context_dose=task.context_dose - 1.0,
    )

    def answer(task):
        draws = model.sample(task, 4, torch.Generator().manual_seed(0))
        return draws, model.loss(task, torch.Generator())

    assert torch.equal(answer(task)[0], answer(other)[0])
    assert torch.equal(answer(task)[1], answer(other)[1])


def test_without_any_prefix_it_refuses_and_with_some_it_says_where(task):
    model = tiny()
    nobody = replace(task, prefix_mask=torch.zeros_like(task.prefix_mask))
    with pytest.raises(AgmpkError, match="cannot forecast without a prefix"):
        model.sample(nobody, 2, torch.Generator())
    some = replace(task, prefix_mask=task.prefix_mask.clone())
    some.prefix_mask[0] = False
    draws = model.sample(some, 2, torch.Generator().manual_seed(0))
    assert draws[:, 0].isnan().all()
    assert torch.isfinite(draws[:, 1:][task.target_mask[1:].expand(2, -1, -1, -1)]).all()


def test_targets_without_a_prefix_do_not_count_in_the_loss(task):
    model = trained(task, 3)
    some = replace(task, prefix_mask=task.prefix_mask.clone())
    some.prefix_mask[0] = False
    expected = model.loss(task[1:], torch.Generator())
    assert torch.allclose(model.loss(some, torch.Generator()), expected, rtol=1e-5)


def test_the_mean_of_the_samples_is_the_mean_of_the_gaussian(task):
    model = trained(task, 5).double()
    task = replace(task, **{f: v.double() for f, v in vars(task).items() if v.is_floating_point()})
    few = model.sample(task, 2, torch.Generator().manual_seed(0)).mean(0)
    many = model.sample(task, 40, torch.Generator().manual_seed(1)).mean(0)
    assert torch.allclose(few[task.target_mask], many[task.target_mask], atol=1e-10)


def test_antithetic_noise_is_standard_normal():
    noise = antithetic(4001, torch.zeros(20), torch.Generator().manual_seed(0))
    assert noise.shape == (4001, 20)
    assert abs(float(noise.std()) - 1) < 0.01
    assert torch.equal(noise[:2000], -noise[2001:])


def test_the_likelihood_is_averaged_over_points_then_curves():
    g = torch.Generator().manual_seed(0)
    mean, x = torch.randn(3, 5, generator=g), torch.randn(3, 5, generator=g)
    sd = torch.rand(3, 5, generator=g) + 0.5
    free = torch.tensor([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]).bool()
    constant = 0.5 * torch.log(torch.tensor(2 * torch.pi))
    nll = -torch.distributions.Normal(mean, sd).log_prob(x) - constant
    expected = (nll[0, :2].mean() + nll[1].mean()) / 2
    assert torch.allclose(curve_loss(mean, sd, x, free), expected)


def test_a_mono_exponential_decline_is_learned(task):
    """Bolus curves ln y = a - k t with k in a narrow band: the answer is known to be a line."""
    g = torch.Generator().manual_seed(0)
    B, R, T = 32, 3, 10
    times = torch.linspace(1, 10, T).expand(B, R, T)
    k = 0.2 + 0.6 * torch.rand(B, R, 1, generator=g)
    logs = torch.randn(B, R, 1, generator=g) - k * times
    every = torch.ones(B, R, T, dtype=torch.bool)
    values = {f: v[:1].expand(B, *v.shape[1:]) for f, v in vars(task).items()}
    values |= {
        "target_times": times,
        "target_logs": logs,
        "target_mask": every,
        "prefix_mask": every & (torch.arange(T) < 3),
        "target_dose": torch.zeros(B, R),
    }
    line = Task(**values)
    model = trained(line[:24], 60).eval()
    held_out = line[24:]
    free = held_out.target_mask & ~held_out.prefix_mask
    mean = model.sample(held_out, 2, torch.Generator()).mean(0)
    error = (mean - held_out.target_logs)[free].square().mean().sqrt()
    last = held_out.target_logs[..., 2:3]
    carried = (last - held_out.target_logs)[free].square().mean().sqrt()
    average = last - 0.5 * (held_out.target_times - held_out.target_times[..., 2:3])
    assert error < 0.2 * carried
    assert error < (average - held_out.target_logs)[free].square().mean().sqrt()
