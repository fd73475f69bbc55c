"""What the book's extension does to a page."""

import base64
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from bs4 import BeautifulSoup

from agmpk.book import build, pages
from agmpk.book.build import build_html
from agmpk.book.execute import START
from agmpk.book.plots import figure_html
from agmpk.book.project import Project
from agmpk.book.tables import table_html
from agmpk.errors import AgmpkError

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAAAAAC4HznGAAAAC0lEQVR4nGNgwAYAABQAAeDiA7EAAAAASUVORK5CYII="
)


def test_figures_and_tables_are_counted_by_chapter():
    import pandas as pd

    title = '<h1><span class="section-number">4. </span>Title</h1>'
    figure = figure_html(PNG, "alt", "caption")
    body = title + figure + figure + table_html(pd.DataFrame({"a": [1]}), "caption")
    found = pages._number(body + title.replace("4", "5") + figure)
    assert [f'id="{kind}"' in found for kind in ("figure-4-1", "figure-4-2", "table-4-1")]
    assert found.count(">Figure 4.2</a>") == 1 and found.count(">Figure 5.1</a>") == 1


def test_images_become_files_and_later_ones_load_late(tmp_path):
    app = SimpleNamespace(outdir=tmp_path)
    figure = figure_html(PNG, "alt")
    found = pages._store_images(app, figure + figure, lambda path, _: f"../{path}")
    (file,) = (tmp_path / "_images").iterdir()
    assert file.read_bytes() == PNG and "base64" not in found
    assert found.count(f'src="../_images/{file.name}" width="3" height="2"') == 2
    assert found.count('loading="lazy"') == 1


@pytest.mark.slow
def test_one_address_turns_on_the_buttons_and_another_the_preview(tmp_path, monkeypatch):
    project = Project(tmp_path)
    (project.book / "chapters").mkdir(parents=True)
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "P", "language": "python"}
    exercises = (
        f":::{{exercise}}\n:label: alpha-{n}\n\nWhy?\n:::\n\n"
        f":::{{solution}} alpha-{n}\n:class: dropdown\n\nSo.\n:::"
        for n in (1, 2)
    )
    notebook.cells = [
        nbformat.v4.new_markdown_cell("# Alpha"),
        nbformat.v4.new_code_cell(START.read_text("utf-8"), metadata={"tags": ["remove-cell"]}),
        *map(nbformat.v4.new_markdown_cell, exercises),
    ]
    nbformat.write(notebook, project.executed / "alpha.ipynb")
    project.toc.write_text("format: jb-book\nroot: index\nchapters:\n- file: chapters/alpha\n")
    (project.root / "notebooks").mkdir()
    nbformat.write(notebook, project.notebook("alpha"))
    project.config.write_text(
        "title: T\nexecute: {execute_notebooks: 'off'}\n"
        "parse: {myst_enable_extensions: [colon_fence]}\n"
        "sphinx: {extra_extensions: [agmpk.book.pages, sphinx_exercise]}\n"
    )
    (project.book / "index.md").write_text("# Title\n\nText.\n")
    monkeypatch.setenv("AGMPK_REPOSITORY", "https://github.com/who/what")
    monkeypatch.setenv("AGMPK_SITE", "https://who.example.org/what")
    build_html(project, echo=lambda _: None)
    page = Path(project.index_html.parent, "chapters", "alpha.html").read_text()
    for part in (
        "https://github.com/who/what/edit/main/notebooks/alpha.ipynb",
        "https://github.com/who/what/issues/new",
        "colab.research.google.com/github/who/what/blob/gh-pages/_sources/chapters/alpha.ipynb",
        'href="../_sources/chapters/alpha.ipynb"',
        'property="og:title"',
        'content="https://who.example.org/what/chapters/alpha.html"',
    ):
        assert part in page, part
    copy = Path(project.index_html.parent, "_sources", "chapters", "alpha.ipynb").read_text()
    assert r"repository = \"https://github.com/who/what\"" in copy
    soup = BeautifulSoup(page, "html.parser")
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(soup.select("div.exercise")) == len(soup.select("div.solution.dropdown")) == 2
    assert ids.count("alpha-1") == 1 and "exercise-content" not in ids


def test_printing_without_a_browser_says_which_to_install(project, monkeypatch, tmp_path):
    monkeypatch.setattr(build.shutil, "which", lambda _: None)
    with pytest.raises(AgmpkError, match="install one of these browsers: chromium"):
        build.print_book(project, tmp_path / "x.pdf")
