"""The preset clinic: designs that can be carried out, in the form the models read."""

from dataclasses import replace

import pytest
import torch

from agmpk.prior import load_prior, simulate_block
from agmpk.prior.laws import Law, Streams
from agmpk.prior.simulate import draw_trial, solve

CLINIC = load_prior("clinic")
SMALL = CLINIC.replace(design={"caps": (16,)})


@pytest.mark.parametrize("block", range(2))
def test_doses_are_in_front_in_order_and_everybodys_own(block):
    b = simulate_block(CLINIC, 1, block)
    assert (b.times.diff(dim=-1) >= 0).all()
    assert (b.dosed.int().diff(dim=-1) <= 0).all() and b.dosed.any((0, 1))[-1]
    assert b.dosed[..., 0][b.present].all() and not b.dosed[~b.present].any()
    assert (b.dose_time[..., 0] == 0).all() and b.dosed.shape[-1] <= 40
    assert (b.dose_time.diff(dim=-1)[b.dosed[..., 1:]] > 0).all()
    assert (b.dose_amount[b.dosed] > 0).all() and (b.dose_duration[b.dose_oral] == 0).all()
    for name in ("dose_time", "dose_amount", "dose_duration", "dose_oral"):
        assert not getattr(b, name)[~b.dosed].any()
    # An infusion has ended when the next dose is given.
    ends = (b.dose_time + b.dose_duration)[..., :-1]
    assert (ends <= b.dose_time[..., 1:] + 1e-9)[b.dosed[..., 1:]].all()
    number = b.dosed.sum(-1).double()
    assert any(len(number[s, b.present[s]].unique()) > 1 for s in range(len(b)))


def test_linear_kinetics_are_proportional_to_the_dose():
    config = SMALL.replace(disposition={"saturable_probability": 0.0})
    trial = draw_trial(config, Streams(3, 0))
    more = replace(trial, doses=replace(trial.doses, amount=3 * trial.doses.amount))
    low, high = (solve(config, t, Streams(3, 0)) for t in (trial, more))
    floor = 1e-9 * high.amax(-1, keepdim=True)
    assert ((high - 3 * low).abs() <= 1e-6 * high + floor).all()


def test_arms_span_their_range_by_exact_multiples():
    config = SMALL.replace(
        dosing={
            "arms_probability": 1.0, "arms": (4, 4), "arm_range": Law(27.0, 27.0),
            "arm_routes_probability": 0.0, "arm_intervals_probability": 0.0,
            "same_dose_probability": 1.0, "per_kg_probability": 0.0, "course_probability": 0.0,
            "crossover_probability": 0.0, "monitoring_probability": 0.0,
            "newborn_probability": 0.0, "repeated_probability": 0.0,
        },
    )  # fmt: skip
    b = simulate_block(config, 2, 0)
    for s in range(len(b)):
        amounts = b.dose_amount[s, b.present[s], 0]
        steps = torch.log(amounts / amounts.min()) / torch.log(torch.tensor(3.0).double())
        assert torch.allclose(steps, steps.round(), atol=1e-9) and steps.max() <= 3 + 1e-9


def test_monitoring_is_sparse_and_late():
    config = SMALL.replace(dosing={"monitoring_probability": 1.0})
    b = simulate_block(config, 2, 0)
    taken = b.quantified | b.below
    assert taken.sum(-1).max() <= 6
    number = b.dosed.sum(-1)
    before = (b.dose_time[:, :, None] < b.times[..., None]) & b.dosed[:, :, None]
    assert (before.sum(-1) >= (number - 4)[..., None])[taken].all()
    gaps = b.dose_time.diff(dim=-1)
    assert any(len(gaps[s, b.present[s], 0].round().unique()) > 1 for s in range(len(b)))
