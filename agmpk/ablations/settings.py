"""What a variant is in full: recipe, prior, sampler and scoring as plain values, and their digest.

The digest covers values only, never code: reformatting a file does not make a result stale, and a
change of the code that matters asks for deleting what is stored and running again.
"""

from __future__ import annotations

import copy
import hashlib
import json
from importlib import resources
from typing import Any

import yaml

from agmpk.ablations.variants import DEFAULT, Variant, find
from agmpk.prior import PriorConfig, load_prior

# How every variant is judged.  individuals: per development cohort, the first ones; studies: held
# out per prior, with so many targets each; seed: of the held-out studies and of the samples.
SCORING = {"prefix": 4, "samples": 64, "individuals": 13, "studies": 64, "targets": 3, "seed": 7}
SAMPLER = {"steps": 4}


def recipe() -> dict[str, Any]:
    """The small recipe of all ablations, as it stands in its file."""
    text = (resources.files("agmpk.ablations") / "recipe.yaml").read_text("utf-8")
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


def digest(values: dict[str, Any]) -> str:
    """16 hexadecimal digits that name these values."""
    text = json.dumps(values, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _line(variant: Variant) -> list[Variant]:
    """The changes from the default to the variant, in order."""
    return [variant] if variant.name == DEFAULT else [*_line(find(variant.base)), variant]


def _replace(values: dict[str, Any], change: Variant) -> None:
    for key in change.path[:-1]:
        values = values[key]
    if change.path[-1] not in values:
        raise KeyError(f"{change.name}: {'.'.join(change.path)} is not among the settings")
    values[change.path[-1]] = change.value
