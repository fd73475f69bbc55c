"""The report on a study: one offline page, and what cannot be shown is said."""

import re

import nbformat
import numpy as np
import pytest
from proof.shipped import golden_studies

from agmpk.book.study_report import NOTEBOOK, _before_adapt, or_why, to_html
from agmpk.errors import AgmpkError
from agmpk.evaluation.vpc import share_below
from agmpk.files import HOME
from agmpk.studies import write_study
from tests.cli.test_cli import agmpk


def test_share_below_of_a_known_law():
    rng = np.random.default_rng(0)
    times, limits = np.repeat([1.0, 8.0], 500), np.full(1000, 0.5)
    law = np.where(times == 1.0, 0.2, 0.7)  # the probability of being below
    below = rng.random(1000) < law
    simulated = np.where(rng.random((400, 1000)) < law, 0.1, 1.0)
    table = share_below(times, below, limits, simulated)
    assert np.allclose(table.simulated, [0.2, 0.7], atol=0.01) and table.n.tolist() == [500, 500]
    assert ((table.low < table.observed) & (table.observed < table.high)).all()
    assert np.allclose(table.high - table.low, 4 * np.sqrt(law[[0, -1]] * (1 - law[[0, -1]]) / 500),
                       rtol=0.15)  # fmt: skip


def test_a_page_holds_text_and_outputs_and_no_markup_of_the_data():
    output = nbformat.v4.new_output
    cells = [
        nbformat.v4.new_markdown_cell("# Title\n\nSome *text*."),
        nbformat.v4.new_code_cell("1 < 2", outputs=[
            output("stream", name="stdout", text="<script>"),
            output("stream", name="stderr", text="a bar"),
            output("display_data", {"text/html": "<b>table</b>", "text/plain": "table"}),
            output("execute_result", {"text/plain": "<True>"})]),
        nbformat.v4.new_markdown_cell("## Adapt it", metadata={"tags": ["adapt"]}),
    ]  # fmt: skip
    assert len(_before_adapt(cells)) == 2
    page = to_html(_before_adapt(cells), "A & B")
    for wanted in ("<h1>Title</h1>", "&lt;script&gt;", "<b>table</b>", "&lt;True&gt;", "A &amp; B"):
        assert wanted in page
    assert "<script" not in page and "a bar" not in page and "Adapt" not in page


def test_a_part_that_cannot_be_shown_is_a_sentence(capsys):
    with or_why():
        raise AgmpkError("too few people")
    assert "Markdown" in capsys.readouterr().out
    with pytest.raises(ZeroDivisionError), or_why():
        1 / 0  # noqa: B018


def test_the_notebook_shows_its_code_in_cells_that_fit():
    cells = nbformat.read(HOME / "notebooks" / NOTEBOOK, as_version=4).cells
    code = [c for c in cells if c.cell_type == "code" and c.metadata.get("tags") != ["parameters"]]
    for cell in code:
        lines = cell.source.splitlines()
        assert len(lines) <= 15 and max(map(len, lines)) <= 76, cell.source
    hidden = [c for c in code if c.metadata.get("tags") == ["hide-input"]]
    assert len(hidden) <= len(code) / 4


@pytest.mark.slow
def test_a_report_of_a_study_with_samples_below_the_limit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_study(golden_studies()[1], "infused.csv")
    words = ("--model", "naive", "--samples", "40", "--fitted", "0", "--every", "10")
    done = agmpk("report", "infused.csv", *words)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "infused.html").read_text("utf-8")
    assert page.count("<img") >= 5 and "below the limit" in page and "Adapt it" not in page
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', page)
    assert sources and all(one.startswith("data:") for one in sources)
    assert "Shown" not in page and str(tmp_path) not in page
    wrong = agmpk("report", "infused.csv", "--target", "nobody")
    assert wrong.returncode == 2 and "has no individual nobody" in wrong.stderr
