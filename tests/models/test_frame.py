"""The frame: the naive forecast where it is defined, superposition elsewhere."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from agmpk.models.frame import interpolate
from agmpk.models.kinetics import Clock
from agmpk.models.task import Record, Task


@pytest.fixture(scope="module")
def shared(make_task) -> Task:
    """Everybody of a study has one dose at 0, of the same amount."""
    return make_task(studies=8, context=6, samples=14, doses=1, shared=True, limits=False, seed=4)


def naive(task: Task, b: int, r: int) -> np.ndarray:
    """The definition: interpolate ln y of each context individual with two or more points
    linearly, constant beyond its range; average; add the residual at the last prefix point."""
    curves, target = [], task.target
    for j in range(task.context.mask.shape[1]):
        seen = task.context.mask[b, j].numpy()
        if seen.sum() >= 2:
            t, y = task.context.times[b, j].numpy()[seen], task.context.logs[b, j].numpy()[seen]
            curves.append(np.interp(target.times[b, r].numpy(), t, y))
    mean = np.mean(curves, 0)
    shown = task.prefix[b, r].numpy()
    last = shown.sum() - 1
    return mean + (target.logs[b, r].numpy()[last] - mean[last] if shown.any() else 0.0)


def test_for_one_shared_dose_it_is_the_naive_forecast(shared):
    frame = shared.frame
    found = frame.naive + frame.reference[:, None, None]
    for b in range(len(shared)):
        for r in range(shared.prefix.shape[1]):
            at = shared.target.mask[b, r]
            assert np.allclose(found[b, r][at], naive(shared, b, r)[at.numpy()], atol=1e-10)
    centred = frame.shared & shared.target.mask
    centre = frame.centre + frame.reference[:, None, None]
    assert centred.any() and torch.equal(centre[centred], found[centred])


def test_only_well_sampled_studies_are_centred_on_it(shared):
    first = torch.arange(shared.context.mask.shape[-1]) < 2
    thin = replace(shared, context=replace(shared.context, mask=shared.context.mask & first))
    assert not thin.frame.shared.any() and bool(torch.isfinite(thin.frame.centre).all())


def shift(task: Task, context: float = 0.0, target: float = 0.0, logs: float = 0.0) -> Task:
    """Doses of context and target times e^context and e^target; all concentrations e^logs."""

    def change(record: Record, dose: float) -> Record:
        amount = record.dose_amount * math.exp(dose)
        return replace(record, dose_amount=amount, logs=record.logs + logs)

    return replace(
        task,
        context=change(task.context, context),
        target=change(task.target, target),
        limit=task.limit + logs,
    )


@pytest.mark.parametrize("same", [True, False])
def test_units_shift_the_frame_and_change_nothing_in_it(make_task, same):
    task = make_task(shared=same)
    frame, real = task.frame, task.target.mask
    for other, reference in ((shift(task, logs=5.0), 0.0), (shift(task, 2.0, 2.0, 0.0), 2.0)):
        after = other.frame
        assert torch.allclose(after.reference, frame.reference + reference)
        moved = (after.decode(frame.encode(task.target.logs * 0 + 1.0)) - 1.0)[real]
        expected = 5.0 if reference == 0 else 0.0
        assert torch.allclose(moved, torch.full_like(moved, expected), atol=1e-9)
        assert torch.allclose(after.spread[real], frame.spread[real], atol=1e-9)


@pytest.mark.parametrize("same", [True, False])
def test_a_targets_concentrations_are_proportional_to_its_doses(make_task, same):
    """Without a prefix the forecast of twice the doses is twice the forecast, exactly."""
    task = make_task(shared=same)
    task = replace(task, prefix=task.prefix & False, asked=task.target.mask)
    assert bool((task.frame.shared.any()) == same)
    after = shift(task, target=1.1).frame
    moved = (after.centre - task.frame.centre)[task.asked]
    assert torch.allclose(moved, torch.full_like(moved, 1.1), atol=1e-9)
    assert torch.allclose(after.spread[task.asked], task.frame.spread[task.asked], atol=1e-9)


def test_a_planned_dose_changes_nothing_before_it(make_task):
    task = make_task(doses=1, samples=8)
    D = task.target.dose_time.shape[-1]
    pads = {
        f.name: torch.nn.functional.pad(getattr(task.target, f.name), (0, 1))
        for f in fields(Record)
        if f.name.startswith("dose")
    }
    pads["dose_time"][..., D] = 12.0
    pads["dose_amount"][..., D] = pads["dose_amount"][..., 0]
    pads["dose_oral"][..., D] = pads["dose_oral"][..., 0]
    pads["dosed"][..., D] = True
    planned = replace(task, target=replace(task.target, **pads))
    # The grid's forecast: the centre of a single shared dose is the interpolated mean.
    one, two, times = task.frame.fitted, planned.frame.fitted, task.target.times
    shown_after = (task.prefix & (times > 12.0)).any(-1, keepdim=True)
    before = task.target.mask & (times <= 12.0) & ~shown_after
    assert torch.allclose(one[before], two[before], atol=1e-9)
    late = task.asked & (times > 13.0) & ~shown_after
    assert bool((two > one + 0.01)[late].all()) and bool(late.any())


def test_a_point_of_the_frame_depends_on_no_other_asked_time(make_task, asking):
    task = make_task(samples=12)
    B, R, _ = task.prefix.shape
    times = torch.tensor([2.0, 6.0, 30.0, 100.0], dtype=torch.float64).expand(B, R, -1)
    whole, alone = asking(task, times), asking(task, times[..., 1:2])
    P = whole.prefix.shape[-1] - 4
    for name, values in vars(whole.frame).items():
        if torch.is_tensor(values) and values.shape == whole.prefix.shape:
            other = getattr(alone.frame, name)
            assert torch.allclose(values[..., P + 1].to(other), other[..., P], atol=1e-12), name
        elif torch.is_tensor(values) and name != "departures":
            assert torch.equal(values, getattr(alone.frame, name)), name


def test_coordinates_go_there_and_back(make_task):
    task = make_task()
    x = torch.linspace(-1, 1, task.prefix.shape[-1], dtype=torch.float64).expand(task.prefix.shape)
    assert torch.allclose(task.frame.encode(task.frame.decode(x)), x, atol=1e-9)


def test_the_clock_reads_the_last_dose_and_a_trough_comes_before_it(make_task):
    """Doses at 0, 12 and 24 h: 30 h is 6 h after the third; a sample at 12 h is a trough."""
    one = make_task(studies=1, targets=1, doses=3).target[:, :, :]
    dose_time = torch.tensor([[[0.0, 12.0, 24.0]]], dtype=torch.float64)
    amount = torch.tensor([[[1.0, 2.0, 3.0]]], dtype=torch.float64)
    dosed = torch.ones(1, 1, 3, dtype=torch.bool)
    record = replace(one, dose_time=dose_time, dose_amount=amount, dosed=dosed)
    times = torch.tensor([[[0.0, 3.0, 12.0, 12.5, 30.0]]], dtype=torch.float64)
    clock = Clock(record, amount, times)
    assert clock.since.flatten().tolist() == [0.0, 3.0, 12.0, 0.5, 6.0]
    assert clock.number.flatten().tolist() == [0, 1, 1, 2, 3]
    assert clock.amount.flatten().tolist() == [1.0, 1.0, 1.0, 2.0, 3.0]


def test_departures_are_pinned_at_the_last_prefix_time(shared):
    frame = shared.frame
    for b in range(len(shared)):
        for r in range(shared.prefix.shape[1]):
            shown = int(shared.prefix[b, r].sum())
            if shown and int(shared.target.mask[b, r].sum()) > shown:
                assert float(frame.departures[b, :, r, shown - 1].abs().max()) < 1e-12


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
