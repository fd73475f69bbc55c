"""What a wheel brings along beside the code: shipped checkpoints, example studies, stored fits,
what the prior draws, the notebook behind `agmpk report`.  All else stands in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

FOLDERS = ("checkpoints", "benchmark", "development", "calibration", "nlme")
BROUGHT = (*(f"data/{name}" for name in FOLDERS), "notebooks/your-study.ipynb")


class WithData(build_py):
    """Copies ``BROUGHT`` to ``agmpk/_shipped``; a clone, installed in place, needs no copy."""

    def run(self) -> None:
        super().run()
        for name in () if self.editable_mode else BROUGHT:
            target = Path(self.build_lib, "agmpk", "_shipped", name)
            target.parent.mkdir(parents=True, exist_ok=True)
            if Path(name).is_dir():
                shutil.copytree(name, target, dirs_exist_ok=True)
            else:
                shutil.copy(name, target)


setup(cmdclass={"build_py": WithData})
