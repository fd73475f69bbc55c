"""Symmetries that hold exactly for any weights, so they are tested on random ones."""

import numpy as np
import pytest
import torch

from agmpk.errors import AgmpkError
from agmpk.forecasting.flow import FlowForecaster
from agmpk.forecasting.naive import NaiveForecaster
from agmpk.models.context_curve import interpolate
from agmpk.models.flow import FlowConfig, FlowModel
from agmpk.models.frame import to_frame
from agmpk.models.from_study import task_from_study
from agmpk.studies import Dose, Individual, Study, Units


@pytest.fixture(scope="module")
def model() -> FlowModel:
    torch.manual_seed(1)
    model = FlowModel(FlowConfig(width=32, encoder_layers=2, decoder_layers=2)).double().eval()
    with torch.no_grad():  # blocks begin as identity; make every weight count
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn(parameter.shape, dtype=torch.float64))
    return model


def study(scale: float = 1.0, hours: float = 1.0, dose: float = 1.0) -> Study:
    """Five individuals with irregular samples of a one-compartment curve."""
    g = np.random.default_rng(4)
    people = []
    for i in range(5):
        t = np.sort(g.uniform(0.2, 24, 9 + i))
        ka, ke, v = np.exp(g.normal([0.3, -1.8, 3.0], 0.3))
        amount = float(np.exp(g.normal(3, 0.2)))
        y = amount / v * ka / (ka - ke) * (np.exp(-ke * t) - np.exp(-ka * t))
        people.append(
            Individual(
                str(i),
                t * hours,
                y * np.exp(g.normal(0, 0.1, len(t))) * scale,
                (Dose(0.0, amount * dose, "oral"),),
            )
        )
    return Study("toy", tuple(people), Units())


def samples(model: FlowModel, data: Study, prefix: int = 4, context: Study | None = None):
    target = data["2"]
    return (
        FlowForecaster(model)
        .forecast(
            context or data.without("2"), target.prefix(prefix), target.times[prefix:], 6, seed=3
        )
        .samples
    )


@pytest.mark.parametrize("prefix", [0, 1, 4])
def test_units_change_nothing_but_the_unit(model, prefix):
    reference = samples(model, study(), prefix)
    for change, factor in (
        ({"scale": 1000.0}, 1000.0),
        ({"hours": 60.0}, 1.0),
        ({"dose": 1e-3}, 1.0),
    ):
        assert np.allclose(samples(model, study(**change), prefix), factor * reference, rtol=1e-9)


@pytest.mark.parametrize("prefix", [0, 4])
def test_individuals_of_the_context_have_no_order(model, prefix):
    data = study()
    shuffled = Study("toy", tuple(data[i] for i in ("4", "0", "3", "1")), data.units)
    assert np.allclose(
        samples(model, data, prefix), samples(model, data, prefix, shuffled), rtol=1e-9
    )


def test_the_context_matters(model):
    data = study()
    fewer = Study("toy", tuple(data[i] for i in ("4", "0", "3")), data.units)
    assert not np.allclose(samples(model, data), samples(model, data, 4, fewer), rtol=1e-3)


def test_padding_is_invisible(model):
    data = study()
    target = data["2"]
    task = task_from_study(data.without("2"), target.prefix(4), target.times[4:])

    def draw(task):
        return model.sample(task, 3, torch.Generator().manual_seed(0))

    padded = {f: getattr(task, f) for f in task.__dataclass_fields__}
    for name in ("context_times", "context_logs", "context_mask"):
        # Two more samples per individual and one more individual, all marked absent, with junk.
        junk = 7 if name != "context_mask" else 0
        padded[name] = torch.nn.functional.pad(padded[name], (0, 2, 0, 1), value=junk)
    padded["context_dose"] = torch.nn.functional.pad(padded["context_dose"], (0, 1), value=5.0)
    assert torch.allclose(draw(task), draw(type(task)(**padded)), rtol=1e-9)


def test_the_prefix_is_never_changed(model):
    data = study()
    target = data["2"]
    task = task_from_study(data.without("2"), target.prefix(4), target.times[4:])
    draws = model.sample(task, 5, torch.Generator().manual_seed(0))
    assert torch.equal(draws[..., :4], task.target_logs[..., :4].expand(5, -1, -1, -1))


def test_the_unseen_truth_is_not_read(model):
    data = study()
    target = data["2"]
    task = task_from_study(data.without("2"), target.prefix(4), target.times[4:])
    spoiled = {f: getattr(task, f) for f in task.__dataclass_fields__}
    spoiled["target_logs"] = torch.where(task.prefix_mask, task.target_logs, 99.0)

    def draw(task):
        return model.sample(task, 3, torch.Generator().manual_seed(0))

    assert torch.equal(draw(task), draw(type(task)(**spoiled)))


def test_seed_contract(model):
    data = study()
    target, context = data["2"], data.without("2")
    forecaster = FlowForecaster(model)

    def draw(seed):
        return forecaster.forecast(context, target.prefix(4), target.times[4:], 4, seed).samples

    assert np.array_equal(draw(1), draw(1)) and not np.allclose(draw(1), draw(2))


def test_the_frame_is_centred_on_the_naive_forecast():
    data = study()
    for prefix in (0, 3):
        target = data["2"].prefix(prefix)
        times = data["2"].times[prefix:]
        # Equal doses, so that the naive forecast, which ignores doses, is the frame's centre.
        equal = Study(
            "toy",
            tuple(
                Individual(i.id, i.times, i.concentrations, (Dose(0.0, 10.0, "oral"),))
                for i in data
            ),
        )
        target = Individual("2", target.times, target.concentrations, (Dose(0.0, 10.0, "oral"),))
        task = task_from_study(equal.without("2"), target, times)
        centre = torch.exp(to_frame(task).centre[0, 0, prefix:]) * 10.0
        naive = NaiveForecaster().forecast(equal.without("2"), target, times, 2, 0).pred
        assert np.allclose(centre.numpy(), naive, rtol=1e-10)


def test_interpolation_equals_numpy():
    g = np.random.default_rng(0)
    times = np.sort(g.uniform(0, 10, (3, 4, 6)), -1)
    values, query = g.normal(size=(3, 4, 6)), np.sort(g.uniform(-1, 12, (3, 20)), -1)
    mask = np.arange(6) < g.integers(1, 7, (3, 4, 1))
    found = interpolate(*(torch.from_numpy(a) for a in (times, values, mask, query)))
    for b in range(3):
        for j in range(4):
            keep = mask[b, j]
            expected = np.interp(query[b], times[b, j, keep], values[b, j, keep])
            assert np.allclose(found[b, j].numpy(), expected)


def test_studies_it_was_not_trained_for_are_refused(model):
    data = study()
    target, context = data["2"], data.without("2")
    twice = Individual("2", [], [], (Dose(0.0, 1.0, "oral", additional=3, interval=12.0),))
    forecaster = FlowForecaster(model)
    with pytest.raises(AgmpkError, match="4 doses.*single-dose"):
        forecaster.forecast(context, twice, target.times, 2, 0)
    vein = Individual("2", [], [], (Dose(0.0, 1.0, "iv_bolus"),))
    with pytest.raises(AgmpkError, match="one route per study"):
        forecaster.forecast(context, vein, target.times, 2, 0)
    with pytest.raises(AgmpkError, match="extrapolate"):
        forecaster.forecast(context, target.prefix(4), np.array([500.0]), 2, 0)


def test_a_study_of_one_can_be_forecast_from_its_own_prefix(model):
    target = study()["2"]
    alone = Study("toy", ())
    answer = FlowForecaster(model).forecast(alone, target.prefix(4), target.times[4:], 5, 0)
    assert np.isfinite(answer.samples).all() and (answer.samples > 0).all()
    with pytest.raises(AgmpkError, match="nothing to forecast from"):
        FlowForecaster(model).forecast(alone, target.prefix(0), target.times, 5, 0)
