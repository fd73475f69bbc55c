"""Every switch changes what its name says and nothing else, draw by draw."""

from dataclasses import fields, is_dataclass

import pytest
import torch

from agmpk.prior import PriorConfig, load_prior
from agmpk.prior.dosing import MOST
from agmpk.prior.laws import Law, Streams
from agmpk.prior.simulate import draw_trial, observe

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
    ("variability", "common_factor"): {"ka", "ktr", "ke", "V", "F", "k_out", "k_in"},
    ("variability", "tight_probability"): {
        "ka", "ktr", "ke", "V", "F", "k_out", "k_in", "km", "formed", "lag"
    },
    ("variability", "ou_shared"): {"shared"},
    ("variability", "polymorphism_probability"): {"ke", "formed", "poor", "F"},
    ("variability", "poor_gain"): {"F"},
    ("metabolite", "probability"): {"is_metabolite", "first_pass"},
    ("metabolite", "first_pass_probability"): {"first_pass"},
    ("dosing", "oral_probability"): {"oral", "duration"},
    ("dosing", "infusion_probability"): {"duration"},
    ("dosing", "same_dose_probability"): {"amount"},
    ("dosing", "per_kg_probability"): {
        "amount", "weight", "ka", "ktr", "ke", "V", "k_out", "k_in", "km", "F"
    },
    ("dosing", "repeated_probability"): {
        "time", "amount", "dosed", "after", "duration", "oral", "times", "exists"
    },
    ("design", "peak_schedule_probability"): {"times", "exists"},
    ("design", "clock_schedule_probability"): {"times", "exists"},
    ("design", "deviation_probability"): {"times", "exists"},
    ("assay", "additive"): {"concentration", "quantified", "below"},
    ("assay", "lloq_probability"): {"concentration", "quantified", "below", "lloq"},
}  # fmt: skip
SAMPLES = {"times", "exists"}
DOSES = {"time", "amount", "dosed", "duration", "oral", "gain", "after"} | SAMPLES
# The same for what only the preset clinic has.
CLINIC = {
    ("disposition", "log_CL"): {
        "typical.ke", "ke", "km", "F", "horizon", "lag", "zero_duration", "shared", *DOSES
    },
    ("absorption", "long_chain_probability"): {"transits", "ktr"},
    ("absorption", "transit_time"): {"ktr"},
    ("absorption", "zero_order_probability"): {
        "zero_duration", "zero_part", "zero_gut", "split_fraction"
    },
    ("absorption", "zero_order_gut_probability"): {"zero_gut"},
    ("absorption", "zero_order_part_probability"): {"zero_part"},
    ("variability", "sd_F_occasion"): {"gain"},
    ("dosing", "short_infusion"): {"duration", *SAMPLES},
    ("dosing", "long_infusion_probability"): {"duration", *SAMPLES},
    ("dosing", "arms_probability"): DOSES,
    ("dosing", "arm_routes_probability"): {"amount", "oral", "duration", *SAMPLES},
    ("dosing", "arm_intervals_probability"): DOSES,
    ("dosing", "course_probability"): {"repeated", *DOSES},
    ("dosing", "loading_probability"): {"amount"},
    ("dosing", "missed_dose_probability"): DOSES,
    ("dosing", "changed_probability"): {"amount"},
    ("dosing", "irregular_probability"): {"time", "duration", *SAMPLES},
    ("dosing", "crossover_probability"): {"crossover", "repeated", *DOSES},
    ("dosing", "crossover_route_probability"): {"oral", "duration", *SAMPLES},
    ("dosing", "monitoring_probability"): {
        "crossover", "repeated", "sparse", "weight", "reference", "V", "ke", "k_out", "k_in", "km",
        "F", *DOSES,
    },
    ("dosing", "newborn_probability"): {
        "crossover", "repeated", "sparse", "weight", "reference", "V", "ke", "k_out", "k_in", "km",
        "F", *DOSES,
    },
    ("design", "sparse_probability"): SAMPLES,
    ("design", "sparse_large_probability"): SAMPLES,
    ("design", "late_only_probability"): SAMPLES,
    ("design", "trough_probability"): SAMPLES,
    ("design", "dropout_probability"): SAMPLES,
    ("design", "thin_probability"): SAMPLES,
}  # fmt: skip
CLINIC_PRIOR = load_prior("clinic").replace(design={"caps": (32,)})


def drawn(config: PriorConfig) -> dict[str, torch.Tensor]:
    """Everything four blocks draw, by name."""
    found: dict[str, list[torch.Tensor]] = {}
    for block in range(4):
        streams = Streams(11, block)
        trial = draw_trial(config, streams)
        exists = trial.exists
        values = {k: v for k, v in vars(trial.parameters).items() if k != "typical"}
        values |= {f"typical.{k}": v for k, v in vars(trial.parameters.typical).items()}
        values |= {k: _wide(v) for k, v in vars(trial.doses).items()}
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


def _wide(value: torch.Tensor) -> torch.Tensor:
    """Tensors of doses padded to the largest number there can be."""
    return torch.nn.functional.pad(value, (0, MOST - value.shape[-1])) if value.ndim == 3 else value


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equal but for the last digits of a floating-point number."""
    return torch.allclose(a, b, rtol=1e-12, atol=1e-12) if a.is_floating_point() else (a == b).all()


@pytest.fixture(scope="module")
def usual():
    return {c.name: drawn(c) for c in (load_prior("extended"), CLINIC_PRIOR)}


@pytest.mark.parametrize("group, name", SWITCHES | CLINIC)
def test_switching_off_changes_only_what_it_says(usual, group, name):
    config = CLINIC_PRIOR if (group, name) in CLINIC else load_prior("extended")
    on, kind = usual[config.name], getattr(getattr(config, group), name)
    off = drawn(config.replace(**{group: {name: 0.0 if isinstance(kind, float) else None}}))
    changed = {key for key in on if not same(on[key], off[key])}
    assert changed and changed <= (SWITCHES | CLINIC)[group, name], changed


def test_every_switch_is_tested():
    config = load_prior("extended")
    switches = {
        (group.name, one.name)
        for group in fields(config)
        if is_dataclass(getattr(config, group.name))
        for one in fields(getattr(config, group.name))
        if one.name.endswith("probability") or "None" in str(one.type)
    }
    assert switches == set(SWITCHES | CLINIC)


def test_the_paper_preset_has_all_switches_off():
    paper = load_prior("paper")
    published = {("design", "peak_schedule_probability"), ("dosing", "oral_probability")}
    for group, name in set(SWITCHES | CLINIC) - published:
        assert not getattr(getattr(paper, group), name)
    assert paper.design.individuals == (5, 6, 7, 8, 9, 10)
    assert paper.absorption.max_transits == 0 and paper.dosing.max_doses == 1
    assert paper.assay.proportional == Law(0.01, 0.1)
