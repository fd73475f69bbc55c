"""What the extended prior adds: declared support, moments, and designs that can be carried out."""

import math
from dataclasses import replace

import pytest
import torch

from agmpk.prior import PriorConfig, load_prior, simulate
from agmpk.prior.dosing import draw_doses
from agmpk.prior.laws import Law, Streams
from agmpk.prior.parameters import draw_parameters
from agmpk.prior.simulate import draw_trial

EXTENDED = load_prior("extended")
S, PEOPLE = 3000, 8
HORIZON = torch.tensor([6.0, 12.0, 24.0, 96.0], dtype=torch.float64).repeat(S // 4)


def close(values: torch.Tensor, expected: float) -> bool:
    """Within five standard errors, correlation within a study being none."""
    values = values.double().flatten()
    return abs(values.mean() - expected) < 5 * values.std() / math.sqrt(len(values)) + 1e-12


ALL = torch.ones(S, PEOPLE, dtype=torch.bool)


def doses(present=ALL, half_life=None, **changes):
    dosing = replace(EXTENDED.dosing, **changes)
    horizon = HORIZON[: len(present)]
    return draw_doses(dosing, horizon, present, Streams(1, 0), half_life)


def parameters(config: PriorConfig = EXTENDED, weight: torch.Tensor | None = None):
    weight = torch.full((S, PEOPLE), 70.0, dtype=torch.float64) if weight is None else weight
    return draw_parameters(config, HORIZON, weight, Streams(1, 0))


def test_individuals_follow_the_list():
    config = EXTENDED.replace(design={"individuals": (2, 5, 5, 24)})
    trials = [draw_trial(config, Streams(1, block)) for block in range(10)]
    count = torch.cat([trial.present.sum(-1) for trial in trials])
    assert set(count.tolist()) == {2, 5, 24}
    assert close(count == 5, 0.5)


def test_who_takes_part_is_in_front_and_the_rest_is_empty():
    batch = simulate(EXTENDED, 128, seed=4)
    assert (batch.present.int().diff(dim=-1) <= 0).all()
    absent = ~batch.present
    assert (batch.true[absent] == 0).all()
    assert not batch.quantified[absent].any() and not batch.below[absent].any()


def test_doses_per_kg():
    d = doses(per_kg_probability=1.0, same_dose_probability=1.0)
    median, spread = EXTENDED.dosing.weight, EXTENDED.dosing.sd_weight
    logs = torch.log(d.weight)
    assert logs.mean(1).min() > math.log(median.low) - 1
    assert logs.std(1).mean() == pytest.approx((spread.low + spread.high) / 2, rel=0.05)
    per_kg = d.amount[..., 0] / d.weight
    assert torch.allclose(per_kg, per_kg[:, :1].expand_as(per_kg), rtol=1e-12)
    plain = doses(per_kg_probability=0.0)
    assert (plain.weight == 70).all()


def test_allometry():
    light, heavy = (
        parameters(weight=torch.full((S, PEOPLE), w, dtype=torch.float64)) for w in (35.0, 140.0)
    )
    assert torch.allclose(heavy.V - light.V, torch.full_like(heavy.V, math.log(4)))
    clearance = (heavy.ke + heavy.V) - (light.ke + light.V)
    assert torch.allclose(clearance, torch.full_like(clearance, 0.75 * math.log(4)))
    flow = (heavy.k_out + heavy.V[..., None]) - (light.k_out + light.V[..., None])
    assert torch.allclose(flow, torch.full_like(flow, 0.75 * math.log(4)))
    assert torch.equal(heavy.ka, light.ka)


def test_repeated_doses_fit_the_horizon():
    d = doses(repeated_probability=1.0)
    repeated = (d.number > 1).all(-1)
    assert ((d.number > 1).any(-1) == repeated).all()  # a schedule is the whole study's
    gaps = d.time.diff(dim=-1)[d.dosed[..., 1:]]
    assert set(gaps.tolist()) <= set(map(float, EXTENDED.dosing.intervals))
    assert not repeated[HORIZON < 12].any() and repeated[HORIZON >= 12].all()
    interval = d.time[..., 1]
    assert (d.last + interval <= HORIZON[:, None] + 1e-9).all()
    assert d.number.max() == EXTENDED.dosing.max_doses
    assert (d.duration[..., 0][repeated] <= interval[repeated]).all()
    share = (doses().number > 1).all(-1)[HORIZON >= 12]
    assert close(share, EXTENDED.dosing.repeated_probability)


def test_samples_after_the_last_dose():
    config = EXTENDED.replace(
        dosing={"repeated_probability": 1.0, "after_last_dose": Law(1.0, 1.0)},
        design={"horizons": (24.0, 96.0), "deviation_probability": 0.0},
    )
    batch = simulate(config, 64, seed=3)
    last = batch.dose_time.amax(-1, keepdim=True)
    last = last.expand_as(batch.times)
    assert (batch.times >= last)[batch.quantified].all()
    before = simulate(config.replace(dosing={"after_last_dose": Law(0.0, 0.0)}), 64, seed=3)
    assert (before.times < last)[before.quantified].double().mean() > 0.3


def test_tight_studies():
    config = EXTENDED.replace(variability={"coupling": None})
    on = parameters(config.replace(variability={"tight_probability": 1.0}))
    off = parameters(config.replace(variability={"tight_probability": 0.0}))
    factor = (on.V - on.typical.V[:, None]) / (off.V - off.typical.V[:, None])
    law = config.variability.tight_factor
    assert factor.min() >= law.low - 1e-9 and factor.max() <= law.high + 1e-9
    assert torch.allclose(factor, factor[:, :1].expand_as(factor))  # one factor for a study,
    same = (on.ka - on.typical.ka[:, None]) / (off.ka - off.typical.ka[:, None])
    assert torch.allclose(factor, same)  # and for all parameters
    mean = (law.high - law.low) / math.log(law.high / law.low)  # of a log-uniform law
    assert close(factor[:, 0], mean)


def test_late_individuals():
    law = EXTENDED.absorption
    lagged = {"lag_probability": 1.0, "sd_lag": Law(0.0, 0.0)}
    late = {"late_probability": 1.0, "late_share": Law(0.3, 0.3), "late_delay": Law(4.0, 4.0)}
    plain = parameters(EXTENDED.replace(absorption={**lagged, "late_probability": 0.0}))
    mixed = parameters(EXTENDED.replace(absorption={**lagged, **late}))
    wide = HORIZON >= 24
    later = (mixed.lag - plain.lag)[wide]
    assert close(later > 0, 0.3)
    assert later[later > 0].median() == pytest.approx(4.0, rel=0.05)
    assert plain.lag.max() <= law.lag.high and (mixed.lag <= 0.5 * HORIZON[:, None]).all()


def test_transit_stages():
    n = parameters().transits
    a = EXTENDED.absorption
    chain = n > 0
    assert close(chain, a.transit_probability) and n.max() <= a.max_transits
    assert close((n % 1 != 0)[chain], a.gamma_probability)
    whole = parameters(EXTENDED.replace(absorption={"gamma_probability": 0.0})).transits
    assert torch.equal(whole, n.ceil())
    assert set(whole.unique().tolist()) == set(range(a.max_transits + 1))


def test_common_factor_correlates_parameters():
    v = {"common_factor": Law(0.6, 0.6), "coupling": None, "tight_probability": 0.0}
    p = parameters(EXTENDED.replace(variability=v))
    standard = [(x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True) for x in (p.V, p.ka)]
    correlation = torch.corrcoef(torch.stack([x.flatten() for x in standard]))[0, 1]
    assert correlation == pytest.approx(0.36, abs=0.03)
