"""Tiers: how much work a run of the notebooks does, one small YAML file each.

::

    description: seconds a notebook, for tests
    minutes: {forecasting: 0.5}            # a first guess, used until a run has been timed
    chapters: {forecasting: {n_samples: 4}}  # values for the notebook's parameters cell
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import papermill
import yaml

from agmpk.companion.project import Project
from agmpk.errors import AgmpkError


@dataclass(frozen=True)
class Tier:
    """A tier: per chapter, the parameters it sets and the minutes it is expected to take."""

    name: str
    description: str
    minutes: Mapping[str, float]
    chapters: Mapping[str, Mapping[str, Any]]

    def parameters(self, chapter: str) -> dict[str, Any]:
        """Parameters this tier sets for ``chapter``; raises when it has no entry."""
        if chapter not in self.chapters:
            raise AgmpkError(
                f"Tier {self.name!r} has no entry for chapter {chapter!r}: add "
                f"'{chapter}: {{}}' under 'chapters' in notebooks/tiers/{self.name}.yaml."
            )
        return dict(self.chapters[chapter])


def load_tier(project: Project, name: str) -> Tier:
    """Read and check ``notebooks/tiers/NAME.yaml``."""
    path = project.tier_file(name)
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml"))) or "none"
        raise AgmpkError(f"There is no tier {name!r}; the tiers are {known}.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        fault = " ".join(str(error).split())
        raise AgmpkError(f"{path.name} is not valid YAML: {fault}") from error
    if not isinstance(content, dict) or set(content) != {"description", "minutes", "chapters"}:
        raise AgmpkError(
            f"{path.name} must have exactly the keys description, minutes and chapters."
        )
    for key in ("minutes", "chapters"):
        for chapter in content[key]:
            if chapter not in project.chapters():
                raise AgmpkError(
                    f"{path.name} has an entry for chapter {chapter!r} under {key!r}, which "
                    f"_toc.yml does not have; remove it or mend its name."
                )
    chapters = {chapter: values or {} for chapter, values in content["chapters"].items()}
    return Tier(name, content["description"], content["minutes"], chapters)


def notebook_parameters(path: Path) -> dict[str, dict[str, Any]]:
    """Names, defaults and comments of the cell tagged ``parameters``, as papermill reads them.

    Returns an empty mapping when the notebook has no such cell.
    """
    with warnings.catch_warnings():
        # papermill warns about lines it cannot parse; an unknown name is our error, said below.
        warnings.simplefilter("ignore")
        return papermill.inspect_notebook(str(path))


def check_parameters(project: Project, tier: Tier, chapter: str) -> dict[str, Any]:
    """The parameters of ``chapter`` in ``tier``, all known to the notebook; raises otherwise.

    papermill itself only warns about an unknown name, and the value would silently do nothing.
    """
    parameters = tier.parameters(chapter)
    known = notebook_parameters(project.notebook(chapter))
    for name in parameters:
        if name not in known:
            raise AgmpkError(
                f"notebooks/tiers/{tier.name}.yaml sets {name!r} for {chapter}.ipynb, whose "
                f"parameters cell knows only: {', '.join(known) or 'nothing'}."
            )
    return parameters
