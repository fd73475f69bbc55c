"""A tier that does not fit the notebooks is an error that says what to mend."""

import pytest

from agmpk.book.project import check_parameters, load_tier, notebook_parameters
from agmpk.errors import AgmpkError


def rewrite(project, tier, old, new):
    path = project.tier_file(tier)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_known_parameter_is_passed_on(project, write_tier):
    write_tier("smoke", alpha={"n": 3})
    assert check_parameters(project, load_tier(project, "smoke"), "alpha") == {"n": 3}


def test_unknown_tier_names_the_known_ones(project):
    with pytest.raises(AgmpkError, match="no tier 'huge'; the tiers are laptop, paper, smoke"):
        load_tier(project, "huge")


def test_unknown_parameter_names_file_and_known_names(project, write_tier):
    write_tier("smoke", alpha={"m": 3})
    with pytest.raises(AgmpkError, match=r"smoke.yaml sets 'm' for alpha.ipynb.*only: n"):
        check_parameters(project, load_tier(project, "smoke"), "alpha")


def test_unknown_chapter_in_a_tier(project, write_tier):
    write_tier("smoke", gamma={})
    with pytest.raises(AgmpkError, match=r"smoke.yaml has an entry for chapter 'gamma'"):
        load_tier(project, "smoke")


def test_missing_chapter_in_a_tier(project):
    rewrite(project, "smoke", "  beta: {}\n", "")
    with pytest.raises(AgmpkError, match=r"'smoke' has no entry for chapter 'beta'"):
        check_parameters(project, load_tier(project, "smoke"), "beta")


def test_broken_yaml_names_the_file(project):
    project.tier_file("smoke").write_text("a: [")
    with pytest.raises(AgmpkError, match=r"smoke.yaml is not valid YAML"):
        load_tier(project, "smoke")


def test_superfluous_key(project):
    rewrite(project, "smoke", "minutes:", "minuten:")
    with pytest.raises(AgmpkError, match="smoke.yaml does not know minuten; it knows"):
        load_tier(project, "smoke")


def test_defaults_and_comments_are_read_from_the_parameters_cell(project):
    entry = notebook_parameters(project.notebook("alpha"))["n"]
    assert (entry["default"], entry["help"]) == ("1", "how many")
