# This copy of a chapter runs with the project's package and data; in Colab they are fetched first.
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

repository = ""
if importlib.util.find_spec("agmpk") is None:
    if not repository or "google.colab" not in sys.modules:
        raise SystemExit(
            f"Install the project first: clone {repository or 'it'}, say 'make setup', and open "
            "this copy with a Jupyter that runs its .venv/bin/python."
        )
    clone = str(Path("agmpk-project").resolve())
    subprocess.run(["git", "clone", "--quiet", "--depth=1", repository, clone], check=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--editable", f"{clone}[all]"]
    subprocess.run(pip, check=True)
    sys.path.insert(0, clone)
os.chdir(Path(importlib.util.find_spec("agmpk").origin).parents[1])
