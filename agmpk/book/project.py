"""The book project: where its parts lie, which chapters it has, how much work a run of them does
(tiers), and whether an executed chapter is what a run would give now (named digests in a stamp).

A tier is one small YAML file in ``notebooks/tiers/``::

    description: seconds a notebook, for tests
    minutes: {forecasting: 0.5}            # about; the longest runs first
    chapters: {forecasting: {n_samples: 4}}  # values for the notebook's parameters cell

What a chapter rests on of the package is what its kernel executed of it, told by the watch on it
(``agmpk/book/watch.py``): a module that was not reached can change nothing.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import papermill
import yaml

from agmpk.config import load_yaml, read_config
from agmpk.errors import AgmpkError
from agmpk.files import atomic_path, sha256

_RUNNER = ("execute.py", "watch.py")


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


def package_data(modules: Iterable[Path]) -> set[Path]:
    """Files that ship beside ``modules`` (presets, tables), in their folders and in subfolders
    that are not packages themselves."""
    found: set[Path] = set()
    pending = list({module.parent for module in modules})
    while pending:
        for path in pending.pop().iterdir():
            if path.is_dir() and path.name != "__pycache__" and not (path / "__init__.py").exists():
                pending.append(path)
            elif path.is_file() and path.suffix not in (".py", ".pyc"):
                found.add(path)
    return found


def chapter_digest(
    project: Project,
    chapter: str,
    parameters: Mapping[str, Any],
    modules: Iterable[str] | None = None,
) -> dict[str, str]:
    """Digest of each thing the executed chapter depends on, by name.

    The names: the notebook (cells and metadata), every parameter of the tier, every module of the
    package among ``modules`` (default: all) that exists and the files that ship beside it, every
    declared input file, the lock, the Python version and the modules that execute it. A notebook
    whose metadata say ``agmpk.describes_build`` depends on the stamps of all other chapters that do
    not, too.
    """
    parts = {
        f"notebooks/{chapter}.ipynb": _notebook_digest(project.notebook(chapter)),
        "requirements.lock": sha256(project.root / "requirements.lock"),
        "Python": platform.python_version(),
        **{f"agmpk/book/{n}": sha256(Path(__file__).with_name(n)) for n in _RUNNER},
    }
    for name, value in parameters.items():
        parts[f"parameter {name}"] = json.dumps(value, sort_keys=True, default=str)
    code = [project.root / name for name in modules or ()]
    if modules is None:
        code = list((project.root / project.package).rglob("*.py"))
    code = [file for file in code if file.is_file()]
    files = {*code, *package_data(code), *input_files(project, chapter, parameters)}
    if project.metadata(chapter).get("describes_build"):
        stamps = [project.stamp(other) for other in project.described()]
        files |= {stamp for stamp in stamps if stamp.is_file()}
    for file in sorted(files):
        parts[file.relative_to(project.root).as_posix()] = sha256(file)
    return parts


def reached(project: Project, parts: Mapping[str, str], modules: Iterable[str]) -> dict[str, str]:
    """Of the digests of everything, those of a chapter whose kernel executed ``modules``."""
    modules = set(modules)
    beside = package_data(project.root / name for name in modules)
    kept = modules | {file.relative_to(project.root).as_posix() for file in beside}
    kept |= {f"agmpk/book/{name}" for name in _RUNNER}
    package = f"{project.package}/"
    return {n: digest for n, digest in parts.items() if n in kept or not n.startswith(package)}


def input_files(project: Project, chapter: str, parameters: Mapping[str, Any]) -> list[Path]:
    """The files the notebook declares as inputs, folders expanded; raises when one is missing."""
    files = []
    for entry in project.inputs(chapter, parameters):
        path = project.root / entry
        if not path.exists():
            raise AgmpkError(
                f"{chapter}.ipynb declares the input {entry}, which does not exist; restore it or "
                f"take it out of the notebook's metadata (agmpk.inputs)."
            )
        inside = sorted(file for file in path.rglob("*") if file.is_file())
        files += [path] if path.is_file() else [f for f in inside if f.parent.name != "__pycache__"]
    return files


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """What changed from ``old`` to ``new``, in words: ``["agmpk/prior/laws.py changed"]``."""
    found = [f"{name} changed" for name in new if name in old and old[name] != new[name]]
    found += [f"{name} is new" for name in new if name not in old]
    found += [f"{name} is gone" for name in old if name not in new]
    return found


def _notebook_digest(path: Path) -> str:
    """Digest of what matters in a notebook: cells and notebook metadata, not outputs or layout."""
    notebook = nbformat.read(path, as_version=4)
    content = [
        dict(notebook.metadata),
        [(cell.cell_type, cell.source, dict(cell.metadata)) for cell in notebook.cells],
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Stamp:
    """How a chapter was executed. ``parts`` are the named digests, ``output`` that of the executed
    notebook, ``reads`` the data it opened, ``processor`` the seconds of processor time."""

    chapter: str
    tier: str
    parameters: Mapping[str, Any]
    seconds: float
    date: str
    machine: str
    parts: Mapping[str, str]
    output: str
    reads: list[str] = field(default_factory=list)
    processor: float = 0.0


def read_stamp(project: Project, chapter: str) -> Stamp | None:
    """The stamp of ``chapter``; None where it was never executed or the stamp is unreadable."""
    try:
        return Stamp(**json.loads(project.stamp(chapter).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_stamp(project: Project, stamp: Stamp) -> None:
    """Write the stamp beside the executed notebook, whole or not at all."""
    with atomic_path(project.stamp(stamp.chapter)) as temporary:
        temporary.write_text(json.dumps(asdict(stamp), indent=1) + "\n", encoding="utf-8")


def stale_reasons(project: Project, tier: Tier, chapter: str) -> list[str]:
    """Why the executed ``chapter`` is not what ``tier`` would give now; empty if it is."""
    parameters = check_parameters(project, tier, chapter)
    stamp = read_stamp(project, chapter)
    executed = project.executed_notebook(chapter)
    if stamp is None or not executed.is_file():
        return ["never executed"]
    reasons = [] if stamp.tier == tier.name else [f"was executed in tier {stamp.tier}"]
    if sha256(executed) != stamp.output:
        reasons.append(f"{executed.relative_to(project.root).as_posix()} is damaged or was edited")
    code = [n for n in stamp.parts if n.startswith(f"{project.package}/") and n.endswith(".py")]
    return reasons + differences(stamp.parts, chapter_digest(project, chapter, parameters, code))
