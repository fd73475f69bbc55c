"""Whether an executed chapter is what a run would give now: named digests, kept in a stamp.

What a chapter rests on of the package is read from the source without running it (by grimp): every
``import`` anywhere in the code, also inside functions, and the ``__init__`` of every package on the
way; not those that only type checkers see, nor a module named only in a string, except in the
``__init__`` of a folder that fetches its names when they are asked for.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import grimp
import nbformat
from IPython.core.inputtransformer2 import TransformerManager

from agmpk.book.tiers import Project, Tier, check_parameters
from agmpk.errors import AgmpkError
from agmpk.files import atomic_path, sha256

_RUNNER = ("execute.py", "dress.py")


def notebook_closure(project: Project, chapter: str) -> tuple[Path, ...]:
    """Files of the package that a chapter's notebook imports, directly or not, sorted.

    Raises:
        AgmpkError: a cell, or a module, is not valid Python.
    """
    names = _imported(project, chapter)
    if not names:
        return ()
    graph, face = _import_graph(project), _face(project)
    found: set[str] = set()
    pending = [face.get(name, name) for name in names]
    while pending:
        name = pending.pop()
        if name and name not in found:
            found.add(name)
            # Importing a module runs the __init__ of every package above it.
            pending.append(name.rpartition(".")[0])
            if name in graph.modules:  # else an attribute, whose module is the part before it
                pending += graph.find_modules_directly_imported_by(name)
                if name != project.package:
                    pending += _later(_file(project, name), name) & graph.modules
    return tuple(sorted(_file(project, name) for name in found & graph.modules))


def _file(project: Project, name: str) -> Path:
    """The file of a module."""
    path = project.root.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _later(file: Path, name: str) -> set[str]:
    """What a folder whose face fetches names when they are asked for may fetch: all that its
    strings, and its block for type checkers, name."""
    if file.name != "__init__.py":
        return set()
    tree = ast.parse(file.read_bytes())
    if not any(isinstance(n, ast.FunctionDef) and n.name == "__getattr__" for n in tree.body):
        return set()
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {node.value, f"{name}.{node.value}"}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


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


def _import_graph(project: Project) -> grimp.ImportGraph:
    """Who imports whom in the package, read from its source; what only type checkers see left out.

    Raises:
        AgmpkError: the package that would be imported is not the one beside the notebooks.
    """
    beside = project.root / project.package
    spec = importlib.util.find_spec(project.package)
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not (places and beside.is_dir() and os.path.samefile(places[0], beside)):
        raise AgmpkError(
            f"Notebooks here would import {project.package} from {places or 'nowhere'}, not from "
            f"{beside}: use the environment of this checkout (make setup)."
        )
    files = sorted(beside.rglob("*.py"))
    return _graph_of(project.package, tuple((str(f), f.stat().st_mtime_ns) for f in files))


@lru_cache(maxsize=4)
def _graph_of(package: str, _files: tuple) -> grimp.ImportGraph:
    try:
        return grimp.build_graph(package, exclude_type_checking_imports=True, cache_dir=None)
    except grimp.exceptions.GrimpException as error:
        raise AgmpkError(f"The imports of {package} cannot be read: {error}.") from error


def _face(project: Project) -> dict[str, str]:
    """Where the names live that the package's own __init__ fetches when they are asked for: it
    names them in a block for type checkers."""
    tree = ast.parse((project.root / project.package / "__init__.py").read_bytes())
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    return {
        f"{project.package}.{alias.name}": node.module
        for block in blocks
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def _imported(project: Project, chapter: str) -> set[str]:
    """Dotted names of the package that the notebook imports, or reaches by ``package.name``."""
    notebook, nodes = project.notebook(chapter), []
    for number, cell in enumerate(nbformat.read(notebook, as_version=4).cells):
        if cell.cell_type != "code":
            continue
        try:
            # Magics and shell escapes become plain Python first.
            nodes += ast.walk(ast.parse(TransformerManager().transform_cell(cell.source)))
        except SyntaxError as error:
            raise AgmpkError(
                f"{notebook.name}, cell {number}: not valid Python ({error.msg}, "
                f"line {error.lineno} of the cell)."
            ) from error
    names, called = set(), {}  # called: what the notebook calls the modules it imports
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
            for alias in node.names:
                top = alias.name.split(".")[0]
                called[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module:
            # ``from agmpk.prior import ou`` may name a module as well as an attribute.
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names.add(f"{called.get(node.value.id, '')}.{node.attr}")
    return {name for name in names if name.split(".")[0] == project.package}


def chapter_digest(project: Project, chapter: str, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Digest of each thing the executed chapter depends on, by name.

    The names: the notebook (cells and metadata), every parameter of the tier, every module of the
    package in the import closure and the files that ship beside it, every declared input file, the
    lock, the Python version and the modules that execute it. A notebook whose metadata say
    ``agmpk.describes_build`` depends on the stamps of all other chapters that do not, too.
    """
    notebook = project.notebook(chapter)
    parts = {
        f"notebooks/{chapter}.ipynb": _notebook_digest(notebook),
        "requirements.lock": sha256(project.root / "requirements.lock"),
        "Python": platform.python_version(),
        **{f"agmpk/book/{n}": sha256(Path(__file__).with_name(n)) for n in _RUNNER},
    }
    for name, value in parameters.items():
        parts[f"parameter {name}"] = json.dumps(value, sort_keys=True, default=str)
    modules = notebook_closure(project, chapter)
    files = [*modules, *package_data(modules), *input_files(project, chapter, parameters)]
    if project.metadata(chapter).get("describes_build"):
        stamps = [project.stamp(other) for other in project.described()]
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
    return reasons + differences(stamp.parts, chapter_digest(project, chapter, parameters))
