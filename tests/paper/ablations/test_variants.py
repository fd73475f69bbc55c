"""The list: one change at a time, each of which can be trained."""

import pytest

from agmpk.paper.ablations import run as setting
from agmpk.paper.ablations.results import MEANINGS
from agmpk.paper.ablations.run import (
    DEFAULT,
    VARIANTS,
    YARDSTICK,
    find,
    prior_of,
    settings,
    shipped,
    training_settings,
)
from agmpk.prior import load_prior
from agmpk.store import digest
from agmpk.training.config import TrainingConfig


def leaves(values, path=""):
    """All values by path."""
    if not isinstance(values, dict):
        return {path[1:]: values}
    return {k: v for key, part in values.items() for k, v in leaves(part, f"{path}.{key}").items()}


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)
def test_a_variant_differs_from_the_default_in_one_value(variant):
    mine, base = leaves(settings(variant)), leaves(settings(find(DEFAULT)))
    changed = {path for path in mine.keys() | base.keys() if mine.get(path) != base.get(path)}
    if variant.path == "training.prior":
        # The name of a prior stands for its contents.
        changed = {path for path in changed if not path.startswith("prior.")}
    if variant.path == "training.kind":
        # Another network may lack options of the default's; those that it has are equal.
        changed = {path for path in changed if path in mine and path in base}
    assert changed == ({variant.path} if variant.path else set())


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)
def test_a_variant_can_be_trained_and_has_its_words(variant):
    values = settings(variant)
    TrainingConfig.from_dict(values["training"])
    prior_of(values)
    assert variant.group == YARDSTICK or set(MEANINGS[variant.group]) == {
        "asks", "better", "worse", "same"
    }  # fmt: skip


def test_the_issue_is_covered():
    """Process, doses, limit tokens, study, prior, computing, optimizer, transport, and seeds."""
    have = {v.path: set() for v in VARIANTS}
    for v in VARIANTS:
        have[v.path].add(v.value)
    assert have["training.model.process"] == {"fixed", "white"}
    for option in ("dose_tokens", "limit_tokens", "use_context"):
        assert have[f"training.model.{option}"] == {False}
    assert have["training.prior"] == {"paper", "calibrated", "extended"}
    half, twice = sorted(have["training.steps"])
    assert 2 * half == shipped("recipe")["steps"] and twice == 2 * shipped("recipe")["steps"]
    assert have["training.optimizer"] == {"adamw"}
    assert have["training.kind"] == {"aicmet", "set", "diffusion"}
    assert have["training.seed"] | {shipped("recipe")["seed"]} == {0, 1, 2}
    names = [v.name for v in VARIANTS]
    assert len(set(names)) == len(names)


def test_the_recipe_says_what_the_training_would_assume():
    """Every option of the small model stands in the recipe, so that a stored result names it."""
    told = TrainingConfig.from_dict(shipped("recipe")).to_dict()["model"]
    assert set(told) - set(shipped("recipe")["model"]) == {"temperature"}


def test_only_the_training_decides_whether_a_run_is_shared():
    default, seed = (settings(find(n)) for n in (DEFAULT, "seed-1"))
    scored = default | {"scoring": default["scoring"] | {"samples": 8}}
    assert digest(training_settings(default)) == digest(training_settings(scored))
    assert digest(training_settings(default)) != digest(training_settings(seed))
    assert digest(default) != digest(scored)


def test_the_digest_sees_the_contents_of_the_prior(monkeypatch):
    before = digest(settings(find(DEFAULT)))
    other = load_prior("calibrated").replace(assay={"lloq_probability": 0.5})
    monkeypatch.setattr(setting, "load_prior", lambda name: other)
    assert digest(settings(find(DEFAULT))) != before
