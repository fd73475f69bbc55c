"""The list: one change at a time, each of which can be trained."""

import pytest

from agmpk.paper.ablations import variants as setting
from agmpk.paper.ablations.results import meanings
from agmpk.paper.ablations.variants import (
    DEFAULT,
    VARIANTS,
    YARDSTICK,
    find,
    prior_of,
    settings,
    training_settings,
)
from agmpk.prior import load_prior
from agmpk.store import digest
from agmpk.training.config import TrainingConfig


def leaves(values, path=()):
    """All values by path."""
    if not isinstance(values, dict):
        return {path: values}
    return {k: v for key, part in values.items() for k, v in leaves(part, (*path, key)).items()}


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)
def test_a_variant_differs_from_its_base_in_one_value(variant):
    mine, base = leaves(settings(variant)), leaves(settings(find(variant.base)))
    changed = {path for path in mine.keys() | base.keys() if mine.get(path) != base.get(path)}
    if variant.path == ("training", "prior"):
        # The name of a prior stands for its contents.
        changed = {path for path in changed if path[0] != "prior"}
    # A law of the prior is a value of several leaves.
    assert {path[: len(variant.path)] for path in changed} == (
        {variant.path} if variant.path else set()
    )


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)
def test_a_variant_can_be_trained_and_has_its_words(variant):
    values = settings(variant)
    TrainingConfig.from_dict(values["training"])
    prior_of(values)
    assert variant.group == YARDSTICK or set(meanings()[variant.group]) == {
        "asks", "better", "worse", "same"
    }  # fmt: skip


def test_the_issue_is_covered():
    """Reference measure, attention, prior, context, scale, steps (issue text), and seeds."""
    have = {v.path: set() for v in VARIANTS}
    for v in VARIANTS:
        have[v.path].add(v.value)
    assert have["training", "model", "reference"] == {"white", "gp", "context"}
    assert have["training", "model", "attention"] == {"continuum"}
    assert have["training", "model", "scale"] == {"raw"}
    assert have["training", "model", "use_context"] == {False}
    assert have["training", "prior"] == {"paper", "extended"}
    assert have["sampler", "steps"] == {1, 2, 8, 16, 100}
    assert len(have["training", "seed"]) >= 2
    names = [v.name for v in VARIANTS]
    assert len(set(names)) == len(names)


def test_only_the_training_decides_whether_a_run_is_shared():
    default, steps, seed = (settings(find(n)) for n in (DEFAULT, "steps-1", "seed-1"))
    assert digest(training_settings(default)) == digest(training_settings(steps))
    assert digest(training_settings(default)) != digest(training_settings(seed))
    assert digest(default) != digest(steps)


def test_the_digest_sees_the_contents_of_the_prior(monkeypatch):
    before = digest(settings(find(DEFAULT)))
    other = load_prior("calibrated").replace(assay={"lloq_probability": 0.5})
    monkeypatch.setattr(setting, "load_prior", lambda name: other)
    assert digest(settings(find(DEFAULT))) != before
