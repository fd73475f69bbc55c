"""The mean log-curve and the frame that is centred on it."""

import numpy as np
import pytest
import torch

from agmpk.forecasting.naive import NaiveForecaster
from agmpk.models.context_curve import interpolate
from agmpk.models.frame import to_frame
from agmpk.models.from_study import task_from_study
from agmpk.models.raw_frame import LOWEST, to_raw_frame
from agmpk.studies import Dose, Individual, Study


def equal_doses(data: Study) -> Study:
    """The naive forecast ignores doses; with equal ones it is the frame's centre."""
    dose = (Dose(0.0, 10.0, "oral"),)
    return Study("toy", tuple(Individual(i.id, i.times, i.concentrations, dose) for i in data))


@pytest.mark.parametrize("prefix", [0, 3])
def test_the_frame_is_centred_on_the_naive_forecast(toy_study, prefix):
    data = equal_doses(toy_study())
    target, times = data["2"].prefix(prefix), data["2"].times[prefix:]
    task = task_from_study(data.without("2"), target, times)
    centre = torch.exp(to_frame(task).centre[0, 0, prefix:]) * 10.0
    naive = NaiveForecaster().forecast(data.without("2"), target, times, 2, 0).pred
    assert np.allclose(centre.numpy(), naive, rtol=1e-10)


@pytest.mark.parametrize("make", [to_frame, to_raw_frame])
def test_coordinates_go_there_and_back(toy_study, make):
    data = toy_study()
    target = data["2"]
    task = task_from_study(data.without("2"), target.prefix(3), target.times[3:])
    frame = make(task)
    logs = frame.centre + torch.linspace(-1, 1, task.target_times.shape[-1], dtype=torch.float64)
    assert torch.allclose(frame.decode(frame.encode(logs)), logs, rtol=1e-10)


def test_raw_coordinates_are_differences_and_stay_positive(toy_study):
    data = toy_study()
    target = data["2"]
    task = task_from_study(data.without("2"), target.prefix(3), target.times[3:])
    frame = to_raw_frame(task)
    one, two = (frame.encode(frame.centre + np.log(factor)) for factor in (2.0, 3.0))
    assert torch.allclose(two, 2 * one)
    low = frame.decode(torch.full_like(one, -100.0)) - frame.centre
    assert torch.allclose(low, torch.full_like(low, np.log(LOWEST)))


def test_departures_are_pinned_at_the_last_prefix_time(toy_study):
    data = toy_study()
    target = data["2"]
    task = task_from_study(data.without("2"), target.prefix(3), target.times[3:])
    frame = to_frame(task)
    assert float(frame.departures[..., 2].abs().max()) < 1e-12
    assert float(frame.departures[..., 3:].abs().max()) > 0.05
    # They are departures from the mean: the individuals' sum is zero at each time.
    assert float(frame.departures.sum(1).abs().max()) < 1e-12


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
