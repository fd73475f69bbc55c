"""``agmpk whatif``, and the sentence of the commands on whether the prior draws such a study."""

import pandas as pd
import pytest
from click.testing import CliRunner

from agmpk.cli import cli
from agmpk.errors import AgmpkError
from agmpk.evaluation import familiar
from agmpk.files import data_path

THEOPHYLLINE = str(data_path("benchmark", "studies", "theophylline.csv"))
PLANS = "PLAN,TIME,AMT,ADDL,II\nas before,24,4,2,12\ntwice,24,8,2,12\n"


@pytest.fixture(autouse=True)
def sentence(monkeypatch):
    """The check itself has its own tests: here only that it is asked, and about whom."""
    asked = []

    def familiarity(study, prefix=None):
        asked.append((study.ids, None if prefix is None else (prefix.id, len(prefix))))
        return familiar.Familiarity(0.5, True, "The study lies within it.", "", (), 9)

    monkeypatch.setattr(familiar, "familiarity", familiarity)
    return asked


@pytest.fixture
def plans(tmp_path):
    path = tmp_path / "plans.csv"
    path.write_text(PLANS)
    return path


def run(*arguments):
    return CliRunner().invoke(cli, [str(one) for one in arguments])


def test_whatif_writes_a_table_and_a_picture(plans, tmp_path, sentence):
    out, figure = tmp_path / "out.csv", tmp_path / "out.png"
    ask = ["whatif", THEOPHYLLINE, "--target", "3", "--observed", "3", "--plans", plans]
    ask += ["--model", "naive", "--window", "5:15", "--samples", "50"]
    done = run(*ask, "--out", out, "--figure", figure)
    assert done.exit_code == 0, done.output
    table = pd.read_csv(out)
    assert list(table.columns) == [
        "PLAN", "START", "END", *(f"{m}{q}" for m in ("TROUGH", "CMAX", "AUC", "HOURS")
                                  for q in ("", "_Q05", "_Q95")), "P_TROUGH", "P_ALL",
    ]  # fmt: skip
    assert list(table.START) == [24, 36, 48] * 2 and list(table.END) == [36, 48, 60] * 2
    for name in ("TROUGH", "CMAX", "AUC"):
        assert (table[f"{name}_Q05"] <= table[name]).all()
        assert (table[name] <= table[f"{name}_Q95"]).all()
        assert (table[name][3:].to_numpy() > table[name][:3].to_numpy()).all()
    assert table.P_TROUGH.between(0, 1).all() and (table.HOURS <= 12 + 1e-9).all()
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert "research" in done.stdout and "no basis for dosing" in done.stdout
    assert "twice: from 48 to 60 h, trough" in done.stdout and "throughout" in done.stdout
    assert "agmpk: The study lies within it." in done.stderr
    ((context, prefix),) = sentence
    assert "3" not in context and prefix == ("3", 3)


def test_whatif_of_somebody_new_by_another_route(tmp_path, sentence):
    plans, out = tmp_path / "plans.csv", tmp_path / "out.csv"
    plans.write_text("PLAN,TIME,AMT,ROUTE,DUR\nmouth,0,300,oral,.\nvein,0,300,iv_infusion,0.5\n")
    ask = ["whatif", THEOPHYLLINE, "--observed", "0", "--plans", plans, "--model", "naive"]
    done = run(*ask, "--until", "12", "--out", out)
    assert done.exit_code == 0, done.output
    table = pd.read_csv(out)
    assert list(table.PLAN) == ["mouth", "vein"] and list(table.END) == [12, 12]
    assert "P_TROUGH" not in table and "somebody new" in done.stdout
    assert sentence[0][1] is None and len(sentence[0][0]) == 12


@pytest.mark.parametrize(
    "change, words",
    [
        (["--window", "high"], "write two concentrations as 10:20"),
        (["--window", "20:10"], "from 20 to 10 is none"),
        (["--target", "99"], "no individual 99"),
        (["--figure", "x.docx"], "is no picture"),
        (["--figure", "no/such/x.png"], "does not exist"),
        (["--plans", "nowhere.csv"], "nowhere.csv: there is no such file"),
        (["--until", "30"], "give a later end"),
        (["--observed", "11"], "before the last shown sample"),
    ],
)
def test_a_whatif_that_cannot_be_ends_with_one_sentence(change, words, plans, tmp_path):
    out = tmp_path / "out.csv"
    plans.write_text(PLANS.replace(",24,", ",24.1,"))
    ask = ["whatif", THEOPHYLLINE, "--target", "1", "--plans", plans, "--model", "naive"]
    done = run(*ask, "--out", out, *change)
    assert done.exit_code == 2 and words in done.stderr and "Traceback" not in done.output
    assert not out.exists()


def test_somebody_new_has_no_samples(plans, tmp_path):
    done = run("whatif", THEOPHYLLINE, "--plans", plans, "--out", tmp_path / "out.csv")
    assert done.exit_code == 2 and "--observed 0 for somebody new" in done.stderr


@pytest.mark.parametrize(
    "command, asked",
    [
        (["forecast", "--leave-one-out"], (12, None)),
        (["forecast", "--target", "3", "--observed", "2"], (11, ("3", 2))),
        (["cohort", "-n", "3"], (12, None)),
        (["check"], (12, None)),
    ],
)
def test_every_command_says_whether_the_prior_draws_such_a_study(
    command, asked, tmp_path, sentence
):
    rest = [] if command[0] == "check" else ["--model", "naive", "--out", tmp_path / "out.csv"]
    done = run(command[0], THEOPHYLLINE, *command[1:], *rest)
    assert done.exit_code == 0, done.output
    assert done.stderr.count("agmpk: The study lies within it.") == 1
    ((context, prefix),) = sentence
    assert (len(context), prefix) == asked


def test_a_study_that_cannot_be_compared_ends_no_command(tmp_path, monkeypatch):
    def nothing(study, prefix=None):
        raise AgmpkError("There is nothing to compare.")

    monkeypatch.setattr(familiar, "familiarity", nothing)
    done = run("check", THEOPHYLLINE)
    assert done.exit_code == 0
    assert "Not compared with what the prior draws: There is nothing" in done.stderr
