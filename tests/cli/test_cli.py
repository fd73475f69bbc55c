"""The command line as a user meets it: real files in, tables out, one sentence on bad input."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from agmpk.cli import COMMANDS
from agmpk.evaluation import benchmark_studies, cases
from agmpk.forecasting.naive import NaiveForecaster
from agmpk.paths import data_path

THEOPHYLLINE = str(data_path("benchmark", "studies", "theophylline.csv"))


def agmpk(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", "from agmpk.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_help_has_examples():
    for command in COMMANDS:
        shown = agmpk(command, "--help")
        assert shown.returncode == 0 and f"agmpk {command}" in shown.stdout, shown.stderr


def test_forecast_of_everybody(tmp_path):
    out = tmp_path / "forecast.csv"
    done = agmpk("forecast", THEOPHYLLINE, "--leave-one-out", "--model", "naive", "--out", out)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(out, dtype={"ID": str})
    assert list(table) == ["ID", "TIME", "DV", "PRED", "Q05", "Q25", "Q50", "Q75", "Q95"]
    assert table.ID.nunique() == 12 and table.DV.notna().all()
    case = cases("theophylline", benchmark_studies()["theophylline"])[0]
    answer = NaiveForecaster().forecast(case.context, case.prefix, case.times, 200, case.seed(0))
    assert np.allclose(table[table.ID == case.prefix.id].PRED, answer.pred)


def test_forecast_of_one_at_chosen_times(tmp_path):
    out = tmp_path / "forecast.csv"
    done = agmpk(
        "forecast",
        THEOPHYLLINE,
        "--target",
        "3",
        "--observed",
        "2",
        "--times",
        "2:24:2",
        "--samples",
        "16",
        "--out",
        out,
    )
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(out)
    assert list(table.TIME) == list(np.arange(2, 25, 2.0)) and set(table.ID) == {3}
    assert (table.Q05 < table.Q95).all()


def test_cohort(tmp_path):
    out = tmp_path / "cohort.csv"
    done = agmpk("cohort", THEOPHYLLINE, "-n", "5", "--times", "1,2,4", "--out", out)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(out)
    assert list(table) == ["ID", "TIME", "DV"] and len(table) == 15 and (table.DV > 0).all()


def test_simulate_is_reproducible(tmp_path):
    files = [tmp_path / name for name in ("a.csv", "b.csv")]
    for file in files:
        done = agmpk(
            "simulate", "--preset", "paper", "--studies", "3", "--seed", "5", "--out", file
        )
        assert done.returncode == 0, done.stderr
    assert files[0].read_bytes() == files[1].read_bytes()
    assert pd.read_csv(files[0]).STUDY.nunique() == 3


def test_benchmark_of_the_development_cohorts(tmp_path):
    out = tmp_path / "results.csv"
    done = agmpk(
        "benchmark", "--models", "naive", "--cohorts", "development", "--samples", "8", "--out", out
    )
    assert done.returncode == 0, done.stderr
    assert list(pd.read_csv(out)) == ["model", "compound", "individual", "n_target", "log_rmse"]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["forecast", THEOPHYLLINE, "--out", "x.csv"], "either --target ID or --leave-one-out"),
        (["forecast", THEOPHYLLINE, "--target", "99", "--out", "x.csv"], "no individual 99"),
        (
            ["forecast", THEOPHYLLINE, "--leave-one-out", "--times", "a", "--out", "x.csv"],
            "write hours",
        ),
        (["forecast", THEOPHYLLINE, "--leave-one-out", "--out", "no/such/x.csv"], "does not exist"),
        (["forecast", "nowhere.csv", "--leave-one-out", "--out", "x.csv"], "nowhere.csv"),
        (["cohort", THEOPHYLLINE, "--model", "nmle", "--out", "x.csv"], "no model 'nmle'"),
        (["simulate", "--preset", "papr", "--out", "x.csv"], "no prior 'papr'"),
    ],
)
def test_bad_input_ends_with_one_sentence_and_nothing_written(
    arguments, words, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    done = agmpk(*arguments)
    assert done.returncode == 2 and words in done.stderr
    assert "Traceback" not in done.stderr and not list(tmp_path.iterdir())


def test_a_faulty_table_names_row_column_and_remedy(tmp_path):
    study = tmp_path / "study.csv"
    study.write_text("ID,TIME,DV,AMT,EVID\n1,0,.,100,1\n1,1,high,.,0\n2,0,.,100,1\n2,1,4,.,0\n")
    done = agmpk("forecast", study, "--leave-one-out", "--out", tmp_path / "x.csv")
    assert done.returncode == 2 and "study.csv" in done.stderr
    assert "row 3" in done.stderr and "DV" in done.stderr and "high" in done.stderr
