"""A change touches the chapters that rest on it, is named, and touches no other."""

import nbformat
import pytest

from agmpk.book.cache import chapter_digest, differences, notebook_closure
from agmpk.book.tiers import Project
from agmpk.errors import AgmpkError


def changes(project, change):
    """What ``change()`` changes in the digest of each chapter."""
    before = {name: chapter_digest(project, name, {"n": 1}) for name in project.chapters()}
    change()
    return {
        name: differences(parts, chapter_digest(project, name, {"n": 1}))
        for name, parts in before.items()
    }


def append(project, name, text="\n# changed\n"):
    path = project.root / name
    return lambda: path.write_text(path.read_text() + text)


def test_closure_follows_imports_of_imports_and_skips_the_rest(project):
    names = [p.name for p in notebook_closure(project, "alpha")]
    assert names == ["__init__.py", "one.py", "two.py"]
    assert notebook_closure(project, "beta") == ()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import toy.sub.leaf", {"__init__.py", "sub/__init__.py", "sub/leaf.py"}),
        ("from toy.sub import leaf as x", {"__init__.py", "sub/__init__.py", "sub/leaf.py"}),
        ("from toy.sub import name", {"__init__.py", "sub/__init__.py"}),
        ("%matplotlib inline\n!ls\nimport toy", {"__init__.py"}),
        ("import toyother, numpy", set()),
        ("import toy.sub.up", {"__init__.py", "sub/__init__.py", "sub/up.py", "unused.py"}),
    ],
)
def test_closure_of_each_form_of_import(project, write_notebook, source, expected):
    sub = project.root / "toy" / "sub"
    sub.mkdir()
    (sub / "__init__.py").write_text("name = 1\n")
    (sub / "leaf.py").write_text("")
    (sub / "up.py").write_text("def f():\n    from ..unused import x\n")
    write_notebook("alpha", source)
    found = notebook_closure(project, "alpha")
    assert {p.relative_to(project.root / "toy").as_posix() for p in found} == expected


@pytest.mark.parametrize(
    "source",
    [
        "from toy import thing",
        "import toy\ntoy.thing",
        "import toy.one\ntoy.thing",
        "import toy as t\nt.thing",
        "import toy as t\n\n\ndef f():\n    return t.thing",
    ],
)
def test_a_name_of_the_face_leads_to_its_module(project, write_notebook, source):
    (project.root / "toy" / "__init__.py").write_text(
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from toy.one import thing\n"
    )
    write_notebook("alpha", source)
    names = [p.name for p in notebook_closure(project, "alpha")]
    assert names == ["__init__.py", "one.py", "two.py"]


@pytest.mark.parametrize(
    "names",
    [
        "HOMES = {'deep': 'toy.two'}",
        "HOMES = {'deep': 'leaf'}",
        "if TYPE_CHECKING:\n    from toy.two import deep",
        "if TYPE_CHECKING:\n    from toy.sub import leaf",
    ],
)
def test_a_folder_that_fetches_its_names_later(project, write_notebook, names):
    sub = project.root / "toy" / "sub"
    sub.mkdir()
    (sub / "leaf.py").write_text("from toy.two import deep\n")
    later = "def __getattr__(name):\n    return 1\n"
    (sub / "__init__.py").write_text(f"from typing import TYPE_CHECKING\n\n{names}\n\n\n{later}")
    write_notebook("alpha", "from toy.sub import deep")
    assert project.root / "toy" / "two.py" in notebook_closure(project, "alpha")


def test_imports_for_type_checkers_do_not_count(project):
    one = project.root / "toy" / "one.py"
    one.write_text(
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from toy.two import deep\n"
    )
    assert [p.name for p in notebook_closure(project, "alpha")] == ["__init__.py", "one.py"]


def test_a_package_from_elsewhere_is_refused(project):
    elsewhere = Project(project.root / "other", "toy")
    elsewhere.notebook("alpha").parent.mkdir(parents=True)
    elsewhere.notebook("alpha").write_bytes(project.notebook("alpha").read_bytes())
    with pytest.raises(AgmpkError, match="would import toy from .*use the environment of this"):
        notebook_closure(elsewhere, "alpha")


def test_a_module_that_is_not_python_is_named(project):
    append(project, "toy/two.py", "\ndef (")()
    with pytest.raises(AgmpkError, match="imports of toy cannot be read: .*two.py"):
        notebook_closure(project, "alpha")


def test_syntax_error_names_the_cell(project, write_notebook):
    write_notebook("alpha", "def (")
    with pytest.raises(AgmpkError, match=r"alpha.ipynb, cell 2: not valid Python"):
        notebook_closure(project, "alpha")


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
