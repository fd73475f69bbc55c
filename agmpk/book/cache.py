"""Whether an executed chapter is what a run would give now: named digests, kept in a stamp.

What a chapter rests on of the package is what its kernel executed of it, told by the watch on it
(``agmpk/book/watch.py``): a module that was not reached can change nothing.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from agmpk.book.project import Project, Tier, check_parameters
from agmpk.errors import AgmpkError
from agmpk.files import atomic_path, sha256

_RUNNER = ("execute.py", "watch.py")


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
