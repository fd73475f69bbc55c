"""Whether an executed chapter is what a run would give now: named digests, kept in a stamp.

What a chapter rests on of the package is read from the source without running it: ``import``
statements anywhere in the code (also inside functions), relative ones included, with the
``__init__`` of every package on the way. A module named only in a string is not seen.
"""

from __future__ import annotations

import ast
import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

from agmpk.book.tiers import Project, Tier, check_parameters
from agmpk.errors import AgmpkError
from agmpk.files import atomic_path, sha256


def notebook_closure(notebook: Path, root: Path, package: str = "agmpk") -> tuple[Path, ...]:
    """Files of ``package`` under ``root`` that ``notebook`` imports, directly or not, sorted."""
    cells = nbformat.read(notebook, as_version=4).cells
    found: set[Path] = set()
    pending: list[tuple[str, ...]] = []
    for number, cell in enumerate(cells):
        if cell.cell_type != "code":
            continue
        try:
            # Magics and shell escapes become plain Python first.
            tree = ast.parse(TransformerManager().transform_cell(cell.source))
        except SyntaxError as error:
            raise AgmpkError(
                f"{notebook.name}, cell {number}: not valid Python ({error.msg}, "
                f"line {error.lineno} of the cell)."
            ) from error
        pending += _imported(tree, (), package)
    while pending:
        for file in _module_files(pending.pop(), root):
            if file not in found:
                found.add(file)
                here = file.relative_to(root).with_suffix("").parts
                parent = here[:-1]  # for a package's __init__, the package itself
                pending += _imported(ast.parse(file.read_bytes(), str(file)), parent, package)
    return tuple(sorted(found))


def package_data(modules: Iterable[Path]) -> tuple[Path, ...]:
    """Files that ship beside ``modules`` (presets, tables), in their folders and in subfolders
    that are not packages themselves; sorted."""
    found: set[Path] = set()
    pending = list({module.parent for module in modules})
    while pending:
        for path in pending.pop().iterdir():
            if path.is_dir() and path.name != "__pycache__" and not (path / "__init__.py").exists():
                pending.append(path)
            elif path.is_file() and path.suffix not in (".py", ".pyc"):
                found.add(path)
    return tuple(sorted(found))


def _imported(tree: ast.AST, parent: tuple[str, ...], package: str) -> list[tuple[str, ...]]:
    """Dotted names, as tuples, that ``tree`` imports from ``package``."""
    names: list[tuple[str, ...]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = tuple(node.module.split(".")) if node.module else ()
            if node.level:
                base = parent[: len(parent) - node.level + 1] + base
            names.append(base)
            # ``from agmpk.prior import ou`` may name a module as well as an attribute.
            names += [(*base, alias.name) for alias in node.names]
    return [name for name in names if name[:1] == (package,)]


def _module_files(name: tuple[str, ...], root: Path) -> list[Path]:
    """Files executed by importing ``name``: each package's ``__init__`` and the module itself.

    The last part may be an attribute rather than a module; then it adds nothing.
    """
    files = []
    for depth in range(1, len(name) + 1):
        path = root.joinpath(*name[:depth])
        files += [path / "__init__.py", path.with_name(path.name + ".py")]
    return [file for file in files if file.is_file()]


def chapter_digest(project: Project, chapter: str, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Digest of each thing the executed chapter depends on, by name.

    The names: the notebook (cells and metadata), every parameter of the tier, every module of the
    package in the import closure and the files that ship beside it, every declared input file, the
    lock, the Python version and the module that executes it. A notebook whose metadata
    say ``agmpk.describes_build`` depends on the stamps of all other chapters too.
    """
    notebook = project.notebook(chapter)
    parts = {
        f"notebooks/{chapter}.ipynb": _notebook_digest(notebook),
        "requirements.lock": sha256(project.root / "requirements.lock"),
        "Python": platform.python_version(),
        "agmpk/book/execute.py": sha256(Path(__file__).with_name("execute.py")),
    }
    for name, value in parameters.items():
        parts[f"parameter {name}"] = json.dumps(value, sort_keys=True, default=str)
    modules = notebook_closure(notebook, project.root)
    files = [*modules, *package_data(modules), *input_files(project, chapter, parameters)]
    if project.metadata(chapter).get("describes_build"):
        stamps = [project.stamp(other) for other in project.chapters() if other != chapter]
        files += [stamp for stamp in stamps if stamp.is_file()]
    for file in files:
        parts[file.relative_to(project.root).as_posix()] = sha256(file)
    return parts


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
    """What changed from ``old`` to ``new``, in words: ``["agmpk/prior/ou.py changed"]``."""
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
    """How a chapter was executed. ``parts`` are the named digests, ``reads`` the data it opened."""

    chapter: str
    tier: str
    parameters: Mapping[str, Any]
    seconds: float
    date: str
    machine: str
    parts: Mapping[str, str]
    reads: list[str] = field(default_factory=list)


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
    if stamp is None or not project.executed_notebook(chapter).is_file():
        return ["never executed"]
    reasons = [] if stamp.tier == tier.name else [f"was executed in tier {stamp.tier}"]
    return reasons + differences(stamp.parts, chapter_digest(project, chapter, parameters))
