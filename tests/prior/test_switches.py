"""Every switch changes what its name says and nothing else, draw by draw."""

from dataclasses import fields, is_dataclass

import pytest
import torch

from agmpk.prior import PriorConfig, load_prior
from agmpk.prior.assay import observe
from agmpk.prior.laws import Law
from agmpk.prior.simulate import draw_trial
from agmpk.prior.streams import Streams

# (group, quantity) -> what may change when it is switched off.
SWITCHES = {
    ("disposition", "saturable_probability"): {"saturation"},
    ("disposition", "half_lives_in_horizon"): {"typical.ke", "ke", "km", "F", "times", "exists"},
    ("absorption", "transit_probability"): {"transits"},
    ("absorption", "gamma_probability"): {"transits"},
    ("absorption", "lag_probability"): {"lag"},
    ("absorption", "late_probability"): {"lag"},
    ("absorption", "split_probability"): {"split_fraction", "split_delay"},
    ("variability", "sd_F"): {"F"},
    ("variability", "coupling"): {"ke"},
    ("variability", "common_factor"): {"ka", "ke", "V", "F", "k_out", "k_in"},
    ("variability", "tight_probability"): {
        "ka", "ke", "V", "F", "k_out", "k_in", "km", "formed", "lag"
    },
    ("variability", "ou_shared"): {"shared"},
    ("variability", "polymorphism_probability"): {"ke", "formed", "poor", "F"},
    ("variability", "poor_gain"): {"F"},
    ("metabolite", "probability"): {"is_metabolite", "first_pass"},
    ("metabolite", "first_pass_probability"): {"first_pass"},
    ("dosing", "oral_probability"): {"oral", "duration"},
    ("dosing", "infusion_probability"): {"duration"},
    ("dosing", "same_dose_probability"): {"dose"},
    ("dosing", "per_kg_probability"): {
        "dose", "weight", "ka", "ke", "V", "k_out", "k_in", "km", "F"
    },
    ("dosing", "repeated_probability"): {
        "interval", "additional", "duration", "times", "exists"
    },
    ("design", "peak_schedule_probability"): {"times", "exists"},
    ("design", "clock_schedule_probability"): {"times", "exists"},
    ("design", "deviation_probability"): {"times", "exists"},
    ("assay", "additive"): {"concentration", "quantified", "below"},
    ("assay", "lloq_probability"): {"concentration", "quantified", "below", "lloq"},
}  # fmt: skip


def drawn(config: PriorConfig) -> dict[str, torch.Tensor]:
    """Everything four blocks draw, by name."""
    found: dict[str, list[torch.Tensor]] = {}
    for block in range(4):
        streams = Streams(11, block)
        trial, exists = draw_trial(config, streams)
        values = {k: v for k, v in vars(trial.parameters).items() if k != "typical"}
        values |= {f"typical.{k}": v for k, v in vars(trial.parameters.typical).items()}
        values |= vars(trial.doses)
        values |= {k: getattr(trial, k) for k in ("horizon", "times", "present")}
        # The assay sees a fixed curve here; solving is tested elsewhere.
        curve = torch.linspace(1, 0.001, trial.times.shape[-1], dtype=torch.float64)
        names = ("concentration", "quantified", "below", "lloq")
        seen = torch.ones_like(exists)
        observed = observe(config.assay, curve.expand_as(trial.times), seen, streams)
        values |= dict(zip(names, observed, strict=True))
        for name, value in {**values, "exists": exists}.items():
            found.setdefault(name, []).append(value)
    return {name: torch.cat(parts) for name, parts in found.items()}


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equal but for the last digits of a floating-point number."""
    return torch.allclose(a, b, rtol=1e-12, atol=1e-12) if a.is_floating_point() else (a == b).all()


@pytest.fixture(scope="module")
def usual():
    return drawn(load_prior("extended"))


@pytest.mark.parametrize("group, name", SWITCHES)
def test_switching_off_changes_only_what_it_says(usual, group, name):
    config = load_prior("extended")
    kind = getattr(getattr(config, group), name)
    off = drawn(config.replace(**{group: {name: 0.0 if isinstance(kind, float) else None}}))
    changed = {key for key in usual if not same(usual[key], off[key])}
    assert changed and changed <= SWITCHES[group, name], changed


def test_every_switch_is_tested():
    config = load_prior("extended")
    switches = {
        (group.name, one.name)
        for group in fields(config)
        if is_dataclass(getattr(config, group.name))
        for one in fields(getattr(config, group.name))
        if one.name.endswith("probability") or "None" in str(one.type)
    }
    assert switches == set(SWITCHES)


def test_the_paper_preset_has_all_switches_off():
    paper = load_prior("paper")
    published = {("design", "peak_schedule_probability"), ("dosing", "oral_probability")}
    for group, name in set(SWITCHES) - published:
        assert not getattr(getattr(paper, group), name)
    assert paper.design.individuals == (5, 6, 7, 8, 9, 10)
    assert paper.absorption.max_transits == 0 and paper.dosing.max_doses == 1
    assert paper.assay.proportional == Law(0.01, 0.1)
