"""Symmetries of the flow and the diffusion, which hold exactly for any weights and every option.

So they are tested on random weights.
"""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from agmpk.models.from_study import task_from_study

from agmpk.errors import AgmpkError
from agmpk.forecasting.amortized import AmortizedForecaster
from agmpk.models.diffusion import DiffusionConfig, DiffusionModel
from agmpk.models.flow import FlowConfig, FlowModel
from agmpk.models.transport_model import TransportModel
from agmpk.studies import Individual, Study

OPTIONS = {
    "flow": {},
    "diffusion": {},
    "diffusion sde": {"sampler": "sde"},
    "gp": {"reference": "gp"},
    "white": {"reference": "white"},
    "context": {"reference": "context"},
    "continuum": {"attention": "continuum"},
    "raw": {"scale": "raw"},
    "raw context": {"scale": "raw", "reference": "context"},
    "alone": {"use_context": False},
}


def build(name: str) -> TransportModel:
    size = {"width": 16, "encoder_layers": 2, "decoder_layers": 2}
    torch.manual_seed(1)
    if name.startswith("diffusion"):
        model = DiffusionModel(DiffusionConfig(**size, **OPTIONS[name]))
    else:
        model = FlowModel(FlowConfig(**size, **OPTIONS[name]))
    model = model.double().eval()
    with torch.no_grad():  # blocks begin as identity; make every weight count
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn(parameter.shape, dtype=torch.float64))
    return model


@pytest.fixture(scope="module", params=OPTIONS)
def model(request) -> TransportModel:
    return build(request.param)


@pytest.fixture(scope="module")
def flow() -> TransportModel:
    return build("flow")


def samples(model, data: Study, prefix: int = 4, context: Study | None = None) -> np.ndarray:
    target = data["2"]
    return (
        AmortizedForecaster(model, steps=3)
        .forecast(
            context or data.without("2"), target.prefix(prefix), target.times[prefix:], 6, seed=3
        )
        .samples
    )


def draw(model, task):
    return model.sample(task, 3, torch.Generator().manual_seed(0), steps=2)


@pytest.mark.parametrize("prefix", [0, 1, 4])
@pytest.mark.parametrize("repeat", [0, 3])
def test_units_change_nothing_but_the_unit(model, toy_study, prefix, repeat):
    if not prefix and not model.generates:
        return
    reference = samples(model, toy_study(repeat=repeat), prefix)
    for change, factor in (
        ({"scale": 1000.0}, 1000.0),
        ({"hours": 60.0}, 1.0),
        ({"dose": 1e-3}, 1.0),
    ):
        found = samples(model, toy_study(repeat=repeat, **change), prefix)
        assert np.allclose(found, factor * reference, rtol=1e-9)


@pytest.mark.parametrize("prefix", [0, 4])
def test_individuals_of_the_context_have_no_order(model, toy_study, prefix):
    if not prefix and not model.generates:
        return
    data = toy_study()
    shuffled = Study("toy", tuple(data[i] for i in ("4", "0", "3", "1")), data.units)
    found = samples(model, data, prefix, shuffled)
    assert np.allclose(samples(model, data, prefix), found, rtol=1e-10)


def test_the_context_matters_unless_it_is_hidden(model, toy_study):
    data = toy_study()
    fewer = Study("toy", tuple(data[i] for i in ("4", "0", "3")), data.units)
    same = np.allclose(samples(model, data), samples(model, data, 4, fewer), rtol=1e-3)
    assert same != model.config.use_context


def test_padding_is_invisible(model, toy_study):
    data = toy_study()
    target = data["2"]
    task = task_from_study(data.without("2"), target.prefix(4), target.times[4:])
    padded = {f.name: getattr(task, f.name) for f in fields(task)}
    for name in ("context_times", "context_logs", "context_mask"):
        # Two more samples per individual and one more individual, all marked absent, with junk.
        junk = 7 if name != "context_mask" else 0
        padded[name] = torch.nn.functional.pad(padded[name], (0, 2, 0, 1), value=junk)
    padded["context_dose"] = torch.nn.functional.pad(padded["context_dose"], (0, 1), value=5.0)
    assert torch.allclose(draw(model, task), draw(model, type(task)(**padded)), rtol=1e-10)


def test_the_prefix_is_never_changed(model, toy_study):
    data = toy_study()
    target = data["2"]
    task = task_from_study(data.without("2"), target.prefix(4), target.times[4:])
    draws = draw(model, task)
    assert torch.equal(draws[..., :4], task.target_logs[..., :4].expand(3, -1, -1, -1))
    assert bool(torch.isfinite(draws).all())


def test_the_unseen_truth_is_not_read(model, toy_study):
    data = toy_study()
    target = data["2"]
    task = task_from_study(data.without("2"), target.prefix(4), target.times[4:])
    spoiled = replace(task, target_logs=torch.where(task.prefix_mask, task.target_logs, 99.0))
    assert torch.equal(draw(model, task), draw(model, spoiled))


class OneLook:
    """A transport that asks the network once, from given noise."""

    def __init__(self, noise):
        self.noise = noise

    def sample(self, predict, reference, samples, generator, steps):
        return predict(reference.draw(self.noise), 0.3)


def test_studies_together_are_answered_as_alone(model, toy_study):
    data = toy_study()
    tasks = [
        task_from_study(data.without(one), data[one].prefix(4), data[one].times[4:8])
        for one in ("2", "3")
    ]
    K = max(task.context_times.shape[-1] for task in tasks)
    columns = ("context_times", "context_logs", "context_mask")

    def of(task, name):
        value = getattr(task, name)
        missing = K - value.shape[-1] if name in columns else 0
        return torch.nn.functional.pad(value, (0, missing))

    both = type(tasks[0])(
        **{f.name: torch.cat([of(task, f.name) for task in tasks]) for f in fields(tasks[0])}
    )
    noise = torch.randn((5, 2, 1, 8), generator=torch.Generator().manual_seed(0)).double()
    together = model.sample(both, 5, None, transport=OneLook(noise))
    for b, task in enumerate(tasks):
        alone = model.sample(task, 5, None, transport=OneLook(noise[:, b : b + 1]))
        assert torch.allclose(together[:, b : b + 1], alone, rtol=1e-10)


def test_seed_contract(model, toy_study):
    data = toy_study()
    target, context = data["2"], data.without("2")
    forecaster = AmortizedForecaster(model)

    def answer(seed):
        return forecaster.forecast(context, target.prefix(4), target.times[4:], 4, seed).samples

    assert np.array_equal(answer(1), answer(1)) and not np.allclose(answer(1), answer(2))


def test_the_loss_learns_and_reaches_every_weight(model, toy_study):
    data = toy_study()
    target = data["2"]
    task = task_from_study(data.without("2"), target.prefix(4), target.times[4:])
    logs = torch.from_numpy(np.log(target.concentrations)) - task.target_dose[0, 0]
    task = replace(task, target_logs=logs[None, None])
    model = type(model)(model.config).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def loss(seed):
        return model.loss(task, torch.Generator().manual_seed(seed))

    def now():
        with torch.no_grad():
            return np.mean([float(loss(1000 + seed)) for seed in range(10)])

    before = now()
    for step in range(40):
        optimizer.zero_grad()
        loss(step).backward()
        optimizer.step()
    assert now() < 0.85 * before
    for name, parameter in model.named_parameters():
        if model.config.use_context or "encoder" not in name:
            assert parameter.grad is not None and bool(torch.isfinite(parameter.grad).all()), name


def test_what_it_cannot_answer_is_refused(flow, toy_study):
    data = toy_study()
    target, context = data["2"], data.without("2")
    forecaster = AmortizedForecaster(flow)
    vein = Individual("2", [], [], (type(target.doses[0])(0.0, 1.0, "iv_bolus"),))
    with pytest.raises(AgmpkError, match="one route per study"):
        forecaster.forecast(context, vein, target.times, 2, 0)
    with pytest.raises(AgmpkError, match="extrapolate"):
        forecaster.forecast(context, target.prefix(4), np.array([500.0]), 2, 0)


def test_a_study_of_one_can_be_forecast_from_its_own_prefix(model, toy_study):
    target = toy_study()["2"]
    alone = Study("toy", ())
    answer = AmortizedForecaster(model).forecast(alone, target.prefix(4), target.times[4:], 5, 0)
    assert np.isfinite(answer.samples).all() and (answer.samples > 0).all()
    with pytest.raises(AgmpkError):
        AmortizedForecaster(model).forecast(alone, target.prefix(0), target.times, 5, 0)


def test_a_model_without_context_does_not_generate(toy_study):
    data = toy_study()
    with pytest.raises(AgmpkError, match="needs at least one observation"):
        samples(build("alone"), data, prefix=0)


def test_unknown_options_are_refused():
    for option, value in (
        ("reference", "brownian"),
        ("attention", "linear"),
        ("scale", "sqrt"),
        ("use_context", "perhaps"),
    ):
        with pytest.raises(AgmpkError, match=f"option {option} is '{value}'"):
            FlowConfig(**{option: value})
    with pytest.raises(AgmpkError, match="no sampler"):
        DiffusionConfig(sampler="dpm")


def test_half_precision_products_give_the_same_gradient(toy_study):
    data = toy_study()
    target = data["2"]
    task = task_from_study(data.without("2"), target.prefix(2), target.times[2:])
    model = build("flow").float()

    def gradient(half: bool) -> torch.Tensor:
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = model.loss(task, torch.Generator().manual_seed(0))
        loss.backward()
        return torch.cat([p.grad.flatten() for p in model.parameters()])

    assert float(torch.cosine_similarity(gradient(False), gradient(True), dim=0)) > 0.99


def test_the_start_is_what_sampling_draws_first(toy_study):
    """With a velocity of zero the samples are the draws of the reference themselves."""
    still = build("flow")
    with torch.no_grad():
        for parameter in still.network.head.parameters():
            parameter.zero_()
    study = toy_study()
    target = study["2"]
    task = task_from_study(study.without("2"), target.prefix(4), target.times[4:])
    frame, law = still.start(task)
    g = torch.Generator().manual_seed(5)
    drawn = law.draw(torch.randn((3, *law.mean.shape), generator=g, dtype=torch.float64))
    sampled = frame.encode(still.sample(task, 3, torch.Generator().manual_seed(5)))
    assert torch.allclose(drawn, sampled, atol=1e-9)
