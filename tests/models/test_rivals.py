"""What AICMET, the Transformer and NODE-PK have in common, on random weights where it is exact."""

import math
from dataclasses import replace

import pytest
import torch

from agmpk.models.aicmet import AicmetConfig, AicmetModel
from agmpk.models.node import NodeConfig, NodeModel
from agmpk.models.task import Task, tasks_from_simulation
from agmpk.models.transformer import TransformerConfig, TransformerModel
from agmpk.prior.preset import load_prior
from agmpk.prior.simulate import simulate_block

TINY = {
    "aicmet": (AicmetModel, AicmetConfig(16, 1, 1, 2, latent=4)),
    "transformer": (TransformerModel, TransformerConfig(16, 1, 2)),
    "node": (NodeModel, NodeConfig(16, latent=4, steps=6)),
}


def fresh(kind: str):
    torch.manual_seed(1)
    network, config = TINY[kind]
    return network(config)


@pytest.fixture(scope="module", params=sorted(TINY))
def model(request):
    """Blocks begin as the identity, so every weight is moved for the exact properties."""
    model = fresh(request.param).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn(parameter.shape, dtype=torch.float64))
    return model


@pytest.fixture(scope="module")
def task() -> Task:
    """Four simulated studies with three targets each, float64, two to five points of prefix."""
    studies = simulate_block(load_prior("extended"), 3, 0)
    task = tasks_from_simulation(studies, 3, 8, torch.Generator().manual_seed(2))
    rich = task.context_mask.any(-1).sum(-1) >= 4
    rich &= (task.target_mask.sum(-1) > 7).all(-1)
    task = task[torch.where(rich)[0][:4]]
    position = torch.arange(task.target_mask.shape[-1])
    shown = torch.tensor([[2, 3, 5], [4, 4, 4], [2, 2, 3], [5, 4, 3]])
    return replace(task, prefix_mask=task.target_mask & (position < shown[..., None]))


def draw(model, task: Task, samples: int = 6, seed: int = 0):
    """Draws at the real points; what stands in the padding means nothing."""
    found = model.sample(task, samples, torch.Generator().manual_seed(seed))
    return torch.where(task.target_mask, found, 0.0)


@pytest.mark.parametrize("prefixless", [False, True])
def test_units_change_nothing_but_the_unit(model, task, prefixless):
    if prefixless:
        if not model.generates:
            pytest.skip("does not answer without a prefix")
        task = replace(task, prefix_mask=torch.zeros_like(task.prefix_mask))
    before = draw(model, task)
    up = math.log(1000.0)
    changes = {
        "concentration": dict(
            context_logs=task.context_logs + up, target_logs=task.target_logs + up
        ),
        "dose": dict(
            context_logs=task.context_logs - up,
            target_logs=task.target_logs - up,
            context_dose=task.context_dose + up,
            target_dose=task.target_dose + up,
        ),
        "time": dict(
            context_times=task.context_times * 60,
            target_times=task.target_times * 60,
            duration=task.duration * 60,
            interval=task.interval * 60,
        ),
    }
    shift = {"concentration": up, "dose": -up, "time": 0.0}
    if not model.generates:
        del changes["time"]  # without a study only hours tell how fast drugs are eliminated
    for name, change in changes.items():
        after = draw(model, replace(task, **change))
        expected = torch.where(task.target_mask, before + shift[name], 0.0)
        assert torch.allclose(after, expected, atol=1e-8), name


def test_the_prefix_is_never_changed(model, task):
    draws = model.sample(task, 5, torch.Generator().manual_seed(0))
    seen = task.prefix_mask.expand(5, -1, -1, -1)
    assert torch.equal(draws[seen], task.target_logs.expand_as(seen)[seen])


def test_the_unseen_truth_is_not_read_to_answer(model, task):
    free = task.target_mask & ~task.prefix_mask
    spoiled = replace(task, target_logs=torch.where(free, 99.0, task.target_logs))
    assert torch.equal(draw(model, task), draw(model, spoiled))


def test_padding_of_targets_is_invisible(model, task):
    padded = {}
    for name in ("target_times", "target_logs", "target_mask", "prefix_mask"):
        junk = 7.0 if name in ("target_times", "target_logs") else 0
        padded[name] = torch.nn.functional.pad(getattr(task, name), (0, 3), value=junk)
    wide = draw(model, replace(task, **padded))
    assert torch.allclose(wide[..., :-3], draw(model, task), atol=1e-10)


def test_seed_contract(model, task):
    first = draw(model, task, seed=1)
    assert torch.equal(first, draw(model, task, seed=1))
    assert not torch.allclose(first, draw(model, task, seed=2))
    free = task.target_mask & ~task.prefix_mask
    assert (first[0] != first[1])[free].all()


@pytest.mark.parametrize("hole", ["context", "prefix", "one target", "targets", "everything"])
def test_gradients_are_finite_whatever_is_missing(task, hole):
    task = replace(task, prefix_mask=task.prefix_mask.clone(), target_mask=task.target_mask.clone())
    if hole in ("context", "everything"):
        task = replace(task, context_mask=torch.zeros_like(task.context_mask))
    if hole == "prefix":
        task.prefix_mask[:2] = False
    if hole == "one target":
        task.prefix_mask[0, 1], task.target_mask[0, 1] = False, False
    if hole in ("targets", "everything"):
        none = torch.zeros_like(task.target_mask)
        task = replace(task, target_mask=none, prefix_mask=none)
    for kind in TINY:
        model = fresh(kind).double()
        loss = model.loss(task, torch.Generator().manual_seed(0))
        loss.backward()
        assert torch.isfinite(loss), kind
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                assert torch.isfinite(parameter.grad).all(), (kind, name)


@pytest.mark.parametrize("kind", sorted(TINY))
def test_mixed_precision_gives_the_same_loss_roughly(kind, task):
    task = replace(
        task, **{f: v.float() for f, v in vars(task).items() if v.dtype == torch.float64}
    )
    model = fresh(kind)
    whole = model.loss(task, torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        half = model.loss(task, torch.Generator().manual_seed(0))
    half.backward()
    assert half.dtype == torch.float32
    assert torch.allclose(whole, half, rtol=0.05)


@pytest.mark.parametrize("kind", sorted(TINY))
def test_nothing_asked_nothing_answered(kind, task):
    """Validation asks study by study, and a study may have nothing left to predict."""
    none = torch.zeros_like(task.target_mask[:1])
    empty = replace(task[:1], target_mask=none, prefix_mask=none)
    shape = fresh(kind).double().sample(empty, 3, torch.Generator()).shape
    assert shape == (3, *none.shape)


@pytest.mark.parametrize("kind", sorted(TINY))
def test_training_on_one_batch_lowers_its_loss(kind, task):
    task = replace(
        task, **{f: v.float() for f, v in vars(task).items() if v.dtype == torch.float64}
    )
    model = fresh(kind)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for step in range(40):
        loss = model.loss(task, torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-5:]) / 5 < 0.8 * sum(losses[:3]) / 3


@pytest.mark.parametrize("kind", sorted(TINY))
def test_configurations_survive_a_round_trip(kind):
    config = TINY[kind][1]
    assert type(config)(**config.to_dict()) == config
    assert TINY[kind][0].kind == kind
