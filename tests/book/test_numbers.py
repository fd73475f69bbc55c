"""All numbers in one file, compared within a stated tolerance; clocks are not compared."""

import json

import nbformat
import pandas as pd
import pytest
from click.testing import CliRunner

from agmpk.book import numbers, tables
from agmpk.book.build import run_chapters
from agmpk.book.project import load_tier
from agmpk.cli.book import book as main
from agmpk.errors import AgmpkError

SHIPPED = {
    "same": "0.25 (0.1 to 0.3)",
    "near": "better by 1.000",
    "far": 3.0,
    "word": "better",
    "seconds_all": "5",
    "gone": 1,
}
HERE = SHIPPED | {"near": "better by 1.010", "far": 3.2, "word": "NOT better", "seconds_all": "9"}


def test_states(project, monkeypatch, tmp_path):
    reference = tmp_path / "smoke.json"
    reference.write_text(json.dumps({"tier": "smoke", "chapters": {"alpha": SHIPPED}}))
    here = {name: value for name, value in HERE.items() if name != "gone"} | {"new": 1}
    monkeypatch.setattr(numbers, "collect", lambda _, name: here if name == "alpha" else {})
    found = numbers.compare(project, reference).set_index("number").state
    assert found.to_dict() == {
        "same": "same",
        "near": "within tolerance",
        "far": "differs",
        "word": "differs",
        "seconds_all": "a time, not compared",
        "gone": "gone",
        "new": "new",
    }
    reference.write_text("{")
    with pytest.raises(AgmpkError, match="smoke.json cannot be read"):
        numbers.compare(project, reference)


def test_numbers_of_sentences_and_tables_are_collected_and_verified(
    project, write_notebook, monkeypatch
):
    told = {}
    monkeypatch.setattr(tables, "display", lambda _, raw, metadata: told.update(metadata))
    tables.show_table(pd.DataFrame({"b": [1 / 3]}, index=["r"]), "Caption")
    assert told[tables.NUMBERS]["data"] == [[pytest.approx(1 / 3)]]
    write_notebook("alpha", "from myst_nb import glue; glue('a', '0.5', display=False)")
    run_chapters(project, load_tier(project, "smoke"), ["alpha"], echo=lambda _: None)
    executed = nbformat.read(project.executed_notebook("alpha"), as_version=4)
    executed.cells[-1].outputs.append(nbformat.v4.new_output("display_data", {}, metadata=told))
    nbformat.write(executed, project.executed_notebook("alpha"))
    found = numbers.collect(project, "alpha")
    assert found == {"a": "0.5", "Caption / r / b": pytest.approx(1 / 3)}

    file = project.root / "data" / "numbers" / "smoke.json"
    root = ["--root", str(project.root)]
    assert CliRunner().invoke(main, [*root, "numbers", "--out", str(file)]).exit_code == 0
    same = CliRunner().invoke(main, [*root, "verify", "--tier", "smoke", "--jobs", "1"])
    assert same.exit_code == 0 and "1 same" in same.output and "1 gone" in same.output
    file.write_text(file.read_text().replace('"0.5"', '"0.7"'))
    other = CliRunner().invoke(main, [*root, "verify", "--tier", "smoke", "--jobs", "1"])
    assert other.exit_code == 1
    assert "differs: alpha, a: shipped 0.7, here 0.5" in other.output
