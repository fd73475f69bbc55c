"""What a reader finds around the cells of an executed chapter."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest

from agmpk.book import execute as dress
from agmpk.book.plots import figure_html
from agmpk.book.tables import table_html
from agmpk.errors import AgmpkError

new = nbformat.v4


def html(text):
    return new.new_output("display_data", {"text/html": text})


def told(name, text):
    data = {dress.STORED + "text/plain": text}
    return new.new_output("display_data", data, metadata={"scrapbook": {"name": name}})


def cell(source, *tags, outputs=()):
    made = new.new_code_cell(source, metadata={"tags": list(tags)}, execution_count=7)
    made.outputs = list(outputs)
    return made


def notebook(*cells):
    made = new.new_notebook()
    made.cells = [new.new_markdown_cell("# Title"), *cells]
    return made


def test_settings_stand_in_one_cell_with_their_comments():
    parameters = 'n = 1  # how many\nname = "a # b"  # who\nkept = [1]  # as it is'
    book = notebook(cell(parameters, "parameters"), cell("n = 5", "injected-parameters"))
    dress.merge_settings(book, {"n": 5, "name": "c"})
    assert book.cells[1].source == "n = 5  # how many\nname = 'c'  # who\nkept = [1]  # as it is"
    assert len(book.cells) == 2


def test_sentences_hold_the_numbers_and_an_unknown_one_is_named():
    book = notebook(cell("", outputs=[told("a", "'5_x*'"), told("b", "0.25")]))
    book.cells[0].source = "# T\n\n{glue:text}`a` and {glue:text}`b`"
    dress.fill_sentences(book, "alpha")
    assert book.cells[0].source == "# T\n\n5\\_x\\* and 0.25"
    book.cells[0].source = "{glue:text}`c`"
    with pytest.raises(AgmpkError, match="alpha.ipynb names the number 'c'"):
        dress.fill_sentences(book, "alpha")


def test_folded_code_says_what_it_is():
    figure = html(figure_html(b"", "alt", "caption"))
    table = html(table_html(pd.DataFrame({"a": [1]}), "caption"))
    kinds = {
        "Settings of this run": cell("n = 1", "parameters"),
        "Setup": cell("import os", "hide-input"),
        "Code of this figure": cell("x", "hide-input", outputs=[figure]),
        "Code of this table": cell("x", "hide-input", outputs=[table]),
        "Code": cell("x", "hide-input"),
        "Solution": cell("x", "hide-cell", outputs=[table]),
    }
    dress.label_code(notebook(*kinds.values()))
    for label, one in kinds.items():
        assert one.metadata["mystnb"]["code_prompt_show"] == label
    shown = cell("x")
    dress.label_code(notebook(shown))
    assert "mystnb" not in shown.metadata


def test_figures_say_where_they_come_from():
    one = cell("x", outputs=[html(figure_html(b"", "alt", "caption"))])
    dress.say_sources(notebook(one), "alpha", "smoke", "abc", ["data/b/x.csv", "data/b/y.csv"])
    said = one.outputs[0].data["text/html"]
    assert "notebooks/alpha.ipynb, cell [7] · reads data/b · digest abc" in said
    assert "make notebooks CHAPTER=alpha TIER=smoke" in said and said.endswith("</figure>")


def test_a_downloaded_copy_runs_in_the_projects_folder(tmp_path, monkeypatch):
    import agmpk

    monkeypatch.chdir(tmp_path)
    exec(dress.START.read_text("utf-8"), {})
    assert Path.cwd() == Path(agmpk.__file__).resolve().parents[1]


@pytest.mark.parametrize("repository", ["", "https://example.org/who/what"])
def test_a_copy_without_the_package_fetches_it_in_colab_only(tmp_path, monkeypatch, repository):
    """Against a dummy of Colab: git and pip are recorded, and the package is found afterwards."""
    monkeypatch.chdir(tmp_path)
    called, spec = [], SimpleNamespace(origin=str(tmp_path / "agmpk-project/agmpk/__init__.py"))
    (tmp_path / "agmpk-project").mkdir()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec if called else None)
    monkeypatch.setattr(subprocess, "run", lambda words, check: called.append(words))
    monkeypatch.setattr(sys, "path", list(sys.path))
    code = dress.START.read_text("utf-8")
    start = code.replace('repository = ""', f"repository = {repository!r}")
    with pytest.raises(SystemExit, match=f"clone {repository or 'it'}, say 'make setup'"):
        exec(start, {})
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    if not repository:
        with pytest.raises(SystemExit):
            exec(start, {})
        return
    exec(start, {})
    (clone, pip) = called
    assert clone[:2] == ["git", "clone"] and repository in clone
    assert "pip" in pip and pip[-1] == f"{tmp_path / 'agmpk-project'}[all]"
    assert Path.cwd() == tmp_path / "agmpk-project" and str(Path.cwd()) in sys.path
