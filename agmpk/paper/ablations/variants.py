"""The list of ablations: each variant is the default with one value replaced, by construction; and
what a variant is in full: recipe, prior and scoring as plain values.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, fields
from importlib import resources
from typing import Any

import yaml

from agmpk.errors import AgmpkError
from agmpk.models.registry import model_classes
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
        path, value: where the settings of the default change, and to what; empty for the default.
    """

    name: str
    group: str
    text: str
    path: tuple[str, ...] = ()
    value: Any = None


def _training(name: str, group: str, text: str, option: str, value: Any) -> Variant:
    return Variant(name, group, text, ("training", option), value)


def _model(name: str, group: str, text: str, option: str, value: Any) -> Variant:
    return Variant(name, group, text, ("training", "model", option), value)


VARIANTS = (
    Variant(DEFAULT, YARDSTICK, "the default"),
    *(
        _training(f"seed-{n}", YARDSTICK, f"the default, trained again from seed {n}", "seed", n)
        for n in (1, 2)
    ),
    _model("process-fixed", "process", "one kernel for all studies", "process", "fixed"),
    _model("process-white", "process", "white noise, independent numbers", "process", "white"),
    _model("no-dose-tokens", "doses", "no list of doses", "dose_tokens", False),
    _model("no-limit-tokens", "limits", "no samples below the limit", "limit_tokens", False),
    _model("no-context", "context", "the study is hidden", "use_context", False),
    *(
        _training(f"prior-{name}", "prior", f"prior {name}", "prior", name)
        for name in ("paper", "calibrated", "extended")
    ),
    _training("budget-200", "budget", "200 training steps, half as many", "steps", 200),
    _training("budget-800", "budget", "800 training steps, twice as many", "steps", 800),
    _training("adamw", "optimizer", "AdamW for all weights", "optimizer", "adamw"),
    _training("aicmet", "aicmet", "a latent variable per individual (AICMET)", "kind", "aicmet"),
    _training("set", "set", "no transport: a normal law at every time", "kind", "set"),
    _training("diffusion", "diffusion", "diffusion instead of flow", "kind", "diffusion"),
)


def find(name: str) -> Variant:
    """The variant of that name.

    Raises:
        AgmpkError: there is none.
    """
    by_name = {variant.name: variant for variant in VARIANTS}
    if name not in by_name:
        raise AgmpkError(f"There is no ablation {name!r}: use one of {', '.join(by_name)}.")
    return by_name[name]


# How every variant is judged.  individuals: per development cohort, the first ones; studies: held
# out per prior, with so many targets each; seed: of the held-out studies and of the samples.
SCORING = {
    "protocol": "study",
    "prefix": 4,
    "samples": 64,
    "individuals": 13,
    "studies": 64,
    "targets": 3,
    "seed": 7,
}


def recipe() -> dict[str, Any]:
    """The small recipe of all ablations, as it stands in its file."""
    text = (resources.files("agmpk.paper.ablations") / "recipe.yaml").read_text("utf-8")
    return yaml.safe_load(text)


def settings(variant: Variant, **training: Any) -> dict[str, Any]:
    """training, prior (its contents), default_prior (contents) and scoring.

    ``training`` replaces values of the recipe for all variants alike, e.g. ``steps=3`` in a test.
    A network of another kind keeps the options of the default's that it has.
    """
    values = {"training": recipe() | training, "scoring": dict(SCORING)}
    values["default_prior"] = load_prior(values["training"]["prior"]).to_dict()
    if variant.path:
        _replace(values, variant)
    mine = values["training"]
    known = {f.name for f in fields(model_classes(mine["kind"])[0])}
    mine["model"] = {k: v for k, v in mine["model"].items() if k in known}
    values["prior"] = load_prior(mine["prior"]).to_dict()
    return values


def training_settings(values: dict[str, Any]) -> dict[str, Any]:
    """The part of the settings that the trained weights depend on."""
    return {key: values[key] for key in ("training", "prior")}


def prior_of(values: dict[str, Any], which: str = "prior") -> PriorConfig:
    """The prior that the variant is trained on, or the ``default_prior`` of its settings."""
    return PriorConfig.from_dict(copy.deepcopy(values[which]), f"The {which} of a variant")


def as_today(values: dict[str, Any]) -> dict[str, Any]:
    """The settings with their priors read and written again: a quantity that the prior has gained
    since they were stored stands there with its default, which means "off"."""
    return values | {k: prior_of(values, k).to_dict() for k in ("prior", "default_prior")}


def _replace(values: dict[str, Any], change: Variant) -> None:
    for key in change.path[:-1]:
        values = values[key]
    if change.path[-1] not in values:
        raise KeyError(f"{change.name}: {'.'.join(change.path)} is not among the settings")
    values[change.path[-1]] = change.value
