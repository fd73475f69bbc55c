"""The models without a study level: two scalars of the context and nothing more, and a Gaussian
whose mean can be learned."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from agmpk.errors import AgmpkError
from agmpk.models.heads import antithetic, beta_loss
from agmpk.models.node import NodeConfig
from agmpk.models.own_frame import OwnFrame
from agmpk.models.registry import build_model
from agmpk.models.task import Record, Task
from agmpk.models.transformer import TransformerConfig

KINDS = {
    "transformer": lambda **more: build_model("transformer", TransformerConfig(32, 1, 2, **more)),
    "node": lambda **more: build_model("node", NodeConfig(32, 8, 6, **more)),
}


@pytest.fixture(scope="module")
def task(make_task) -> Task:
    return make_task(studies=6, shared=True)


def loudest(context: Record) -> torch.Tensor:
    """The place [B] of each context's highest quantified value per typical dose."""
    typical = torch.where(context.dosed, context.dose_amount.clamp(min=1e-30).log(), 0.0).sum(-1)
    height = context.logs - (typical / context.dosed.sum(-1).clamp(min=1))[..., None]
    return torch.where(context.quantified, height, -torch.inf).flatten(1).argmax(1)


@pytest.mark.parametrize("kind", KINDS)
def test_of_the_context_only_the_maximum_and_the_last_time_are_seen(kind, task, moved):
    model = moved(KINDS[kind]())
    free = task.asked & task.prefix.any(-1, keepdim=True)
    before = model.mean(task)[free]
    top, rows = loudest(task.context), torch.arange(len(task))
    lower = task.context.logs - 1.0
    lower.flatten(1)[rows, top] += 1.0
    # All other values and the times before the last are changed; who they belong to as well.
    last = torch.where(task.context.mask, task.context.times, 0.0).flatten(1).amax(1)
    early = task.context.times < last[:, None, None]
    times = torch.where(early, task.context.times * 0.9, task.context.times)
    other = replace(task.context, logs=lower, times=times)[:, [2, 0, 1, 4, 3]]
    assert torch.allclose(model.mean(replace(task, context=other))[free], before, atol=1e-12)
    for changed in (
        replace(task.context, logs=task.context.logs + 0.5),
        replace(task.context, times=task.context.times * 2),
    ):
        assert not torch.allclose(model.mean(replace(task, context=changed))[free], before)


@pytest.mark.parametrize("kind", KINDS)
def test_prefix_only_never_sees_the_context(kind, task, moved):
    model = moved(KINDS[kind](scalars=False))
    context = replace(task.context, logs=task.context.logs + 3, times=task.context.times * 2)
    other = replace(task, context=context)
    free = task.asked & task.prefix.any(-1, keepdim=True)
    assert torch.equal(model.mean(task)[free], model.mean(other)[free])
    g = torch.Generator()
    assert torch.equal(model.loss(task, g), model.loss(other, g))


def test_the_scalars_are_the_contexts_maximum_for_the_targets_dose_and_its_last_time(task):
    """The published scaling: y over the context's maximum, t over its last time."""
    frame = OwnFrame(task, True)
    for b in range(len(task)):
        seen, here = task.context.quantified[b], task.context
        if not seen.any():
            continue
        hours = float(here.times[b][here.mask[b]].max())
        assert np.allclose(frame.scale[b], hours)
        # Doses are shared, so the maximum needs no correction.
        top = float(here.logs[b][seen].max())
        for r in range(task.prefix.shape[1]):
            if task.prefix[b, r].any():
                shown = task.target.logs[b, r][task.prefix[b, r]]
                expected = np.clip(float(shown[-1]) - top, -12, 12) / 3
                assert np.isclose(float(frame.whole[b, r, 0]), expected)
    twice = replace(task, target=replace(task.target, dose_amount=task.target.dose_amount * 2))
    there = frame.answerable & frame.whole[..., 4].bool()
    moved = (OwnFrame(twice, True).whole - frame.whole)[..., 0][there]
    assert torch.allclose(moved, torch.full_like(moved, -math.log(2) / 3))


@pytest.mark.parametrize("kind", KINDS)
def test_without_any_prefix_it_refuses_and_with_some_it_says_where(kind, task, moved):
    model = moved(KINDS[kind]())
    none = torch.zeros_like(task.prefix)
    nobody = replace(task, prefix=none, asked=task.target.mask)
    for answer in (lambda: model.sample(nobody, 2, torch.Generator()), lambda: model.mean(nobody)):
        with pytest.raises(
            AgmpkError, match=f"The {kind} model .* without a prefix: give at least"
        ):
            answer()
    some = replace(task, prefix=task.prefix.clone())
    some.prefix[0] = False
    assert some.prefix.any() and model.mean(some)[0][some.asked[0]].isnan().all()
    told = some.asked & some.prefix.any(-1, keepdim=True)
    assert torch.isfinite(model.mean(some)[told]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_targets_without_a_prefix_do_not_count_in_the_loss(kind, task, moved):
    model = moved(KINDS[kind]())
    some = replace(task, prefix=task.prefix.clone())
    some.prefix[0] = False
    assert torch.allclose(
        model.loss(some, torch.Generator()), model.loss(task[1:], torch.Generator())
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_of_an_even_number_of_samples_is_the_mean(kind, task, moved):
    model = moved(KINDS[kind]())
    free = task.asked & task.prefix.any(-1, keepdim=True)
    few = model.sample(task, 2, torch.Generator().manual_seed(0)).mean(0)
    assert torch.allclose(few[free], model.mean(task)[free], atol=1e-10)


def test_antithetic_noise_is_standard_normal():
    noise = antithetic(4001, (20,), torch.Generator().manual_seed(0), torch.zeros(()))
    assert noise.shape == (4001, 20)
    assert abs(float(noise.std()) - 1) < 0.01
    assert torch.equal(noise[:2000], -noise[2001:])


def test_the_likelihood_is_averaged_over_points_then_curves_and_weighted_by_the_sd():
    g = torch.Generator().manual_seed(0)
    mean, x = torch.randn(3, 5, generator=g), torch.randn(3, 5, generator=g)
    sd = torch.rand(3, 5, generator=g) + 0.5
    free = torch.tensor([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]).bool()
    constant = 0.5 * torch.log(torch.tensor(2 * torch.pi))
    nll = -torch.distributions.Normal(mean, sd).log_prob(x) - constant
    for beta, weight in ((0.0, 1.0), (0.5, 3.0 * sd)):
        weighted = nll * weight
        expected = (weighted[0, :2].mean() + weighted[1].mean()) / 2
        assert torch.allclose(beta_loss(mean, sd, x, free, beta, 3.0), expected)


def lines(curves: int) -> Task:
    """Bolus curves ln y = a - k t with k in a narrow band: the answer is known to be a line."""
    g = torch.Generator().manual_seed(0)
    B, R, T = curves, 3, 10
    times = torch.linspace(1, 10, T).expand(B, R, T)
    k = 0.2 + 0.6 * torch.rand(B, R, 1, generator=g)
    every, dose = torch.ones(B, R, T, dtype=torch.bool), torch.ones(B, R, 1)
    people = Record(
        times, torch.randn(B, R, 1, generator=g) - k * times, every, ~every,
        0 * dose, dose, 0 * dose, dose < 0, dose > 0,
    )  # fmt: skip
    prefix = every & (torch.arange(T) < 3)
    return Task(people, people, prefix, ~prefix, torch.full((B,), torch.nan))


@pytest.mark.parametrize("kind", KINDS)
def test_a_mono_exponential_decline_is_learned(kind):
    task = lines(32)
    torch.manual_seed(1)
    model = KINDS[kind]()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(80):
        loss = model.loss(task[:24], torch.Generator())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    held = task[24:]
    free, logs = held.asked, held.target.logs
    error = (model.mean(held) - logs)[free].square().mean().sqrt()
    last = logs[..., 2:3]
    carried = (last - logs)[free].square().mean().sqrt()
    average = last - 0.5 * (held.target.times - held.target.times[..., 2:3])
    assert error < 0.2 * carried
    assert error < (average - logs)[free].square().mean().sqrt()
