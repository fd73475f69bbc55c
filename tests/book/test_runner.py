"""The runner executes what it must, nothing else, and says what went wrong where."""

import json
import re

import nbformat
import pytest
from click.testing import CliRunner

from agmpk.book.build import follows, run_chapters
from agmpk.book.cache import read_stamp
from agmpk.book.execute import execute_chapter
from agmpk.book.project import Project, load_tier
from agmpk.cli.book import book as main
from agmpk.errors import AgmpkError
from agmpk.files import only_one


@pytest.fixture
def run(project):
    """Run chapters in tier smoke; return those executed and what was said."""

    def run_(*chapters, tier="smoke"):
        said = []
        executed = run_chapters(project, load_tier(project, tier), chapters, echo=said.append)
        return executed, "\n".join(said)

    return run_


def test_second_run_executes_nothing_and_a_change_only_its_chapter(project, run, write_tier):
    executed, said = run()
    assert executed == ["alpha", "beta"]
    assert "2 of 2 chapters to execute (alpha, beta), about" in said.splitlines()[0]
    assert "never executed" in said

    before = project.executed_notebook("alpha").stat().st_mtime_ns
    executed, said = run()
    assert executed == [] and "all 2 chapters are up to date" in said
    assert project.executed_notebook("alpha").stat().st_mtime_ns == before

    (project.root / "toy" / "two.py").write_text("deep = 2\n")
    executed, said = run()
    assert executed == ["alpha"] and "(toy/two.py changed)" in said

    write_tier("smoke", alpha={"n": 5})
    assert run()[0] == ["alpha"]
    cells = nbformat.read(project.executed_notebook("alpha"), as_version=4).cells
    assert cells[-1].outputs[0].data["text/plain"] == "6"  # the parameter was used
    assert "| `n` | `5` | `1` |" in cells[1].source  # and the note says so, beside the default


def test_stamp_says_what_when_where_and_which_data(project, run):
    run("beta")
    stamp = read_stamp(project, "beta")
    assert stamp.tier == "smoke" and stamp.seconds > 0 and stamp.reads == ["data/b.csv"]
    assert {"notebooks/beta.ipynb", "data/b.csv", "requirements.lock", "Python"} <= set(stamp.parts)
    assert "core" in stamp.machine and stamp.date.startswith("20")
    # No folder of this machine in what is shown.
    assert str(project.root) not in project.executed_notebook("beta").read_text()


def test_a_damaged_executed_notebook_is_stale_and_named(project, run):
    run("alpha")
    page = project.executed_notebook("alpha")
    for damage in (lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b + b" "):
        page.write_bytes(damage(page.read_bytes()))
        executed, said = run("alpha")
        assert executed == ["alpha"]
        assert "(book/chapters/alpha.ipynb is damaged or was edited)" in said
        assert nbformat.read(page, as_version=4).cells[0].source == "# Chapter alpha"
    assert run("alpha")[0] == []


def test_two_at_a_time_and_who_reads_results_waits(project, write_notebook):
    late = "import pathlib, time; time.sleep(1); pathlib.Path('book/x.csv').write_text('1')"
    write_notebook("alpha", "open('book/x.csv').read()", after=["beta"])
    write_notebook("beta", late)
    tier, said = load_tier(project, "smoke"), []
    assert follows(project, "alpha") == ["beta"] and follows(project, "beta") == []
    assert run_chapters(project, tier, jobs=2, echo=said.append) == ["beta", "alpha"]


def test_a_failure_among_several_at_a_time_is_named(project, write_notebook):
    write_notebook("alpha", "1 / 0")
    tier, said = load_tier(project, "smoke"), []
    with pytest.raises(AgmpkError, match=r"alpha.ipynb failed in cell 2 \(`1 / 0`\): ZeroDivision"):
        run_chapters(project, tier, jobs=2, echo=said.append)
    assert ["executing" in line for line in said[1:3]] == [True, True]


def test_one_run_at_a_time(project, run):
    project.executed.mkdir(parents=True)
    with only_one(project.executed, "something goes on"):
        with pytest.raises(AgmpkError, match="chapters of this book are executed by another"):
            run("beta")
    assert run("beta")[0] == ["beta"]


def test_unreadable_stamp_means_stale(project, run):
    run("alpha")
    project.stamp("alpha").write_text(json.dumps({"chapter": "alpha"}))
    assert run("alpha")[0] == ["alpha"]


SECRET = "data/secret.csv"
READS = (
    f"import os; os.close(os.open({SECRET!r}, os.O_RDONLY))",
    f"import pandas; pandas.read_csv({SECRET!r})",
    "import pathlib; pathlib.Path('data/../data/secret.csv').read_bytes()",
    f"import numpy; numpy.loadtxt({SECRET!r}, dtype=str)",
)
REFUSED = r"beta.ipynb reads data/secret.csv.*\"inputs\""


def test_undeclared_read_fails_and_says_what_to_declare(project, run, write_notebook):
    """The first four fail within one notebook, which goes on; the last ends it."""
    others = (f"try:\n    {read}\nexcept ValueError as error:\n    print(error)" for read in READS)
    write_notebook("beta", *others, f"open({SECRET!r}).read()", inputs=["data/b.csv"])
    with pytest.raises(AgmpkError, match=f"failed in cell 6 .*{REFUSED}"):
        run("beta")
    assert not project.executed_notebook("beta").exists() and read_stamp(project, "beta") is None
    failed = nbformat.read(project.book / "_build" / "failed" / "beta.ipynb", as_version=4)
    printed = [cell.outputs[0].text for cell in failed.cells if cell.source.startswith("try:")]
    assert len(printed) == len(READS) and all(re.match(REFUSED, said) for said in printed)


def test_writing_and_reading_back_is_no_input(run, write_notebook):
    write_notebook("beta", "open('data/out.csv', 'w').write('1'); open('data/out.csv').read()")
    assert run("beta")[0] == ["beta"]


def test_failing_cell_is_named_and_the_good_page_stays(project, run, write_notebook):
    run("alpha")
    good = project.executed_notebook("alpha").read_bytes()
    write_notebook("alpha", "x = 1", "\n1 / 0  # oops")
    with pytest.raises(AgmpkError, match=r"alpha.ipynb failed in cell 3 \(`1 / 0  # oops`\): Zero"):
        run("alpha")
    assert project.executed_notebook("alpha").read_bytes() == good
    assert (project.book / "_build" / "failed" / "alpha.ipynb").is_file()


def test_kernel_that_dies_is_an_error_not_a_hang(run, write_notebook):
    write_notebook("alpha", "import os; os._exit(1)")
    with pytest.raises(AgmpkError, match="kernel of alpha.ipynb died"):
        run("alpha")


def test_wrong_parameter_stops_before_anything_runs(project, run, write_tier):
    write_tier("smoke", beta={"typo": 1})
    with pytest.raises(AgmpkError, match="'typo'"):
        run()
    assert not project.executed.exists()


def test_the_package_of_another_checkout_is_refused(project):
    elsewhere = Project(project.root / "other", "toy")
    for file in (project.notebook("alpha"), project.tier_file("smoke"), project.toc):
        copy = elsewhere.root / file.relative_to(project.root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    with pytest.raises(AgmpkError, match="would import toy from .*use the environment of this"):
        execute_chapter(elsewhere, load_tier(project, "smoke"), "alpha")


def test_unknown_chapter(run):
    with pytest.raises(AgmpkError, match="no chapter 'gamma'; the chapters are alpha, beta"):
        run("gamma")


def test_command_line_exit_status(project):
    def invoke(*arguments):
        return CliRunner().invoke(main, ["--root", str(project.root), *arguments])

    stale = invoke("check", "--tier", "smoke")
    assert stale.exit_code == 1 and "alpha: never executed" in stale.output
    assert invoke("notebooks", "--tier", "smoke", "--chapter", "alpha").exit_code == 0
    assert "alpha: up to date" in invoke("check", "--tier", "smoke").output
    assert "was executed in tier smoke" in invoke("check", "--tier", "paper").output
    unknown = invoke("notebooks", "--tier", "huge")
    assert unknown.exit_code == 2 and unknown.output.startswith("agmpk: There is no tier 'huge'")
