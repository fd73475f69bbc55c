"""Every prior that was ever written still reads, and what it does not name is off."""

import json
from dataclasses import MISSING, fields, is_dataclass

import pytest

from agmpk.errors import AgmpkError
from agmpk.files import data_path
from agmpk.prior import PriorConfig, load_prior, presets
from agmpk.prior import config as prior_config
from agmpk.prior.config import VERSION

SHIPPED = sorted(data_path("checkpoints").glob("*/checkpoint.json"))


def optional(config: PriorConfig) -> list[tuple[str, str, object]]:
    """(group, quantity, what it means to be without it) of all that may be missing."""
    return [
        (group.name, one.name, one.default)
        for group in fields(config)
        if is_dataclass(getattr(config, group.name))
        for one in fields(getattr(config, group.name))
        if one.default is not MISSING
    ]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.parent.name)
def test_priors_of_checkpoints_read(path):
    written = json.loads(path.read_text("utf-8"))["prior"]
    config = PriorConfig.from_dict(written)
    for group, name, off in optional(config):
        if name not in written[group]:
            assert getattr(getattr(config, group), name) == off
    assert config.version == written.get("version", 1)


@pytest.mark.parametrize("name", presets())
def test_a_prior_reads_without_each_of_the_quantities_added_later(name):
    values = load_prior(name).to_dict()
    for group, one, off in optional(load_prior(name)):
        fewer = {**values, group: {k: v for k, v in values[group].items() if k != one}}
        if (group, one) == ("disposition", "half_lives_in_horizon"):
            continue
        assert getattr(getattr(PriorConfig.from_dict(fewer), group), one) == off


def test_what_is_missing_draws_nothing():
    config = load_prior("paper")
    for group, name, off in optional(config):
        if name.endswith("probability"):
            assert off == 0 and getattr(getattr(config, group), name) == 0


def test_a_preset_is_called_like_its_file(tmp_path, monkeypatch):
    file = tmp_path / "mine.yaml"
    file.write_text(json.dumps(load_prior("paper").to_dict()))
    assert load_prior(file).name == "paper"  # a file of one's own may have any
    monkeypatch.setattr(prior_config, "shipped", lambda *where: {"mine": file})
    with pytest.raises(AgmpkError, match="mine.yaml has the name paper: name it mine"):
        load_prior("mine")


def test_bounds_of_a_law_are_numbers():
    values = load_prior("paper").to_dict()
    values["assay"]["lloq"] = {"uniform": ["low", 1]}
    with pytest.raises(AgmpkError, match="lloq must be a number, not 'low'"):
        PriorConfig.from_dict(values)


def test_a_prior_of_the_future_is_refused():
    values = {**load_prior("paper").to_dict(), "version": VERSION + 1}
    with pytest.raises(AgmpkError, match="update the package"):
        PriorConfig.from_dict(values)
    clinic = load_prior("clinic")
    with pytest.raises(AgmpkError, match="half_lives_in_horizon"):
        clinic.replace(disposition={"half_lives_in_horizon": None})
