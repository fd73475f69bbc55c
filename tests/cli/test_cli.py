"""The command line as a user meets it: real files in, tables out, one sentence on bad input."""

import errno
import io
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from agmpk.cli import COMMANDS, main
from agmpk.cli.forecast import check_answered
from agmpk.cli.paper import SECTIONS as PAPER
from agmpk.cli.study import what_if
from agmpk.errors import AgmpkError
from agmpk.evaluation import benchmark_studies, cases, evaluate
from agmpk.evaluation.compare import COLUMNS
from agmpk.files import data_path
from agmpk.forecasting.forecaster import NaiveForecaster
from agmpk.studies import Dose, Individual, Study

THEOPHYLLINE = str(data_path("benchmark", "studies", "theophylline.csv"))


def agmpk(*arguments: object) -> subprocess.CompletedProcess:
    """The command in this process: what it prints and its status."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["agmpk", *map(str, arguments)]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())


def test_the_installed_command_ends_with_one_sentence(tmp_path):
    command = [sys.executable, "-c", "from agmpk.cli import main; main()"]
    command += ["cohort", "nowhere.csv", "--out", str(tmp_path / "x.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "nowhere.csv" in done.stderr


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A checkpoint trained, and exported again, by the command."""
    run = tmp_path_factory.mktemp("tiny") / "run"
    done = agmpk("train", "--recipe", "flow-tiny", "--run", run, "--steps", "3", "--seed", "5")
    assert done.returncode == 0, done.stderr
    assert "steps: 3" in (run / "config.yaml").read_text()
    done = agmpk("train", "--run", run, "--export", "--checkpoint", run / "checkpoint")
    assert done.returncode == 0, done.stderr
    return run / "checkpoint"


def test_help_has_examples():
    for command in COMMANDS:
        shown = agmpk(command, "--help")
        assert shown.returncode == 0 and f"agmpk {command}" in shown.stdout, shown.stderr


def test_help_shows_what_users_need_first_and_the_book_apart():
    shown = agmpk("--help").stdout
    users, _, makers = shown.partition("The book and its numbers:")
    assert all(f"\n  {name} " in users for name in ("forecast", "cohort", "benchmark", "train"))
    assert all(f"\n  {name} " in makers for name in ("book", "paper"))
    listed = agmpk("paper", "--help").stdout
    for name in [n for names in PAPER.values() for n in names]:
        assert f"\n  {name} " in listed and agmpk("paper", name, "--help").returncode == 0
    assert agmpk("paper", "nothing").returncode == 2


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out.csv")

    monkeypatch.setattr("agmpk.files.os.replace", full)
    words = ["forecast", THEOPHYLLINE, "--target", "1", "--model", "naive"]
    done = agmpk(*words, "--out", tmp_path / "out.csv")
    assert done.returncode == 2
    said = done.stderr.splitlines()[-1]
    assert said.startswith("agmpk: ") and "out.csv cannot be written (No space left" in said


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


def test_forecast_of_one_at_chosen_times(tiny, tmp_path):
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
        "--model",
        tiny,
        "--out",
        out,
    )
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(out)
    assert list(table.TIME) == list(np.arange(2, 25, 2.0)) and set(table.ID) == {3}
    assert (table.Q05 < table.Q95).all()


def test_cohort_and_what_if(tiny, tmp_path):
    tables = []
    for dose in ("100", "200"):
        out = tmp_path / f"{dose}.csv"
        model = ["--model", tiny, "--dose", dose]
        done = agmpk("cohort", THEOPHYLLINE, "-n", "5", "--times", "1,2,4", *model, "--out", out)
        assert done.returncode == 0, done.stderr
        tables.append(pd.read_csv(out))
        assert list(tables[-1]) == ["ID", "TIME", "DV"] and len(tables[-1]) == 15
    assert np.allclose(tables[1].DV / tables[0].DV, 2, rtol=0.05)  # hardly anything learned yet


def test_what_if_begins_where_a_cohort_counts_from():
    """First doses at different times: at 0; a steady state written out is no dose to change."""

    def study(*starts, **repeated):
        people = [Individual(str(k), [30.0], [1.0], [Dose(t, 100, "oral", **repeated)])
                  for k, t in enumerate(starts)]  # fmt: skip
        return Study("caffeine", people)

    assert what_if(study(8, 9, 7), amount=50.0).time == 0
    assert what_if(study(8, 8), amount=50.0).time == 8
    with pytest.raises(AgmpkError, match="steady state, written out from -24 h"):
        what_if(study(-24, -24, additional=2, interval=12.0), amount=50.0)


def test_what_if_changes_the_first_dose():
    study = benchmark_studies()["theophylline"]
    assert what_if(study) is None
    dose = what_if(study, 3, 12.0, amount=50.0, route="iv_infusion", duration=0.5)
    assert (dose.amount, dose.route, dose.duration) == (50.0, "iv_infusion", 0.5)
    assert [one.time for one in dose.expand()] == [0.0, 12.0, 24.0]
    with pytest.raises(AgmpkError, match="go together"):
        what_if(study, doses=3)


def test_simulate_is_reproducible(tmp_path):
    files = [tmp_path / name for name in ("a.csv", "b.csv")]
    for file in files:
        done = agmpk(
            "simulate", "--preset", "paper", "--studies", "3", "--seed", "5", "--out", file
        )
        assert done.returncode == 0, done.stderr
    assert files[0].read_bytes() == files[1].read_bytes()
    assert pd.read_csv(files[0], comment="#").STUDY.nunique() == 3


def test_benchmark_of_the_development_cohorts(tmp_path):
    out = tmp_path / "results.csv"
    done = agmpk(
        "benchmark", "--models", "naive", "--cohorts", "development", "--samples", "8", "--out", out
    )
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(out)
    assert list(table) == COLUMNS and table.failure.isna().all()


def test_benchmark_of_a_folder_by_either_protocol(tmp_path):
    folder, tables = tmp_path / "studies", []
    folder.mkdir()
    shutil.copy(THEOPHYLLINE, folder / "mine.csv")
    for protocol in ("study", "published"):
        out = tmp_path / f"{protocol}.csv"
        options = ["--models", "naive", "--samples", "8", "--protocol", protocol, "--out", out]
        done = agmpk("benchmark", "--studies", folder, *options)
        assert done.returncode == 0 and "published pff" not in done.stdout, done.stderr
        tables.append(pd.read_csv(out))
    assert set(tables[0].compound) == {"mine"} and tables[0].equals(tables[1])
    empty = tmp_path / "empty"
    empty.mkdir()
    done = agmpk("benchmark", "--studies", empty, "--out", tmp_path / "x.csv")
    assert done.returncode == 2 and "no folder with study tables" in done.stderr


def test_benchmark_names_checkpoints(tiny, tmp_path):
    out = tmp_path / "results.csv"
    some = ["--compounds", "theophylline", "--samples", "8", "--out", out]
    done = agmpk("benchmark", "--models", f"naive,mine={tiny}", *some)
    assert done.returncode == 0, done.stderr
    assert list(pd.read_csv(out).model.unique()) == ["naive", "mine"]
    assert "mine: mean log-RMSE" in done.stdout
    done = agmpk("benchmark", "--models", f"mine={tiny},mine={tiny}", *some)
    assert done.returncode == 2 and "Two models are called mine" in done.stderr


class Unwilling(NaiveForecaster):
    """Refuses the individuals whose IDs it was told."""

    name = "unwilling"

    def __init__(self, *refused: str) -> None:
        self.refused = refused

    def forecast(self, context, target, times, n_samples, seed):
        if target.id in self.refused:
            raise AgmpkError("No acceptable fit.")
        return super().forecast(context, target, times, n_samples, seed)


def test_a_refused_case_is_a_missing_row_with_its_reason():
    study = {"theophylline": benchmark_studies()["theophylline"]}
    table = evaluate([Unwilling("2", "5")], study, 4, 8, 0).results
    refused = table.individual.isin(["2", "5"])
    assert list(table) == COLUMNS and len(table) == 12
    assert table.log_rmse[refused].isna().all() and table.log_rmse[~refused].notna().all()
    assert set(table.failure[refused]) == {"No acceptable fit."}
    with pytest.raises(AgmpkError, match="No acceptable fit"):
        check_answered(evaluate([Unwilling(*study["theophylline"].ids)], study, 4, 8, 0).results)


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
        (["benchmark", "--compounds", "cafeine", "--models", "naive", "--out", "x.csv"], "cafeine"),
        (["train", "--recipe", "flw", "--run", "run"], "no training recipe 'flw'"),
        (["train", "--run", "run", "--export"], "--export needs --checkpoint"),
        (["train", "--run", "run", "--export", "--checkpoint", "c"], "holds no run"),
        (["simulate", "--preset", "papr", "--out", "x.csv"], "no prior 'papr'"),
        (["cohort", THEOPHYLLINE, "--times", "1,1e300", "--out", "x.csv"], "between 0 and 1e+06 h"),
        (
            ["forecast", THEOPHYLLINE, "--target", "1", "--model", "naive", "--times", "0.5"]
            + ["--out", "x.csv"],
            "give later --times or show fewer",
        ),
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
