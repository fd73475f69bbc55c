"""A wheel used outside of a clone, with the core's packages only; licences; which PyTorch."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement
from proof.packages import licences

# Refuses what comes with extras only, as if it were not installed.
BARE = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {refused!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refuse())
from agmpk.cli import main
for words in {commands!r}:
    sys.argv = ["agmpk", *words]
    try:
        main()
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    print("{end}", status, file=sys.stderr)
"""
END = "The end, with status"
STUDY = "agmpk/_shipped/data/benchmark/studies/indometacin.csv"
MODULES = {"biopython": "Bio", "pydantic-ai-slim": "pydantic_ai", "scikit-learn": "sklearn"}
ROOT = Path(__file__).resolve().parents[1]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
NAMES = {Requirement(line).name for lines in EXTRAS.values() for line in lines} - {"agmpk"}
REFUSED = {MODULES.get(name, name).replace("-", "_") for name in NAMES} | {"IPython", "nbformat"}


@pytest.fixture(scope="module")
def installed(root, tmp_path_factory):
    """The folder that a wheel, built from what a source distribution holds, was installed to."""
    source, place = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in ("agmpk", "data"):
        skipped = shutil.ignore_patterns("__pycache__", "literature.*", "poppk", "ablations")
        shutil.copytree(root / name, source / name, ignore=skipped if name == "data" else None)
    (source / "notebooks").mkdir()
    shutil.copy(root / "notebooks" / "your-study.ipynb", source / "notebooks")
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(root / name, source)
    build = "from setuptools import build_meta as b; b.build_sdist('dist'); "
    build += "print(b.build_wheel('dist'))"
    made = subprocess.run([sys.executable, "-c", build], cwd=source, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr[-2000:]
    wheel = source / "dist" / made.stdout.splitlines()[-1]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(place), str(wheel)], check=True)
    return place


def bare(installed: Path, *commands: Sequence[str]) -> list[tuple[int, str]]:
    """Status and stderr of the commands, outside of any clone and without the extras' packages."""
    environment = {k: v for k, v in os.environ.items() if k not in ("AGMPK_DATA", "PYTHONPATH")}
    code = BARE.format(refused=REFUSED, commands=commands, end=END)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment | {"PYTHONPATH": str(installed)},
        cwd=installed.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = re.split(rf"^{END} (\d)\n", done.stderr, flags=re.MULTILINE)
    return [(int(status), said) for said, status in zip(told[::2], told[1::2], strict=False)]


def test_the_core_forecasts_outside_of_a_clone(installed):
    models = ("naive", "flow")
    words = ["forecast", str(installed / STUDY), "--target", "1", "--samples", "8"]
    done = bare(installed, *([*words, "--model", one, "--out", f"{one}.csv"] for one in models))
    assert [status for status, _ in done] == [0, 0], done
    for model in models:
        assert (installed.parent / f"{model}.csv").read_text().startswith("ID,TIME,DV,PRED")
    assert (installed / "agmpk" / "_shipped" / "notebooks" / "your-study.ipynb").is_file()


NLME = ("--model", "nlme", "--out", "x.csv")  # of a study without one there is no stored fit


def test_what_needs_an_extra_names_it(installed):
    study = str(installed / STUDY)
    words = {
        "book": ["report", study],
        "nlme": ["forecast", study, "--target", "1", "--exclude", "2", *NLME],
        "literature": ["literature", "parse", ".", "--out", "x.jsonl"],
        "cluster": ["benchmark", "--models", "naive", "--jobs", "2", "--out", "x.csv"],
    }
    done = bare(installed, *words.values())
    for extra, (status, said) in zip(words, done, strict=True):
        assert status == 2 and "Traceback" not in said, said[-2000:]
        assert f"[{extra}]" in said.splitlines()[-1]


def test_no_run_time_package_is_under_a_gpl():
    table = licences()
    assert len(table) > 60 and {"torch", "numpy", "papermill"} <= set(table.package)
    assert table[table.gpl].package.tolist() == []
    assert table[table.licence == ""].package.tolist() == []


def test_pytorch_says_when_it_is_a_cuda_build_without_a_gpu():
    if torch.version.cuda and not torch.cuda.is_available():
        warnings.warn(
            f"This is a CUDA build of PyTorch ({torch.__version__}), gigabytes that no GPU here "
            "uses: make clean; make setup TORCH_INDEX=https://download.pytorch.org/whl/cpu",
            stacklevel=1,
        )
