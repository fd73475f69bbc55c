"""Several studies in one call, and JSON for programs."""

import json
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from agmpk.files import data_path
from tests.cli.test_cli import agmpk

STUDIES = data_path("benchmark", "studies")
ASK = ("--leave-one-out", "--model", "naive")


@pytest.fixture
def folder(tmp_path):
    """Two studies, and a table that is none."""
    for name in ("indometacin", "theophylline"):
        shutil.copy(STUDIES / f"{name}.csv", tmp_path)
    (tmp_path / "none.csv").write_text("a,b\n1,2\n")
    return tmp_path


def test_a_bad_file_is_named_and_stops_no_other(folder):
    files = sorted(folder.glob("*.csv"))
    done = agmpk("forecast", *files, *ASK, "--out", folder / "all.csv", "--json")
    assert done.returncode == 2 and "1 of 3 studies are left out" in done.stderr
    told = json.loads(done.stdout)
    assert list(told["failed"]) == [str(folder / "none.csv")] and len(told["studies"]) == 2
    table = pd.read_csv(folder / "all.csv", dtype={"ID": str})
    alone = folder / "alone.csv"
    assert agmpk("forecast", files[0], *ASK, "--out", alone).returncode == 0
    mine = table[table.STUDY == "indometacin"].drop(columns="STUDY")
    pd.testing.assert_frame_equal(mine, pd.read_csv(alone, dtype={"ID": str}))


def test_a_folder_gets_a_file_of_each_study(folder):
    (folder / "none.csv").unlink()
    files = sorted(folder.glob("*.csv"))
    for _ in range(2):  # again, beside lists of faults that are no studies
        done = agmpk("forecast", *files, *ASK, "--out", folder / "out")
        assert done.returncode == 0 and "18 individual(s) of 2 of 2" in done.stdout, done.stderr
        assert sorted(f.name for f in (folder / "out").iterdir()) == [f.name for f in files[:2]]
        (folder / "x.faults.csv").write_text("row,column,problem,remedy\n")
        files = sorted(folder.glob("*.csv"))
    twice = agmpk("forecast", *files, files[0], *ASK, "--out", folder / "out")
    assert twice.returncode == 2 and "one name" in twice.stderr


def test_json_of_check_benchmark_and_whatif(folder):
    study = folder / "indometacin.csv"
    (told,) = json.loads(agmpk("check", study, "--json").stdout)["studies"]
    assert told["individuals"] == 6 and told["samples"] == 66 and told["familiar"]
    words = ("--models", "naive", "--compounds", "indometacin", "--json", "--out", folder / "b.csv")
    told = json.loads(agmpk("benchmark", *words).stdout)
    assert told["compounds"]["indometacin"]["published nlme"] > 0
    assert told["models"]["naive"]["strict"] == told["compounds"]["indometacin"]["naive"]
    (folder / "plans.csv").write_text("PLAN,TIME,AMT\na,48,25\n")
    words = ("--plans", folder / "plans.csv", "--target", "1", "--model", "naive", "--json")
    done = agmpk("whatif", study, *words, "--out", folder / "w.csv")
    (interval,) = json.loads(done.stdout)["intervals"]
    assert interval["PLAN"] == "a" and interval["CMAX"] > interval["TROUGH"] > 0


def test_being_ended_leaves_nothing_half_written(folder):
    code = "import time\nfrom agmpk import files\nfrom agmpk.cli import main\n"
    code += "def slow(*_):\n    print('writing', flush=True)\n    time.sleep(60)\n"
    code += "files.os.replace = slow\nmain()"
    words = ["cohort", str(folder / "indometacin.csv"), "--model", "naive", "--out", "c.csv"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words], cwd=folder, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout.readline() == b"writing\n"
    process.terminate()
    assert process.wait(timeout=60) == 143
    assert not [f for f in folder.iterdir() if f.name.startswith(".") or f.name == "c.csv"]
