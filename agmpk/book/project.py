"""The book project: where its parts lie, which chapters it has, and how much work a run of them
does (tiers).

A tier is one small YAML file in ``notebooks/tiers/``::

    description: seconds a notebook, for tests
    minutes: {forecasting: 0.5}            # about; the longest runs first
    chapters: {forecasting: {n_samples: 4}}  # values for the notebook's parameters cell
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import papermill
import yaml

from agmpk.config import load_yaml, read_config
from agmpk.errors import AgmpkError


class Project:
    """The book project under ``root`` (the folder with ``_toc.yml``), whose notebooks import the
    ``package`` beside it."""

    def __init__(self, root: Path, package: str = "agmpk") -> None:
        self.root, self.package = root, package
        self.toc, self.config, self.book = root / "_toc.yml", root / "_config.yml", root / "book"
        self.executed = self.book / "chapters"  # executed notebooks, with their stamps
        self.index_html = self.book / "_build" / "html" / "index.html"  # the page to open

    def notebook(self, chapter: str) -> Path:
        """The source notebook of a chapter."""
        return self.root / "notebooks" / f"{chapter}.ipynb"

    def executed_notebook(self, chapter: str) -> Path:
        """The executed notebook of a chapter."""
        return self.executed / f"{chapter}.ipynb"

    def stamp(self, chapter: str) -> Path:
        """The record of what a chapter was executed from."""
        return self.executed / f"{chapter}.stamp.json"

    def tier_file(self, tier: str) -> Path:
        """The parameters of a tier."""
        return self.root / "notebooks" / "tiers" / f"{tier}.yaml"

    def chapters(self) -> tuple[str, ...]:
        """Names of the executed chapters, in the order of the table of contents.

        A chapter is an entry ``file: chapters/NAME``; it is executed from ``notebooks/NAME.ipynb``.
        """
        if not self.toc.is_file():
            raise AgmpkError(f"{self.toc} is missing: run this from a checkout of the project.")
        content = json.dumps(yaml.safe_load(self.toc.read_text(encoding="utf-8")))
        found = tuple(re.findall('"file": "chapters/([^"]+)"', content))
        for chapter in found:
            if not self.notebook(chapter).is_file():
                raise AgmpkError(
                    f"_toc.yml names chapters/{chapter}, but notebooks/{chapter}.ipynb is missing."
                )
        return found

    def described(self) -> list[str]:
        """The chapters but those that describe the build: they come first."""
        return [n for n in self.chapters() if not self.metadata(n).get("describes_build")]

    def require_chapter(self, chapter: str) -> str:
        """``chapter`` itself; raises when the table of contents does not name it."""
        if chapter not in self.chapters():
            raise AgmpkError(
                f"There is no chapter {chapter!r}; the chapters are {', '.join(self.chapters())}."
            )
        return chapter

    def metadata(self, chapter: str) -> dict[str, Any]:
        """What the notebook says about itself: the ``agmpk`` part of its metadata."""
        notebook = nbformat.read(self.notebook(chapter), as_version=4)
        return dict(notebook.metadata.get("agmpk", {}))

    def inputs(self, chapter: str, parameters: Mapping[str, Any] | None = None) -> tuple[str, ...]:
        """Files and folders the notebook reads, relative to the root.

        They are those of its metadata (``agmpk.inputs``), and the values of ``parameters`` that
        its metadata call inputs (``agmpk.input_parameters``) where they name an existing path: a
        model, say, that is either a name or the folder of a checkpoint.
        """
        metadata = self.metadata(chapter)
        found = list(metadata.get("inputs", ()))
        for name in metadata.get("input_parameters", ()):
            value = (parameters or {}).get(name, ())
            values = [value] if isinstance(value, str) else value
            found += [entry for entry in values if (self.root / str(entry)).exists()]
        return tuple(found)


@dataclass(frozen=True)
class Tier:
    """A tier: per chapter, the parameters it sets and the minutes it is expected to take."""

    name: str
    description: str
    minutes: Mapping[str, float]
    chapters: Mapping[str, Mapping[str, Any] | None]

    def parameters(self, chapter: str) -> dict[str, Any]:
        """Parameters this tier sets for ``chapter``; raises when it has no entry."""
        if chapter not in self.chapters:
            raise AgmpkError(
                f"Tier {self.name!r} has no entry for chapter {chapter!r}: add "
                f"'{chapter}: {{}}' under 'chapters' in notebooks/tiers/{self.name}.yaml."
            )
        return dict(self.chapters[chapter] or {})


def load_tier(project: Project, name: str) -> Tier:
    """Read and check ``notebooks/tiers/NAME.yaml``."""
    path = project.tier_file(name)
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml"))) or "none"
        raise AgmpkError(f"There is no tier {name!r}; the tiers are {known}.")
    content = load_yaml(path)
    if isinstance(content, dict):
        content |= {"name": name}
    tier = read_config(Tier, content, path.name)
    for key in ("minutes", "chapters"):
        for chapter in getattr(tier, key):
            if chapter not in project.chapters():
                raise AgmpkError(
                    f"{path.name} has an entry for chapter {chapter!r} under {key!r}, which "
                    f"_toc.yml does not have; remove it or mend its name."
                )
    return tier


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
