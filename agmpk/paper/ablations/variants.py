"""The list of ablations: each variant is its base with one value replaced, by construction; and
what a variant is in full: recipe, prior, sampler and scoring as plain values.

``path`` says where the value stands in the settings: under ``training`` (the recipe), ``sampler``
(how a trained model is asked) or ``prior`` (a switch of the simulator).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from agmpk.errors import AgmpkError
from agmpk.prior import PriorConfig, load_prior

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


# How every variant is judged.  individuals: per development cohort, the first ones; studies: held
# out per prior, with so many targets each; seed: of the held-out studies and of the samples.
SCORING = {"prefix": 4, "samples": 64, "individuals": 13, "studies": 64, "targets": 3, "seed": 7}
SAMPLER = {"steps": 4}


def recipe() -> dict[str, Any]:
    """The small recipe of all ablations, as it stands in its file."""
    text = (resources.files("agmpk.paper.ablations") / "recipe.yaml").read_text("utf-8")
    return yaml.safe_load(text)


def settings(variant: Variant, **training: Any) -> dict[str, Any]:
    """training, prior (its contents), sampler, default_prior (contents) and scoring.

    ``training`` replaces values of the recipe for all variants alike, e.g. ``steps=3`` in a test.
    """
    values = {
        "training": recipe() | training,
        "sampler": dict(SAMPLER),
        "scoring": dict(SCORING),
    }
    values["default_prior"] = load_prior(values["training"]["prior"]).to_dict()
    changes = [v for v in _line(variant) if v.path]
    for change in changes:
        if change.path[0] != "prior":
            _replace(values, change)
    values["prior"] = load_prior(values["training"]["prior"]).to_dict()
    for change in changes:
        if change.path[0] == "prior":
            _replace(values, change)
    return values


def training_settings(values: dict[str, Any]) -> dict[str, Any]:
    """The part of the settings that the trained weights depend on."""
    return {key: values[key] for key in ("training", "prior")}


def prior_of(values: dict[str, Any]) -> PriorConfig:
    """The prior that the variant is trained on."""
    return PriorConfig.from_dict(copy.deepcopy(values["prior"]), "The prior of a variant")


def default_prior_of(values: dict[str, Any]) -> PriorConfig:
    """The prior of the default recipe."""
    return PriorConfig.from_dict(copy.deepcopy(values["default_prior"]), "The default prior")


def as_today(values: dict[str, Any]) -> dict[str, Any]:
    """The settings with their priors read and written again: a quantity that the prior has gained
    since they were stored stands there with its default, which means "off"."""
    priors = {"prior": prior_of(values), "default_prior": default_prior_of(values)}
    return values | {name: prior.to_dict() for name, prior in priors.items()}


def _line(variant: Variant) -> list[Variant]:
    """The changes from the default to the variant, in order."""
    return [variant] if variant.name == DEFAULT else [*_line(find(variant.base)), variant]


def _replace(values: dict[str, Any], change: Variant) -> None:
    for key in change.path[:-1]:
        values = values[key]
    if change.path[-1] not in values:
        raise KeyError(f"{change.name}: {'.'.join(change.path)} is not among the settings")
    values[change.path[-1]] = change.value
