"""The files at the top agree with each other, and the notebooks keep the house rules."""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from agmpk.book.build import follows
from agmpk.book.numbers import code_lines
from agmpk.book.project import Project, check_parameters, load_tier, notebook_parameters

ROOT = Path(__file__).resolve().parents[1]
PROJECT = Project(ROOT)
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXTRAS = PYPROJECT["project"]["optional-dependencies"]


def lock() -> dict[str, str]:
    """Name and version of every line of the lock."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(len(pin) == 2 for pin in pins), "every line of the lock is name==version"
    return {canonicalize_name(name): version for name, version in pins}


def readme_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


# An extra of its own, a gigabyte of model weights that nothing else needs: exact pins, no lock.
APART = {"all", "local-llm"}


def test_every_pin_of_pyproject_is_in_the_lock():
    locked = lock()
    declared = [*PYPROJECT["project"]["dependencies"], *PYPROJECT["build-system"]["requires"]]
    declared += [line for name, lines in EXTRAS.items() if name not in APART for line in lines]
    for line in declared:
        requirement = Requirement(line)
        assert str(requirement.specifier) == f"=={locked[canonicalize_name(requirement.name)]}"


def test_extra_all_names_every_other_extra():
    (line,) = EXTRAS["all"]
    assert Requirement(line).extras == set(EXTRAS) - APART


def test_lock_is_what_is_installed():
    """Of the packages of the lock; a machine may have its own build (``+cpu``) of a version."""
    from importlib.metadata import version

    different = {
        name: (version(name), wanted)
        for name, wanted in lock().items()
        if version(name).split("+")[0] != wanted
    }
    assert different == {}


def test_no_cuda_packages_and_no_index_in_the_lock():
    assert not [name for name in lock() if name.startswith(("nvidia", "triton", "cuda"))]
    assert "://" not in (ROOT / "requirements.lock").read_text()


def test_environment_yml_takes_the_lock_and_the_python_of_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, _, pip = environment["dependencies"]
    assert pip == {"pip": ["-r requirements.lock", "-e ."]}
    assert PYPROJECT["project"]["requires-python"] == ">=" + python.removeprefix("python=")


def test_versions_agree():
    import agmpk

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert agmpk.__version__ == PYPROJECT["project"]["version"] == str(citation["version"])


def test_ci_runs_make_test():
    assert (ROOT / ".ci" / "run").read_text().strip().endswith("make test")


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_path_named_exists(page):
    made = {".venv", "book/_build/html/index.html", "book/chapters/"}
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"`([\w./_-]+/[\w./_-]*|[\w.-]+\.(?:md|toml|yml|lock|cff))`", text)
    named += re.findall(r"\bdata/[\w./-]+", "\n".join(readme_blocks("bash")))
    assert len(named) > 5
    assert [n for n in named if n not in made and not (ROOT / n).exists()] == []


@pytest.mark.parametrize("line", "".join(readme_blocks("bash")).splitlines())
def test_readme_commands_parse(line):
    """Make targets are dry-run; of agmpk, the command, its options and its files must exist."""
    words = shlex.split(line)
    if words[0] == "make":
        subprocess.run([*words, "--dry-run"], cwd=ROOT, check=True, capture_output=True)
        return
    from agmpk.cli import cli

    command = cli.get_command(None, words[1])
    assert command is not None
    if words[2:] != ["--help"]:
        command.make_context(words[1], words[2:])  # raises on an unknown option


def test_readme_python_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    for code in readme_blocks("python"):
        exec(compile(code, "README.md", "exec"), {})  # in names of its own


def test_every_notebook_is_a_chapter():
    assert {path.stem for path in NOTEBOOKS} == set(PROJECT.chapters())


@pytest.mark.parametrize("tier", ["smoke", "laptop", "paper"])
def test_tiers_fit_the_notebooks(tier):
    loaded = load_tier(PROJECT, tier)
    for chapter in PROJECT.chapters():
        check_parameters(PROJECT, loaded, chapter)
        assert chapter in loaded.minutes


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_clean(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# "), "the first cell is the title"
    assert "parameters" in code[0].metadata.get("tags", []), "the first code cell is the parameters"
    assert [cell for cell in code if cell.outputs or cell.execution_count] == []
    undocumented = [n for n, entry in notebook_parameters(path).items() if not entry["help"]]
    assert undocumented == [], "every parameter has a comment"
    for entry in PROJECT.inputs(path.stem):
        assert entry.split("/")[0] == "data" and (ROOT / entry).exists()


def test_a_chapter_follows_those_whose_results_it_reads():
    """Files under book/_build that a parameter of two chapters names: one of them waits."""
    named = {
        chapter: {
            entry["default"].strip("\"'")
            for entry in notebook_parameters(PROJECT.notebook(chapter)).values()
        }
        for chapter in PROJECT.chapters()
    }
    for chapter, files in named.items():
        for other in named:
            shared = {f for f in files & named[other] if f.startswith("book/_build/")}
            if shared and other != chapter:
                assert chapter in follows(PROJECT, other) or other in follows(PROJECT, chapter)


UNSHAPED = {"cohorts", "compounds", "try", "your-study", "verify"}
SHAPED = [path for path in NOTEBOOKS if path.stem not in UNSHAPED]


@pytest.mark.parametrize("path", SHAPED, ids=lambda path: path.stem)
def test_chapter_has_its_shape(path):
    """The answer and its figure on top, half of the code in sight, in cells that fit the column,
    take-aways, limits and exercises with solutions at the end."""
    cells = nbformat.read(path, as_version=4).cells
    assert "The answer" in cells[0].source and "```{glue} answer" in cells[0].source
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    for part in ("## Take-aways", "## Limits", "## Exercises"):
        assert part in text, part
    assert ":class: dropdown" in text or "hide-cell" in str([cell.metadata for cell in cells])
    visible, hidden = code_lines(path)
    assert visible >= hidden
    for cell in cells:
        if cell.cell_type == "code" and not cell.metadata.get("tags"):
            lines = [line for line in cell.source.splitlines() if line.strip()]
            assert len(lines) <= 18 and max(map(len, lines)) <= 76, lines[0]


def test_the_model_in_one_sitting_is_short():
    assert code_lines(ROOT / "notebooks" / "nano.ipynb")[0] <= 250


@pytest.mark.parametrize("path", [*NOTEBOOKS, *(ROOT / "book").glob("*.md")], ids=lambda p: p.stem)
def test_no_result_typed_by_hand(path):
    """Decimals with two or more digits in prose are results; facts name their source."""
    if path.suffix == ".md":
        texts = [path.read_text(encoding="utf-8")]
    else:
        cells = nbformat.read(path, as_version=4).cells
        texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert [line for text in texts for line in typed_results(text)] == []


def typed_results(text: str) -> list[str]:
    """Lines of markdown with a bare decimal, code and formulas left out."""
    text = re.sub(r"(?s)```.*?```|\$\$.*?\$\$", "", text)
    text = re.sub(r"`[^`]*`|\$[^$]*\$|\]\([^)]*\)|Python \d\.\d+", "", text)
    return [
        line
        for line in text.splitlines()
        if "<!-- fact:" not in line and re.search(r"(?<![\w.])\d+\.\d{2,}(?![\w.]*\d)", line)
    ]


def test_typed_results_are_found_and_facts_are_not():
    assert typed_results("It reaches 0.41 here") == ["It reaches 0.41 here"]
    assert typed_results("a mean of 12.345.") == ["a mean of 12.345."]
    for innocent in ("`0.41` $0.41$", "version 2.13.0", "0.41 <!-- fact: Doe 2020 -->", "0.5 h"):
        assert typed_results(innocent) == []
