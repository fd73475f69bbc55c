"""The simulator: what it draws has the declared support, and every switch does what it says."""

import math

import pytest
import torch
import yaml

from agmpk.errors import AgmpkError
from agmpk.prior import load_prior, presets, simulate, simulate_block
from agmpk.prior.config import PriorConfig
from agmpk.prior.laws import Law, Streams
from agmpk.prior.parameters import draw_parameters, fit_horizon
from agmpk.prior.simulate import BLOCK
from agmpk.prior.table import concatenate, to_studies


def parameters(config: PriorConfig, seed: int = 0, studies: int = 4000, individuals: int = 6):
    streams = Streams(seed, 0)
    horizon, _ = fit_horizon(config, studies, streams)
    weight = torch.full((studies, individuals), 70.0, dtype=torch.float64)
    return horizon, draw_parameters(config, horizon, weight, streams)


def test_presets_survive_yaml():
    assert set(presets()) >= {"paper", "extended"}
    for name in presets():
        config = load_prior(name)
        again = PriorConfig.from_dict(yaml.safe_load(yaml.safe_dump(config.to_dict())))
        assert again == config and config.name == name


@pytest.mark.parametrize(
    "change, words",
    [
        ({"solver": 1}, "does not know solver"),
        ({"solver_steps": None}, "must be a whole number"),
        ({"assay": {"lloq": 1}}, "lacks"),
    ],
)
def test_faulty_configurations_are_refused(change, words):
    with pytest.raises(AgmpkError, match=words):
        PriorConfig.from_dict({**load_prior("paper").to_dict(), **change})


def test_laws_refuse_nonsense():
    with pytest.raises(AgmpkError, match="in order"):
        Law(2, 1)
    with pytest.raises(AgmpkError, match="positive lower bound"):
        Law(0, 1, log=True)
    with pytest.raises(AgmpkError, match="no prior 'papr'"):
        load_prior("papr")


def test_published_ranges():
    """The published numbers (AGM-PK, PAGE 34, 2026), typed here a second time on purpose."""
    horizon, p = parameters(load_prior("paper"))
    assert (horizon == 24).all()
    for name, low, high in (
        ("ka", -1, 2),
        ("ke", -5, 0),
        ("V", 1, 7),
        ("k_out", -4, 0),
        ("k_in", -4, -1),
    ):
        values = getattr(p.typical, name).flatten()
        assert values.min() >= low and values.max() <= high
        # Uniform: mean and standard deviation within five standard errors.
        se = (high - low) / math.sqrt(12 * len(values))
        assert abs(values.mean() - (low + high) / 2) < 5 * se
        assert abs(values.std() * math.sqrt(12) / (high - low) - 1) < 0.05
    # Between-individual SD uniform on [0.15, 0.45]: E[sd^2] = 0.0975.
    for name in ("ka", "ke", "V"):
        deviation = getattr(p, name) - getattr(p.typical, name)[:, None]
        assert abs(deviation.square().mean() / 0.0975 - 1) < 0.06
    assert p.ou_sd[:, 2].max() <= 0.01 and p.ou_sd[:, 2].min() >= 0.001
    assert p.ou_sd[:, 0].max() <= 0.1 and p.ou_sd[:, 0].min() >= 0.01
    assert p.ou_time_scale.min() >= 1 and p.ou_time_scale.max() <= 5
    assert set(p.exchange.sum(-1).unique().tolist()) == {1, 2, 3}
    assert not p.is_metabolite.any() and (p.lag == 0).all() and (p.F == 0).all()


def test_published_design():
    batch = simulate(load_prior("paper"), 640, seed=1)
    number = batch.present.sum(-1)
    assert number.min() == 5 and number.max() == 10
    oral = batch.dose_oral[:, 0, 0]
    assert abs(oral.double().mean() - 0.8) < 5 * math.sqrt(0.16 / 640)
    assert batch.times.max() <= 24 and batch.quantified.sum(-1).max() <= 15
    noise = (batch.concentration / batch.true - 1)[batch.quantified]
    # Proportional SD uniform on [0.01, 0.1]: E[sd^2] = 0.0037.
    assert abs(noise.square().mean() / 0.0037 - 1) < 0.1


@pytest.fixture(scope="module")
def extended():
    """Four blocks of the extended prior."""
    return simulate(load_prior("extended"), 4 * BLOCK, seed=2)


def test_a_seed_gives_the_same_studies_on_any_batch_size(extended):
    config, many = load_prior("extended"), extended
    few = simulate(config, 70, seed=2)
    for name in ("times", "concentration", "quantified", "dose_amount"):
        short, long = getattr(few, name), getattr(many, name)[:70]
        assert torch.equal(short, long[..., : short.shape[-1]])
        assert not long[..., short.shape[-1] :].any()  # padding for studies of other blocks
    other = simulate(config, 64, seed=4)
    assert not torch.equal(few[:64].concentration, other.concentration)
    first, second = (simulate_block(config, 3, block, studies=8) for block in (0, 1))
    assert not torch.equal(first.times, second.times)


@pytest.mark.parametrize("name", presets())
def test_what_is_drawn_is_finite_ordered_and_positive(name, extended):
    batch = extended if name == "extended" else simulate(load_prior(name), 2 * BLOCK, seed=11)
    for field in ("times", "concentration", "true", "dose_time", "dose_amount", "dose_duration"):
        assert torch.isfinite(getattr(batch, field)).all()
    assert (batch.true >= 0).all()
    kept = batch.concentration[batch.quantified]
    assert (kept > 0).all()
    assert not (batch.quantified & ~batch.present[..., None]).any()
    for study in to_studies(batch[:40]):  # the data model checks order and positivity again
        assert len(study) >= 1


def test_values_below_the_lloq_are_censored_and_only_those(extended):
    config, batch = load_prior("extended"), extended
    limit = batch.lloq[:, None, None]
    assert (batch.concentration >= limit)[batch.quantified].all()
    assert (batch.concentration < limit.expand_as(batch.below))[batch.below].all()
    assert not (batch.below & batch.quantified).any() and batch.below.any()
    free = simulate(config.replace(assay={"lloq_probability": 0.0}), 256, seed=2)
    assert (free.lloq == 0).all() and not free.below.any()
    # Nothing else changes: the same samples of the same curves.
    assert torch.equal(free.true, batch.true) and torch.equal(free.times, batch.times)
    # What is not reported either way is not positive.
    lost = (batch.quantified | batch.below) & ~free.quantified
    assert (free.true[lost] == 0).all() or (free.concentration[lost] <= 0).all()


def test_the_limit_is_a_fraction_of_the_median_cmax():
    config = load_prior("extended").replace(assay={"lloq_probability": 1.0})
    batch = simulate(config, 40, seed=2)
    sampled = batch.quantified | batch.below
    for s in range(40):
        cmax = torch.where(sampled[s], batch.true[s], 0.0).amax(-1)[sampled[s].any(-1)]
        if len(cmax):
            law = config.assay.lloq
            ratio = float(batch.lloq[s] / cmax.median())
            assert law.low * (1 - 1e-9) <= ratio <= law.high * (1 + 1e-9)


def test_padding_of_blocks_of_other_sizes():
    config = load_prior("clinic")
    blocks = [simulate_block(config, 5, b) for b in range(4)]
    assert len({tuple(b.dosed.shape) for b in blocks}) > 1
    whole, row = concatenate(blocks), 0
    for block in blocks:
        for name, value in vars(block).items():
            mine = getattr(whole, name)[row : row + len(block)]
            inside = mine[tuple(slice(n) for n in value.shape)]
            assert torch.equal(inside, value), name
            assert mine.double().abs().sum() == pytest.approx(float(value.double().abs().sum()))
        row += len(block)
