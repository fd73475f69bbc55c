"""What an executed chapter depends on, as named digests, so that a change can be named."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat

from agmpk.companion import note
from agmpk.companion.imports import notebook_closure, package_data
from agmpk.companion.project import Project
from agmpk.errors import AgmpkError
from agmpk.files import sha256


def chapter_digest(project: Project, chapter: str, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Digest of each thing the executed chapter depends on, by name.

    The names: the notebook (cells and metadata), every parameter of the tier, every module of the
    package in the import closure and the files that ship beside it, every declared input file, the
    lock, the Python version and the module that writes the note on top. A notebook whose metadata
    say ``agmpk.describes_build`` depends on the stamps of all other chapters too.
    """
    notebook = project.notebook(chapter)
    parts = {
        f"notebooks/{chapter}.ipynb": _notebook_digest(notebook),
        "requirements.lock": sha256(project.root / "requirements.lock"),
        "Python": platform.python_version(),
        "agmpk/companion/note.py": sha256(Path(note.__file__)),
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
