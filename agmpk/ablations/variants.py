"""The list of ablations: each variant is its base with one value replaced, by construction.

``path`` says where the value stands in the settings (``agmpk.ablations.settings``): under
``training`` (the recipe), ``sampler`` (how a trained model is asked) or ``prior`` (a switch of the
simulator).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agmpk.errors import AgmpkError

DEFAULT = "default"
YARDSTICK = "seed"  # the group whose spread the differences of all others are held against


@dataclass(frozen=True)
class Variant:
    """One change.

    Attributes:
        name: of its files and rows.
        group: what is being asked; variants of a group stand together.
        text: the change in words, for a reader.
        path, value: where the settings of the base change, and to what; empty for the default.
        base: the variant it differs from in this one value.
        optional: not part of a plain run.
    """

    name: str
    group: str
    text: str
    path: tuple[str, ...] = ()
    value: Any = None
    base: str = DEFAULT
    optional: bool = False


def _model(name: str, group: str, text: str, option: str, value: Any) -> Variant:
    return Variant(name, group, text, ("training", "model", option), value)


def _seed(seed: int) -> Variant:
    text = f"the default, trained again from seed {seed}"
    return Variant(f"seed-{seed}", YARDSTICK, text, ("training", "seed"), seed)


def _steps(steps: int) -> Variant:
    text = f"{steps} step{'s' if steps > 1 else ''} of the sampler"
    return Variant(f"steps-{steps}", "steps", text, ("sampler", "steps"), steps)


def _budget(steps: int) -> Variant:
    return Variant(
        f"budget-{steps}", "budget", f"{steps} training steps", ("training", "steps"), steps
    )


def _without(name: str, text: str, *path: str, off: float | None = 0.0) -> Variant:
    where, text = ("prior", *path), f"prior extended without {text}"
    return Variant(f"extended-no-{name}", "switch", text, where, off, "prior-extended", True)


VARIANTS = (
    Variant(DEFAULT, YARDSTICK, "the default"),
    *(_seed(seed) for seed in (1, 2, 3, 4)),
    _model("reference-white", "reference", "white noise", "reference", "white"),
    _model("reference-gp", "reference", "Gaussian process, not given the prefix",
           "reference", "gp"),
    _model("reference-context", "reference", "covariance of the context's own departures",
           "reference", "context"),
    _model("attention-continuum", "attention", "continuum attention", "attention", "continuum"),
    _model("scale-raw", "scale", "raw concentration instead of its logarithm", "scale", "raw"),
    _model("no-context", "context", "the study is hidden", "use_context", False),
    Variant("prior-paper", "prior", "prior paper", ("training", "prior"), "paper"),
    Variant("prior-extended", "prior", "prior extended", ("training", "prior"), "extended"),
    _model("no-start", "start", "no share of the training at t = 0", "at_start", 0.0),
    Variant("adamw", "optimizer", "AdamW for all weights", ("training", "optimizer"), "adamw"),
    *(_budget(steps) for steps in (150, 600, 1200)),
    *(_steps(steps) for steps in (1, 2, 8, 16, 100)),
    _without("lag", "absorption lag", "absorption", "lag_probability"),
    _without("metabolites", "metabolites", "metabolite", "probability"),
    _without("polymorphism", "poor metabolisers", "variability", "polymorphism_probability"),
    _without("common-factor", "correlated parameters", "variability", "common_factor", off=None),
    _without("tight", "studies of tight spread", "variability", "tight_probability"),
    _without("additive", "additive error", "assay", "additive", off=None),
    _without("lloq", "an assay limit", "assay", "lloq_probability"),
    _without("clock", "clock-time schedules", "design", "clock_schedule_probability"),
)  # fmt: skip


def find(name: str) -> Variant:
    """The variant of that name.

    Raises:
        AgmpkError: there is none.
    """
    for variant in VARIANTS:
        if variant.name == name:
            return variant
    names = ", ".join(variant.name for variant in VARIANTS)
    raise AgmpkError(f"There is no ablation {name!r}: use one of {names}.")
