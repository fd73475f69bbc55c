"""AICMET: a set of individuals, a consistent process, and its latent variables."""

from dataclasses import replace

import pytest
import torch
from torch.distributions import Independent, kl_divergence
from torch.distributions import Normal as Reference

from agmpk.models.aicmet import AicmetConfig, AicmetModel
from agmpk.models.frame import to_frame
from agmpk.models.latent import Normal
from agmpk.models.task import Task, tasks_from_simulation
from agmpk.prior.preset import load_prior
from agmpk.prior.simulate import simulate_block


@pytest.fixture(scope="module")
def model() -> AicmetModel:
    torch.manual_seed(1)
    model = AicmetModel(AicmetConfig(16, 2, 2, 2, latent=4)).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn(parameter.shape, dtype=torch.float64))
    return model


@pytest.fixture(scope="module")
def task() -> Task:
    """Three simulated studies, float64, with prefixes of 0 and more among the targets."""
    studies = simulate_block(load_prior("extended"), 5, 0)
    task = tasks_from_simulation(studies, 3, 8, torch.Generator().manual_seed(2))
    rich = (task.context_mask.any(-1).sum(-1) >= 4) & (task.target_mask.sum(-1) > 6).all(-1)
    task = task[torch.where(rich)[0][:3]]
    position = torch.arange(task.target_mask.shape[-1])
    shown = torch.tensor([0, 2, 4])
    return replace(task, prefix_mask=task.target_mask & (position < shown[:, None]))


def draw(model, task):
    found = model.sample(task, 4, torch.Generator().manual_seed(0))
    return torch.where(task.target_mask, found, 0.0)


def loss(model, task):
    return model.loss(task, torch.Generator().manual_seed(0))


def with_context(task: Task, order: torch.Tensor) -> Task:
    names = [name for name in vars(task) if name.startswith("context_")]
    return replace(task, **{name: getattr(task, name)[:, order] for name in names})


def test_individuals_of_the_context_have_no_order(model, task):
    J = task.context_mask.shape[1]
    shuffled = with_context(task, torch.randperm(J, generator=torch.Generator().manual_seed(3)))
    assert torch.allclose(draw(model, task), draw(model, shuffled), atol=1e-10)
    assert torch.allclose(loss(model, task), loss(model, shuffled), atol=1e-10)


def test_padding_of_the_context_is_invisible(model, task):
    padded = {}
    for name in ("context_times", "context_logs", "context_mask"):
        junk = 0 if name == "context_mask" else 7.0
        padded[name] = torch.nn.functional.pad(getattr(task, name), (0, 2, 0, 2), value=junk)
    padded["context_dose"] = torch.nn.functional.pad(task.context_dose, (0, 2), value=5.0)
    padded = replace(task, **padded)
    assert torch.allclose(draw(model, task), draw(model, padded), atol=1e-10)
    assert torch.allclose(loss(model, task), loss(model, padded), atol=1e-10)


def test_the_order_of_targets_means_nothing(model, task):
    """The bound is a sum over exchangeable targets; noise is drawn per target, so it moves too."""
    frame = to_frame(task)
    names = [n for n in vars(task) if n.startswith("target_") or n == "prefix_mask"]
    turned = replace(task, **{n: getattr(task, n).flip(1) for n in names})
    known, other = (model.encode(t, to_frame(t), whole=True) for t in (task, turned))
    assert torch.allclose(known.study_whole, other.study_whole, atol=1e-10)
    assert torch.allclose(known.whole, other.whole.flip(1), atol=1e-10)
    assert frame.use.any()


def test_the_context_matters(model, task):
    fewer = replace(task, context_mask=task.context_mask.clone())
    fewer.context_mask[:, 0] = False
    assert not torch.allclose(draw(model, task), draw(model, fewer), atol=1e-3)


def test_an_answer_does_not_depend_on_what_else_is_asked(model, task):
    """Given the latent variables the points are independent: marginals are consistent."""
    frame = to_frame(task)
    free = task.target_mask & ~task.prefix_mask
    known = model.encode(task, frame, whole=False)
    g = torch.Generator().manual_seed(1)
    z_s = torch.randn(2, *known.study.shape[:1], 4, generator=g, dtype=torch.float64)
    z_i = torch.randn(2, *free.shape[:2], 4, generator=g, dtype=torch.float64)
    mean, sd = model.decode(task, frame, free, known, z_s, z_i)
    some = free & (torch.arange(free.shape[-1]) % 2 == 0)
    mean_some, sd_some = model.decode(task, frame, some, known, z_s, z_i)
    assert torch.allclose(mean[:, some[free]], mean_some, atol=1e-10)
    assert torch.allclose(sd[:, some[free]], sd_some, atol=1e-10)


def test_a_target_sees_no_other_targets_prefix(model, task):
    other = replace(task, target_logs=task.target_logs.clone())
    other.target_logs[:, 2] += 0.5
    assert torch.equal(draw(model, task)[:, :, :2], draw(model, other)[:, :, :2])
    assert not torch.allclose(draw(model, task)[:, :, 2], draw(model, other)[:, :, 2] - 0.5)


def test_without_context_it_answers_from_the_prefix(model, task):
    alone = replace(task, context_mask=torch.zeros_like(task.context_mask))
    draws = model.sample(alone, 3, torch.Generator().manual_seed(0))
    assert torch.isfinite(draws[:, :, 1:]).all()


def test_both_effects_reach_the_draws(model, task):
    """With other effects the same person has another curve; residual error is not all there is."""
    frame = to_frame(task)
    free = task.target_mask & ~task.prefix_mask
    known = model.encode(task, frame, whole=False)
    z_s, z_i = torch.zeros(1, len(free), 4).double(), torch.zeros(1, *free.shape[:2], 4).double()
    base, _ = model.decode(task, frame, free, known, z_s, z_i)
    for effects in ((z_s + 1, z_i), (z_s, z_i + 1)):
        moved, _ = model.decode(task, frame, free, known, *effects)
        assert (moved != base).all()


def test_the_divergence_is_that_of_normals():
    g = torch.Generator().manual_seed(0)
    a, b = (
        Normal(torch.randn(5, 3, generator=g), torch.rand(5, 3, generator=g) + 0.1)
        for _ in range(2)
    )
    expected = kl_divergence(*(Independent(Reference(one.mean, one.sd), 1) for one in (a, b)))
    assert torch.allclose(a.divergence(b), expected, atol=1e-5)
    assert torch.allclose(a.divergence(a), torch.zeros(5))
