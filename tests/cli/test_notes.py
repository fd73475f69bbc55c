"""What the commands say on the console (stderr) about answers that are not quite what was asked."""

import pytest
from click.testing import CliRunner

import agmpk.cli as command_line
from agmpk.evaluation import familiar
from agmpk.files import data_path

THEOPHYLLINE = str(data_path("benchmark", "studies", "theophylline.csv"))


@pytest.fixture(autouse=True)
def sentence(monkeypatch):
    """The check of the study has its own tests."""
    found = familiar.Familiarity(0.5, True, "The study lies within it.", "", (), 9)
    monkeypatch.setattr(familiar, "familiarity", lambda *_: found)


@pytest.fixture
def notes(tmp_path):
    """What a naive forecast says."""

    def notes(*words, study=THEOPHYLLINE):
        out = ["--model", "naive", "--samples", "5", "--out", str(tmp_path / "out.csv")]
        done = CliRunner().invoke(command_line.cli, ["forecast", study, *words, *out])
        assert done.exit_code == 0, done.output
        said = [line[7:] for line in done.stderr.splitlines() if line.startswith("agmpk: ")]
        return [line for line in said[:-1] if " individuals after " not in line]

    return notes


def test_nobody_with_samples_left_is_told_once_and_counted(notes):
    (said,) = notes("--leave-one-out", "--observed", "9", "--times", "12")
    assert said.startswith("10 individual(s) (1, 2, 3, 5, ") and "nothing left to forecast" in said


def test_times_until_the_last_shown_sample_are_told(notes):
    (said,) = notes("--leave-one-out", "--times", "0.1,12,24")
    assert said.startswith("Of 12 individual(s) the asked times until the last shown sample")


def test_the_naive_model_tells_times_that_are_too_far(notes):
    (said,) = notes("--leave-one-out", "--times", "24,400")
    assert "at 400 h would extrapolate beyond 3 times that" in said and "(and 11 more)" in said


def test_a_cohort_tells_the_naive_models_note(tmp_path):
    words = ["-n", "3", "--times", "24,400", "--model", "naive", "--out", str(tmp_path / "c.csv")]
    done = CliRunner().invoke(command_line.cli, ["cohort", THEOPHYLLINE, *words])
    assert done.exit_code == 0 and "at 400 h would extrapolate beyond 3 times that" in done.stderr


def test_the_naive_model_tells_that_two_others_are_too_few(notes, tmp_path):
    study = tmp_path / "study.csv"
    row = "{0},0,.,100\n{0},1,{1},.\n{0},2,{2},.\n{0},4,{3},.\n"
    people = [row.format(k, 5 + k, 4, 2) for k in (1, 2, 3)]
    study.write_text("ID,TIME,DV,AMT\n" + "".join(people))
    (said,) = notes("--target", "1", "--observed", "1", study=str(study))
    assert "the 2 individual(s) of the context, too few" in said


def test_a_line_now_and_then_where_there_is_no_terminal(monkeypatch, capsys):
    clock = iter(range(0, 100, 3))
    monkeypatch.setattr(command_line.time, "monotonic", lambda: next(clock))
    assert list(command_line.progress(range(6), "study", "individual")) == [*range(6)]
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "agmpk: study: 1 of 6 individuals after 6 s" and len(said) == 2
