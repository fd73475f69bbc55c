"""What every network must do, on random weights, where it is exact.

The kinds of the table are tested alike, so a new one is tested by its row.
"""

import math
from dataclasses import asdict, replace

import pytest
import torch
from scipy.stats import ks_2samp

from agmpk.errors import AgmpkError
from agmpk.models.registry import NETWORKS, build_model, model_classes, model_config
from agmpk.models.task import Record, Task

SMALL = {
    kind: {"width": 96, "sample_width": 32, "encoder_layers": 1, "decoder_layers": 2}
    for kind in ("flow", "diffusion", "aicmet", "set")
}
SMALL |= {
    "aicmet": SMALL["aicmet"] | {"latent": 4},
    "transformer": {"width": 32, "encoder_layers": 1, "decoder_layers": 2},
    "node": {"width": 16, "latent": 4, "steps": 6},
}


def fresh(kind: str) -> torch.nn.Module:
    torch.manual_seed(1)
    return build_model(kind, model_config(kind, SMALL.get(kind, {})))


@pytest.fixture(scope="module", params=NETWORKS)
def model(request, moved):
    return moved(fresh(request.param))


@pytest.fixture(scope="module")
def task(make_task) -> Task:
    return make_task()


def draw(model, task: Task, samples: int = 4, seed: int = 0) -> torch.Tensor:
    """Draws at the real points that it can answer; what stands elsewhere means nothing."""
    found = model.sample(task, samples, torch.Generator().manual_seed(seed))
    return torch.where(answered(model, task), found, 0.0)


def mean(model, task: Task) -> torch.Tensor:
    return torch.where(answered(model, task), model.mean(task), 0.0)


def answered(model, task: Task) -> torch.Tensor:
    some = task.prefix.any(-1, keepdim=True) | torch.tensor(model.generates)
    return (task.prefix | task.asked) & some


def shifted(record: Record, logs: float = 0.0, dose: float = 0.0) -> Record:
    return replace(record, logs=record.logs + logs, dose_amount=record.dose_amount * math.exp(dose))


def test_units_change_nothing_but_the_unit(model, task):
    up = math.log(1000.0)
    before, real = draw(model, task), answered(model, task)
    for change, shift in ((dict(logs=up), up), (dict(dose=up), 0.0)):
        limit = task.limit + change.get("logs", 0.0)
        other = replace(
            task,
            context=shifted(task.context, **change),
            target=shifted(task.target, **change),
            limit=limit,
        )
        expected = torch.where(real, before + shift, 0.0)
        assert torch.allclose(draw(model, other), expected, atol=1e-8), change


def test_individuals_of_the_context_have_no_order(model, task):
    order = torch.randperm(task.context.mask.shape[1], generator=torch.Generator().manual_seed(3))
    other = replace(task, context=task.context[:, order])
    assert torch.allclose(draw(model, task), draw(model, other), atol=1e-9)
    one, two = (model.loss(t, torch.Generator().manual_seed(0)) for t in (task, other))
    assert torch.allclose(one, two, atol=1e-9)


def test_a_hidden_study_changes_nothing(moved, task):
    torch.manual_seed(1)
    config = model_config("flow", SMALL["flow"] | {"use_context": False})
    model = moved(build_model("flow", config))
    others = task.context.each(lambda x: x if x.dtype == torch.bool else 2 * x + 1)
    assert torch.equal(mean(model, task), mean(model, replace(task, context=others)))
    assert not torch.equal(
        mean(moved(fresh("flow")), task), mean(moved(fresh("flow")), replace(task, context=others))
    )


def padded(record: Record, people: int, samples: int, doses: int) -> Record:
    """Padding behind, filled with junk that is marked as nobody's."""

    def pad(name: str, values: torch.Tensor) -> torch.Tensor:
        last = doses if name.startswith("dose") else samples
        junk = False if values.dtype == torch.bool else 7.0
        return torch.nn.functional.pad(values, (0, last, 0, people), value=junk)

    return Record(**{name: pad(name, values) for name, values in vars(record).items()})


def test_padding_is_invisible(model, task):
    wide = replace(
        task,
        context=padded(task.context, 2, 3, 2),
        target=padded(task.target, 0, 3, 2),
        prefix=torch.nn.functional.pad(task.prefix, (0, 3)),
        asked=torch.nn.functional.pad(task.asked, (0, 3)),
    )
    assert torch.allclose(mean(model, task), mean(model, wide)[..., :-3], atol=1e-9)
    assert torch.allclose(mean(model, task), mean(model, wide.trimmed()), atol=1e-9)


def test_studies_together_are_answered_as_alone(model, task):
    together = mean(model, task)
    for b in range(len(task)):
        alone = mean(model, task[b : b + 1].trimmed())
        B, R, T = alone.shape
        assert torch.allclose(together[b : b + 1, :R, :T], alone, atol=1e-9)


def test_what_is_answered_at_a_time_does_not_depend_on_what_else_is_asked(model, task, asking):
    B, R, _ = task.target.times.shape
    times = torch.tensor([1.0, 4.0, 7.5, 11.0, 24.0], dtype=torch.float64).expand(B, R, -1)
    later = torch.tensor([26.0, 40.0, 200.0], dtype=torch.float64).expand(B, R, -1)
    whole = asking(task, times)
    at = whole.asked & (whole.target.times == 7.5)
    expected = mean(model, whole)[at]
    for other in (times[..., 2:3], torch.cat([times, later], -1), times.flip(-1)):
        found = asking(task, other)
        assert torch.allclose(
            mean(model, found)[found.asked & (found.target.times == 7.5)], expected, atol=1e-5
        )


def test_the_law_at_a_time_does_not_depend_on_what_else_is_asked(model, task, asking):
    one = task[1:2]
    times = torch.tensor([3.0, 8.0, 20.0, 30.0], dtype=torch.float64).expand(1, 2, -1)
    alone, among = asking(one, times[..., 1:2]), asking(one, times)
    few, many = draw(model, alone, 1500, 1), draw(model, among, 1500, 2)
    for r in range(2):
        a = few[:, 0, r, -1]
        b = many[:, 0, r, -3]
        assert ks_2samp(a, b).pvalue > 1e-3 or not answered(model, alone)[0, r].any()


def test_the_mean_is_that_of_the_draws(model, task):
    one = task[:2]
    draws, free = draw(model, one, 600), one.asked & answered(model, one)
    noise = 5 * draws.std(0) / math.sqrt(600)
    assert bool(((draws.mean(0) - mean(model, one)).abs() <= noise + 0.02)[free].all())


def test_the_prefix_is_never_changed(model, task):
    draws = model.sample(task, 5, torch.Generator().manual_seed(0))
    seen = task.prefix.expand(5, -1, -1, -1)
    assert torch.equal(draws[seen], task.target.logs.expand_as(seen)[seen])
    assert torch.equal(model.mean(task)[task.prefix], task.target.logs[task.prefix])


def test_the_unseen_truth_is_not_read_to_answer(model, task):
    spoiled = torch.where(task.asked, 99.0, task.target.logs)
    other = replace(task, target=replace(task.target, logs=spoiled))
    assert torch.equal(draw(model, task), draw(model, other))
    assert torch.equal(mean(model, task), mean(model, other))


def test_a_target_sees_no_other_targets(model, task):
    logs = task.target.logs.clone()
    logs[:, 1] += 0.5
    amount = task.target.dose_amount.clone()
    amount[:, 1] *= 2
    other = replace(task, target=replace(task.target, logs=logs, dose_amount=amount))
    assert torch.equal(mean(model, task)[:, 0], mean(model, other)[:, 0])


def test_the_context_is_seen_by_those_who_say_so(model, task):
    fewer = replace(task.context, mask=task.context.mask.clone())
    top = torch.where(fewer.quantified, fewer.logs, -torch.inf).flatten(1).argmax(1)
    fewer.mask.flatten(1)[torch.arange(len(task)), top] = False
    assert not torch.allclose(
        mean(model, task), mean(model, replace(task, context=fewer)), atol=1e-4
    )


def test_seed_contract(model, task):
    first = draw(model, task, seed=1)
    assert torch.equal(first, draw(model, task, seed=1))
    assert not torch.allclose(first, draw(model, task, seed=2))
    free = task.asked & answered(model, task)
    assert (first[0] != first[1])[free].all()
    once = model.loss(task, torch.Generator().manual_seed(5))
    assert torch.equal(once, model.loss(task, torch.Generator().manual_seed(5)))


def without(task: Task, what: str) -> Task:
    """Tasks as bad as real studies get."""
    context, target, none = task.context, task.target, torch.zeros_like(task.prefix)
    if what in ("context", "everything"):
        context = replace(context, mask=torch.zeros_like(context.mask))
    if what == "anybody":
        context = replace(context, mask=0 * context.mask > 0, dosed=0 * context.dosed > 0)
    if what in ("targets", "everything"):
        target = replace(target, mask=none, below=none)
        return replace(task, context=context, target=target, prefix=none, asked=none)
    if what == "prefix":
        return replace(task, prefix=none, asked=target.mask, context=context)
    if what == "one target":
        gone = none | (torch.arange(none.shape[1]) == 1)[:, None]
        target = replace(target, mask=target.mask & ~gone, below=target.below & ~gone)
        return replace(task, target=target, prefix=task.prefix & ~gone, asked=task.asked & ~gone)
    if what == "all but one sample":
        first = torch.arange(context.mask.shape[-1]) == 0
        context = replace(context, mask=context.mask & first, below=context.below & first)
    if what == "values":
        context = replace(context, below=context.mask.clone())
        target = replace(target, below=task.prefix.clone())
    return replace(task, context=context, target=target)


HOLES = (
    "context", "anybody", "prefix", "one target", "targets", "everything", "all but one sample",
    "values",
)  # fmt: skip


@pytest.mark.parametrize("hole", HOLES)
@pytest.mark.parametrize("kind", NETWORKS)
def test_losses_and_gradients_are_finite_whatever_is_missing(kind, hole, task, moved):
    model = moved(fresh(kind), 0.05)
    part = without(task, hole)
    loss = model.loss(part, torch.Generator().manual_seed(0))
    loss.backward()
    assert torch.isfinite(loss)
    for name, parameter in model.named_parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), name
    if model.generates or part.prefix.any():
        part = replace(part, asked=part.asked & answered(model, part))
        assert torch.isfinite(draw(model, part)[:, part.asked]).all()


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_loss_reaches_every_weight(kind, task, moved):
    model = moved(fresh(kind), 0.05)
    model.loss(task, torch.Generator().manual_seed(0)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and bool(parameter.grad.any()), name


@pytest.mark.parametrize("kind", NETWORKS)
def test_mixed_precision_gives_the_same_loss_roughly(kind, task):
    """As on a GPU: a float32 task; the likelihood stays in float32."""
    part, model = task[:2].to(torch.float32), fresh(kind)
    whole = model.loss(part, torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        half = model.loss(part, torch.Generator().manual_seed(0))
    half.backward()
    assert half.dtype == torch.float32
    assert torch.allclose(whole, half, rtol=0.05)


@pytest.mark.parametrize("kind", NETWORKS)
def test_training_on_one_batch_lowers_its_loss(kind, task):
    part, model = task.to(torch.float32), fresh(kind)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)

    def value(seeds: range) -> float:
        with torch.no_grad():
            return sum(float(model.loss(part, torch.Generator().manual_seed(s))) for s in seeds)

    before = value(range(100, 105))
    for step in range(30):
        loss = model.loss(part, torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (before - value(range(100, 105))) / 5 > 0.1


@pytest.mark.parametrize("kind", NETWORKS)
def test_configurations_survive_a_round_trip(kind):
    config = model_config(kind, SMALL.get(kind, {}))
    assert type(config)(**asdict(config)) == config
    assert build_model(kind, config).kind == kind
    with pytest.raises(AgmpkError, match=f"configuration of a {kind} does not know colour"):
        model_config(kind, {"colour": "red"})


def test_an_unknown_kind_is_refused():
    with pytest.raises(AgmpkError, match="no model of kind 'lstm'.*flow"):
        model_classes("lstm")
