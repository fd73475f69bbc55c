"""A few tries of each proof that `agmpk paper proof` makes by the thousand; they can fail."""

import os
import time

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from proof import COLUMNS, tried
from proof import fuzz as fuzzing
from proof.faults import (
    CHAPTERS,
    _damaged,
    _flip,
    _killed,
    _told,
    _write_project,
)
from proof.growth import COLUMNS as GROWTH
from proof.growth import study_of
from proof.repeats import SAMPLERS

from agmpk.book.project import Project, check_parameters, load_tier
from agmpk.cli.paper import paper
from agmpk.errors import AgmpkError
from agmpk.files import data_path


@pytest.mark.parametrize(
    ("kind", "count"), [("study tables", 200), ("JATS files", 40), ("configuration files", 50)]
)
def test_mutated_input_gives_the_packages_own_errors(kind, count):
    kinds = fuzzing.kinds(lambda words: 0)
    ((row, failures),) = tried("fuzz", kinds, count / kinds[kind][0], seed=7, only=kind)
    assert row["tried"] == count and failures == []


def test_mutated_argument_lines_and_answers(tmp_path):
    for kind in ("argument lines", "model-server answers"):
        words = ["proof", "fuzz", "--only", kind, "--scale", "0.02", "--seed", "7"]
        done = CliRunner().invoke(paper, [*words, "--out", str(tmp_path / "f.csv")])
        assert done.exit_code == 0, done.output
        table = pd.read_csv(tmp_path / "f.csv")
        assert list(table) == COLUMNS and table.tried[0] == table.survived[0] == 20


def test_a_verdict_sees_other_errors_long_work_and_much_memory(monkeypatch):
    assert fuzzing.verdict(lambda: 1, "a") == ""

    def own():
        raise AgmpkError("no")

    assert fuzzing.verdict(own, "a") == ""
    assert "ZeroDivisionError" in fuzzing.verdict(lambda: 1 / 0, "a")
    monkeypatch.setattr(fuzzing, "SECONDS", 0.2)

    def busy():
        while True:
            time.process_time()

    assert "longer than" in fuzzing.verdict(busy, "a")
    assert "MemoryError" in fuzzing.verdict(lambda: np.ones(4_000_000_000), "a")


def test_a_mutant_differs_and_is_the_same_again():
    text = b"ID,TIME,DV,AMT\n1,0,.,100\n1,2,3,.\n"
    first, again = (
        [fuzzing.mutate(text, np.random.default_rng(k)) for k in range(50)] for _ in (0, 1)
    )
    assert first == again and sum(one != text for one in first) > 40


def test_a_flip_changes_one_bit(tmp_path):
    file = tmp_path / "f"
    file.write_bytes(bytes(100))
    _flip(file, np.random.default_rng(0))
    assert sum(byte.bit_count() for byte in file.read_bytes()) == 1


def test_a_command_that_does_not_tell_is_seen(monkeypatch):
    assert _told(lambda words: 0, ["x"], lambda: None) == "x: status 10"
    assert _told(lambda words: 1 / 0, ["x"], os.getpid) == "x: status 1"


def test_tries_are_counted_in_a_folder_of_their_own():
    here, said = os.getcwd(), ["", "broken\nhere", ""]

    def attempt(k):
        assert os.getcwd() != here
        return said[k]

    kinds = {"a": (6, lambda rng: attempt), "b": (1, None)}
    ((row, failures),) = tried("faults", kinds, 0.5, only="a")
    assert list(row.values()) == ["faults", "a", 3, 2, "broken here"] and failures == [said[1]]
    with pytest.raises(AgmpkError, match="nothing called 'c' to try: a, b"):
        list(tried("faults", kinds, only="c"))


def _count_to(n):
    def work(folder):
        for k in range(n):
            (folder / "told").write_text(str(k))
            time.sleep(0.002)

    return work


def test_a_kill_is_survived_or_seen():
    told = lambda folder: (folder / "told").read_text()  # noqa: E731
    attempt = _killed(_count_to(50), told, np.random.default_rng(0))
    assert [attempt(k) for k in range(3)] == ["", "", ""]

    def once(folder):
        with (folder / "told").open("x") as file:
            time.sleep(0.1)
            file.write("all")

    seen = _killed(once, told, np.random.default_rng(0))
    assert {seen(k) for k in range(3)} == {"does not go on"}
    assert _killed(lambda folder: 1 / 0, told, None)(0) == "fails without being killed"


def test_damage_is_noticed_or_seen(tmp_path):
    (tmp_path / "f").write_bytes(bytes(8))
    attempt = _damaged(tmp_path, np.random.default_rng(0), _flip, lambda d: (d / "f").read_bytes())
    assert attempt(0) == "f: passes unnoticed"


def test_the_book_that_is_killed_is_one(tmp_path):
    _write_project(tmp_path)
    project = Project(tmp_path)
    assert project.chapters() == CHAPTERS
    for chapter in CHAPTERS:
        check_parameters(project, load_tier(project, "smoke"), chapter)
        assert project.notebook(chapter).is_file()


def test_samplers_repeat_and_grow_as_named():
    for name in ("forecast naive", "simulation"):
        one, again, other = (SAMPLERS[name](seed) for seed in (1, 1, 2))
        assert one.tobytes() == again.tobytes() != other.tobytes()
    study = study_of(20, 16)
    assert len(study) == 20 and {len(one) for one in study} == {16}
    assert len({one.concentrations.tobytes() for one in study}) == 20


def test_the_stored_counts():
    """What `agmpk paper proof` stored: columns as promised, nothing tried in vain."""
    files = [data_path("proof", f"{name}.csv") for name in ("faults", "fuzz", "repeats")]
    tables = [pd.read_csv(file) for file in files]
    assert all(list(one) == COLUMNS for one in tables)
    assert list(pd.read_csv(data_path("proof", "growth.csv"))) == GROWTH
    table = pd.concat(tables)
    assert (table.tried > 0).all() and (table.survived <= table.tried).all()
