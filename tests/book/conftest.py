"""A small book project in a temporary folder: two chapters, a package, data, three tiers."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
import yaml

from agmpk.book.project import Project

PARAMETERS = "n = 1  # how many"


def _notebook(path: Path, *cells: str, parameters: str = PARAMETERS, **metadata) -> None:
    """A notebook with a title, the parameters cell, and ``cells`` of code."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata.update(
        kernelspec={"name": "python3", "display_name": "Python 3", "language": "python"},
        agmpk=metadata,
    )
    notebook.cells = [
        nbformat.v4.new_markdown_cell(f"# Chapter {path.stem}", id="title"),
        nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}, id="parameters"),
        *(nbformat.v4.new_code_cell(cell, id=f"cell-{i}") for i, cell in enumerate(cells)),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def _tier(project: Project, name: str, **chapters) -> None:
    """A tier that sets the given parameters, and nothing for the other chapters."""
    content = {
        "description": f"the {name} tier",
        "minutes": {"alpha": 0.1},
        "chapters": {"alpha": {}, "beta": {}, **chapters},
    }
    project.tier_file(name).parent.mkdir(parents=True, exist_ok=True)
    project.tier_file(name).write_text(yaml.safe_dump(content), encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Chapter alpha imports ``toy.one``, which imports ``toy.two``; beta reads ``data/b.csv``."""
    project = Project(tmp_path, "toy")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("agmpk.cli.book.Project", lambda root: project)  # whose package is no agmpk
    project.toc.write_text(
        yaml.safe_dump(
            {
                "format": "jb-book",
                "root": "index",
                "parts": [
                    {"chapters": [{"file": "chapters/alpha"}]},
                    {"chapters": [{"file": "chapters/beta"}, {"file": "glossary"}]},
                ],
            }
        ),
        encoding="utf-8",
    )
    _notebook(project.notebook("alpha"), "from toy.one import thing", "n + 1")
    _notebook(project.notebook("beta"), "print(open('data/b.csv').read())", inputs=["data/b.csv"])
    for name in ("smoke", "laptop", "paper"):
        _tier(project, name)
    (tmp_path / "requirements.lock").write_text("numpy==2.4.6\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "b.csv").write_text("b\n")
    (tmp_path / "data" / "secret.csv").write_text("s\n")
    package = tmp_path / "toy"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("from .two import deep\n\nthing = deep\n")
    (package / "two.py").write_text("deep = 1\n")
    (package / "unused.py").write_text("x = 1\n")
    return project


@pytest.fixture
def write_notebook(project: Project):
    """``write_notebook(chapter, *cells, **metadata)`` replaces a chapter of ``project``."""
    return lambda chapter, *cells, **data: _notebook(project.notebook(chapter), *cells, **data)


@pytest.fixture
def write_tier(project: Project):
    """``write_tier(name, alpha={"n": 3})`` replaces a tier of ``project``."""
    return lambda name, **chapters: _tier(project, name, **chapters)
