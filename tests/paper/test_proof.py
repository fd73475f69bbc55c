"""A few tries of each proof that `agmpk paper proof` makes by the thousand; they can fail."""

import os
import time

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from agmpk.cli.paper import paper
from agmpk.errors import AgmpkError
from agmpk.paper.proof import COLUMNS, Tally, proof_table
from agmpk.paper.proof import fuzz as fuzzing
from agmpk.paper.proof.faults import _flip, _told
from agmpk.paper.proof.growth import study_of
from agmpk.paper.proof.repeats import SAMPLERS


@pytest.mark.parametrize(
    ("kind", "count"), [("study tables", 200), ("JATS files", 40), ("configuration files", 50)]
)
def test_mutated_input_gives_the_packages_own_errors(kind, count):
    (tally,) = fuzzing.fuzz(lambda words: 0, count / fuzzing.COUNTS[kind], seed=7, only=kind)
    assert tally.tried == count and tally.failures == []


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


def test_tallies_count():
    tally = Tally("faults", "a").run([lambda: "", lambda: "broken\nhere", lambda: ""])
    assert list(tally.row().values()) == ["faults", "a", 3, 2, "broken here"]


def test_samplers_repeat_and_grow_as_named():
    for name in ("forecast naive", "simulation"):
        one, again, other = (SAMPLERS[name](seed) for seed in (1, 1, 2))
        assert one.tobytes() == again.tobytes() != other.tobytes()
    study = study_of(20, 16)
    assert len(study) == 20 and {len(one) for one in study} == {16}
    assert len({one.concentrations.tobytes() for one in study}) == 20


def test_the_stored_counts():
    """What `agmpk paper proof` stored: columns as promised, nothing tried in vain."""
    table = proof_table()
    assert list(table) == COLUMNS
    assert (table.tried > 0).all() and (table.survived <= table.tried).all()
