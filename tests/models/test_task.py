"""Simulated studies as tasks: who is a target, who is context, what is shown."""

from dataclasses import fields

import pytest
import torch

from agmpk.models.flow import FlowConfig, FlowModel
from agmpk.models.task import Task, tasks_from_simulation
from agmpk.prior.config import load_prior
from agmpk.prior.simulate import simulate_block


@pytest.fixture(scope="module")
def studies():
    return simulate_block(load_prior("extended"), 5, 0)


def tasks(studies, seed: int = 0, targets: int = 3) -> Task:
    return tasks_from_simulation(studies, targets, 8, torch.Generator().manual_seed(seed))


def test_everybody_is_target_or_context(studies):
    task = tasks(studies)
    points = task.target_mask.sum((1, 2)) + task.context_mask.sum((1, 2))
    assert torch.all(points <= studies.quantified.sum((1, 2)))
    people = task.target_mask.any(-1).sum(-1) + task.context_mask.any(-1).sum(-1)
    assert torch.equal(people, (studies.quantified.any(-1)).sum(-1))


def test_small_studies_keep_a_context(studies):
    for size in (1, 2, 3, 5, 9):
        few = torch.arange(studies.present.shape[1]) < size
        part = {f.name: getattr(studies, f.name) for f in fields(studies)}
        part["present"] = studies.present & few
        part["quantified"] = studies.quantified & few[:, None]
        task = tasks(type(studies)(**part))
        full = studies.present.sum(-1) >= size
        targets = task.target_mask.any(-1).sum(-1)[full]
        context = task.context_mask.any(-1).sum(-1)[full]
        assert int(targets.max()) == min(3, max(1, size // 2))
        assert int(context.max()) == size - min(3, max(1, size // 2))
        loss = FlowModel(FlowConfig(16, 1, 1)).loss(task, torch.Generator().manual_seed(0))
        assert bool(torch.isfinite(loss))


def test_a_target_without_context_shows_a_point(studies):
    part = {f.name: getattr(studies, f.name) for f in fields(studies)}
    first = torch.arange(studies.present.shape[1]) < 1
    part["present"], part["quantified"] = (
        first & studies.present,
        (studies.quantified & first[:, None]),
    )
    task = tasks(type(studies)(**part))
    shown = task.target_mask.any(-1)
    assert bool(task.prefix_mask.any(-1)[shown].all()) and not bool(task.context_mask.any())


def test_prefixes_are_short_enough_and_one_in_five_is_empty(studies):
    lengths = []
    for seed in range(20):
        task = tasks(studies, seed)
        count, prefix = task.target_mask.sum(-1), task.prefix_mask.sum(-1)
        assert torch.all(prefix[count > 0] < count[count > 0]) and int(prefix.max()) <= 8
        lengths.append(prefix[count > 8])
    lengths = torch.cat(lengths)
    assert abs(float((lengths == 0).double().mean()) - 0.2) < 0.03
    assert abs(float((lengths == 5).double().mean()) - 0.1) < 0.03


def test_trimming_changes_no_answer(studies):
    task = tasks(studies)[:6]
    small = task.trimmed()
    assert small.context_times.numel() < task.context_times.numel()
    model = FlowModel(FlowConfig(16, 1, 1)).double().eval()
    torch.manual_seed(0)
    for parameter in model.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    B, R, T = task.target_times.shape
    kept = slice(None), slice(None, small.target_times.shape[1])
    noise = torch.randn(2, B, R, T, dtype=torch.float64)

    class OneLook:
        def __init__(self, noise):
            self.noise = noise

        def sample(self, predict, reference, samples, generator, steps):
            return predict(reference.draw(self.noise), 0.5)

    T = small.target_times.shape[-1]
    full = model.sample(task, 2, None, transport=OneLook(noise))[:, *kept, :T]
    less = model.sample(small, 2, None, transport=OneLook(noise[:, *kept, :T]))
    free = small.target_mask.expand_as(less)
    assert torch.allclose(full[free], less[free], rtol=1e-9)


def test_logs_are_normalized_by_the_dose_and_the_schedule_is_kept(studies):
    task = tasks(studies)
    assert torch.equal(task.interval, studies.interval)
    assert torch.equal(task.additional, studies.additional)
    y = torch.exp(task.target_logs + task.target_dose[..., None])[task.target_mask]
    taken = studies.concentration[:, :3][studies.quantified[:, :3]]
    assert set(y.log().round(decimals=6).tolist()) <= set(taken.log().round(decimals=6).tolist())
