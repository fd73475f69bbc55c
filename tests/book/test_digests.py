"""A change touches the chapters that rest on it, is named, and touches no other."""

import subprocess
import sys

import nbformat
import pytest

from agmpk.book import watch
from agmpk.book.cache import chapter_digest, differences, reached
from agmpk.errors import AgmpkError

MODULES = {"alpha": ["toy/__init__.py", "toy/one.py", "toy/two.py"], "beta": []}


def changes(project, change):
    """What ``change()`` changes in the digest of each chapter that executed ``MODULES``."""
    before = {name: chapter_digest(project, name, {"n": 1}, MODULES[name]) for name in MODULES}
    change()
    return {
        name: differences(parts, chapter_digest(project, name, {"n": 1}, MODULES[name]))
        for name, parts in before.items()
    }


def watched(project, source):
    """The modules of toy that a process executes, as the watch on it says."""
    log = project.root / "log"
    settings = {"root": str(project.root), "package": "toy", "chapter": "alpha", "inputs": []}
    settings["log"] = str(log)
    start = f"import runpy; runpy.run_path({watch.__file__!r}, {{'WATCH': {settings!r}}})\n"
    subprocess.run([sys.executable, "-c", start + source], cwd=project.root, check=True)
    return {name.removeprefix("toy/") for name in log.read_text().split()}


def append(project, name, text="\n# changed\n"):
    path = project.root / name
    return lambda: path.write_text(path.read_text() + text)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import toy.sub.leaf", {"__init__.py", "sub/__init__.py", "sub/leaf.py"}),
        ("from toy.sub import leaf as x", {"__init__.py", "sub/__init__.py", "sub/leaf.py"}),
        ("import importlib; importlib.import_module('toy.two')", {"__init__.py", "two.py"}),
        ("from toy.one import thing", {"__init__.py", "one.py", "two.py"}),
        ("from toy import deep", {"__init__.py", "two.py"}),
        ("import toy.sub.up as up\nup.f()",
         {"__init__.py", "sub/__init__.py", "sub/up.py", "unused.py"}),
        ("import toy.sub.up as up", {"__init__.py", "sub/__init__.py", "sub/up.py"}),
        ("if False:\n    import toy\nimport numpy", set()),
    ],
)  # fmt: skip
def test_the_watch_sees_each_form_of_import(project, source, expected):
    """Also of names that a folder fetches when they are asked for; and from compiled files."""
    later = "def __getattr__(name):\n    import toy.two\n    return toy.two.deep\n"
    (project.root / "toy" / "__init__.py").write_text(later)
    sub = project.root / "toy" / "sub"
    sub.mkdir()
    (sub / "__init__.py").write_text("name = 1\n")
    (sub / "leaf.py").write_text("")
    (sub / "up.py").write_text("def f():\n    from ..unused import x\n")
    for _ in range(2):
        assert watched(project, source) == expected


def test_of_everything_only_what_was_reached_counts(project):
    (project.root / "toy" / "preset.yaml").write_text("a: 1\n")
    everything = chapter_digest(project, "alpha", {"n": 1})
    assert {"toy/one.py", "toy/unused.py", "toy/preset.yaml", "requirements.lock"} <= {*everything}
    kept = reached(project, everything, MODULES["alpha"])
    assert kept == chapter_digest(project, "alpha", {"n": 1}, MODULES["alpha"])
    gone = {"toy/__init__.py", "toy/one.py", "toy/two.py", "toy/unused.py", "toy/preset.yaml"}
    assert {*everything} - {*reached(project, everything, [])} == gone


def test_a_module_that_is_gone(project):
    found = changes(project, (project.root / "toy" / "two.py").unlink)
    assert found == {"alpha": ["toy/two.py is gone"], "beta": []}


def test_module_touches_only_the_chapter_that_imports_it(project):
    found = changes(project, append(project, "toy/two.py"))
    assert found == {"alpha": ["toy/two.py changed"], "beta": []}


def test_module_nobody_imports_touches_nothing(project):
    assert changes(project, append(project, "toy/unused.py")) == {"alpha": [], "beta": []}


def test_file_that_ships_with_an_imported_package(project):
    preset = project.root / "toy" / "presets" / "paper.yaml"

    def add():
        preset.parent.mkdir()
        preset.write_text("a: 1\n")

    assert changes(project, add) == {"alpha": ["toy/presets/paper.yaml is new"], "beta": []}


def test_declared_data_touches_only_its_reader(project):
    found = changes(project, append(project, "data/b.csv"))
    assert found == {"alpha": [], "beta": ["data/b.csv changed"]}


def test_lock_touches_every_chapter(project):
    found = changes(project, append(project, "requirements.lock"))
    assert found == dict.fromkeys(("alpha", "beta"), ["requirements.lock changed"])


def test_declared_folder_covers_new_files(project, write_notebook):
    write_notebook("beta", inputs=["data"])
    found = changes(project, lambda: (project.root / "data" / "new.csv").write_text("n\n"))
    assert found == {"alpha": [], "beta": ["data/new.csv is new"]}


def test_declared_input_that_is_missing(project, write_notebook):
    write_notebook("beta", inputs=["data/gone.csv"])
    with pytest.raises(AgmpkError, match=r"beta.ipynb declares the input data/gone.csv"):
        chapter_digest(project, "beta", {})


def test_parameter_that_names_a_checkpoint_is_an_input(project, write_notebook):
    write_notebook("beta", input_parameters=["models"])
    run = project.root / "run"
    run.mkdir()
    (run / "weights").write_text("1")
    parts = chapter_digest(project, "beta", {"models": ["naive", "run"], "n": 1})
    assert {"run/weights", "parameter models"} <= set(parts) and "naive" not in parts
    assert "run/weights" not in chapter_digest(project, "alpha", {"models": ["naive", "run"]})


def test_outputs_and_time_of_writing_are_no_change(project):
    def execute():
        path = project.notebook("alpha")
        notebook = nbformat.read(path, as_version=4)
        notebook.cells[1]["outputs"] = [nbformat.v4.new_output("stream", text="1\n")]
        nbformat.write(notebook, path)

    assert changes(project, execute) == {"alpha": [], "beta": []}


def test_parameter_value_is_named():
    assert differences({"parameter n": "1"}, {"parameter n": "2"}) == ["parameter n changed"]
    assert differences({"parameter n": "1"}, {}) == ["parameter n is gone"]


def test_page_that_describes_the_build_depends_on_the_other_stamps(project, write_notebook):
    write_notebook("beta", describes_build=True)
    project.executed.mkdir(parents=True)
    found = changes(project, lambda: project.stamp("alpha").write_text("{}"))
    assert found == {"alpha": [], "beta": ["book/chapters/alpha.stamp.json is new"]}
