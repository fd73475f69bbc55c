"""Who may import whom, and how few files the common ways pass through.

The contracts stand in ``pyproject.toml`` under ``tool.importlinter``; ``lint-imports`` checks them
by itself, too.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from agmpk.files import data_path

THEOPHYLLINE = data_path("benchmark", "studies", "theophylline.csv")
FACES = {
    f"agmpk/{folder}__init__.py"
    for folder in ("", "studies/", "studies/nonmem/", "models/", "forecasting/", "evaluation/")
}
COUNT = """
import sys
{code}
files = {{m.__file__ for n, m in list(sys.modules.items()) if n.split(".")[0] == "agmpk"}}
print("\\nFILES", *sorted(files), sep="\\n")
"""


def files_of(code: str, root: Path) -> list[str]:
    """The files of the package that ``code`` imports in a fresh interpreter.

    A folder's ``__init__`` that only names what the folder offers is not counted.
    """
    command = [sys.executable, "-c", COUNT.format(code=code)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 0, done.stderr
    listed = done.stdout.rpartition("\nFILES\n")[2].split()
    files = [Path(file).relative_to(root).as_posix() for file in listed]
    return [file for file in files if file not in FACES]


def test_the_contracts_of_pyproject_hold(root):
    """Layers, what the core and forecasting must not import, no cycles between folders."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 0, done.stdout


def test_only_what_asks_for_the_version_imports_the_face():
    """Inside the package a name is imported from where it lives, or cycles would hide there."""
    graph = grimp.build_graph("agmpk", exclude_type_checking_imports=True, cache_dir=None)
    allowed = {"agmpk.cli", "agmpk.training.checkpoint", "agmpk.training.folder"}
    assert graph.find_modules_that_directly_import("agmpk") <= allowed


@pytest.fixture(scope="module")
def forecast_files(root, tmp_path_factory):
    """Those of a forecast by a checkpoint, on the command line."""
    words = ["forecast", str(THEOPHYLLINE), "--target", "1", "--model", "flow"]
    words += ["--samples", "2", "--out", str(tmp_path_factory.mktemp("out") / "out.csv")]
    return files_of(f"from agmpk.cli import cli; cli({words!r}, standalone_mode=False)", root)


def test_a_forecast_passes_through_few_files(forecast_files):
    assert len(forecast_files) <= 25, forecast_files  # 24 today, 43 in the first version


def test_loading_a_checkpoint_imports_neither_simulator_nor_trainer(forecast_files):
    assert "agmpk/models/registry.py" in forecast_files  # which loads it
    unwanted = ("agmpk/prior/", "agmpk/training/")
    assert [file for file in forecast_files if file.startswith(unwanted)] == []


def test_reading_a_table_passes_through_few_files(root):
    files = files_of(f"from agmpk import read_study; read_study({str(THEOPHYLLINE)!r})", root)
    assert len(files) <= 8, files


@pytest.mark.parametrize("old", ["ablations", "calibration", "companion", "claims"])
def test_the_old_folders_are_gone(root, old):
    assert not (root / "agmpk" / old).exists()


def test_nothing_speaks_of_the_old_commands(root):
    """``python -m agmpk.x`` became ``agmpk paper ...`` and ``agmpk book ...``."""
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=root)
    files = [Path(root, name) for name in listed.stdout.splitlines()]
    text = {".py", ".md", ".ipynb", ".yaml", ".yml", ".toml", ".cff", ""}
    said = [
        f"{file.relative_to(root)}: {line.strip()[:80]}"
        for file in files
        if file.suffix in text and file.is_file() and file != Path(__file__)
        for line in file.read_text(encoding="utf-8").splitlines()
        if "python -m agmpk." in line and "python -m agmpk.cli" not in line
    ]
    assert said == []
