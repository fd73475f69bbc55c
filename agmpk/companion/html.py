"""Build the HTML pages from the executed chapters, with every warning an error."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

from agmpk.companion.project import Project
from agmpk.errors import AgmpkError


def build_html(project: Project, *, echo: Callable[[str], None] = print) -> None:
    """Run Jupyter Book over ``book/``; raises when it warns or fails.

    Pages that have not changed are not parsed again. A failed build is removed, or the next would
    find the offending pages already parsed and pass without repeating their warnings.
    """
    for chapter in project.chapters():
        if not project.executed_notebook(chapter).is_file():
            raise AgmpkError(f"Chapter {chapter} was never executed: run `make notebooks` first.")
    command = [
        *(sys.executable, "-c", "from jupyter_book.cli.main import main; main()"),
        *("build", str(project.book), "--path-output", str(project.book)),
        *("--config", str(project.config), "--toc", str(project.toc)),
        # --all writes every page anew: sphinx alone does not notice a changed style sheet.
        *("--all", "-n", "-W", "--keep-going", "--quiet"),
    ]
    echo("Building the pages.")
    # Colour codes would garble a log; the hash seed fixes the order in which sphinx writes sets.
    environment = {**os.environ, "NO_COLOR": "1", "PYTHONHASHSEED": "0"}
    result = subprocess.run(
        command, cwd=project.root, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode or not project.index_html.is_file():
        shutil.rmtree(project.book / "_build" / "html", ignore_errors=True)
        shutil.rmtree(project.book / "_build" / ".doctrees", ignore_errors=True)
        said = (result.stdout + result.stderr).splitlines()
        lines = [line for line in said if "WARNING" in line or "ERROR" in line] or said[-20:]
        raise AgmpkError("The pages did not build without warnings:\n" + "\n".join(lines))
