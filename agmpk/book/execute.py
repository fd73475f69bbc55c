"""Execute one chapter: papermill in a kernel that is watched, the result written whole or not,
with a note on top that says how much work went into what the reader sees."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from agmpk.book import watch
from agmpk.book.cache import Stamp, chapter_digest, write_stamp
from agmpk.book.tiers import Project, Tier, check_parameters, load_tier, notebook_parameters
from agmpk.errors import AgmpkError
from agmpk.files import atomic_path, sha256

#: Text before the table of parameters.
INTRODUCTION = "This page was executed in the tier **{tier}** ({description})."
#: The line that every reader sees: how long it takes, and how to do it again.
AGAIN = "*{seconds:,.0f} s on {machine}. Again:* `make notebooks CHAPTER={chapter}`"
UNCHANGED = "It sets no parameter of this chapter: the values are those in the parameters cell."


def note_text(
    tier: str,
    description: str,
    used: Mapping[str, Any],
    paper: Mapping[str, Any],
    defaults: Mapping[str, Any],
) -> str:
    """Markdown of the note: tier, the parameters it sets, and what the paper tier would use.

    ``defaults`` are the values of the notebook's own parameters cell, as source text.
    """
    lines = [INTRODUCTION.format(tier=tier, description=description.strip().rstrip(".")), ""]
    names = sorted({*used, *paper})
    if names:
        lines += ["| Parameter | This page | Tier `paper` |", "| --- | --- | --- |"]
        for name in names:
            default = defaults.get(name, "")
            here, there = (repr(side[name]) if name in side else default for side in (used, paper))
            lines.append(f"| `{name}` | `{here}` | `{there}` |")
    else:
        lines.append(UNCHANGED)
    head = [":::{admonition} How this page was made", ":class: tip dropdown", ""]
    return "\n".join([*head, *lines, ":::"])


def add_note(notebook: nbformat.NotebookNode, text: str) -> None:
    """Insert the note below the first heading of ``notebook``, in place."""
    cell = nbformat.v4.new_markdown_cell(text, id="agmpk-note")
    first = notebook.cells[0] if notebook.cells else None
    notebook.cells.insert(1 if first is not None and first.cell_type == "markdown" else 0, cell)


def execute_chapter(project: Project, tier: Tier, chapter: str) -> Stamp:
    """Execute ``chapter`` in ``tier``; write the executed notebook and its stamp; return the stamp.

    Raises :class:`~agmpk.errors.AgmpkError` naming notebook and cell when a cell fails; the failed
    notebook is then kept in ``book/_build/failed``, and an earlier good one stays as it was.
    """
    parameters = check_parameters(project, tier, chapter)
    parts = chapter_digest(project, chapter, parameters)  # before running: what it starts from
    started = time.monotonic()
    project.executed.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        log, output = Path(folder, "reads.txt"), Path(folder, f"{chapter}.ipynb")
        start = _start_watch(project, chapter, parameters, log)
        _run(project, chapter, parameters, output, start)
        if not log.exists():
            raise AgmpkError(
                f"{chapter}.ipynb ran, but its reads were not watched: the kernel did not load "
                f"{watch.__file__}."
            )
        reads = sorted(set(log.read_text(encoding="utf-8").splitlines()))
        notebook = nbformat.read(output, as_version=4)
    seconds = round(time.monotonic() - started, 1)
    _finish(project, tier, chapter, notebook, seconds)
    stamp = Stamp(
        chapter=chapter,
        tier=tier.name,
        parameters=parameters,
        seconds=seconds,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=machine(),
        parts=parts,
        output=sha256(project.executed_notebook(chapter)),
        reads=reads,
    )
    write_stamp(project, stamp)
    return stamp


def _run(
    project: Project, chapter: str, parameters: dict[str, Any], output: Path, start: str
) -> None:
    """Run the notebook in a new kernel that executes ``start`` first; a failed cell or a dead
    kernel is one sentence."""
    # Or every log would have a remark about frozen modules.
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    try:
        papermill.execute_notebook(
            str(project.notebook(chapter)),
            str(output),
            parameters=parameters,
            cwd=str(project.root),
            kernel_name="python3",
            progress_bar=sys.stderr.isatty(),
            extra_arguments=[
                f"--IPKernelApp.exec_lines={start}",
                "--IPKernelApp.log_level=50",  # no remarks on its connection, or on being stopped
            ],
        )
    except PapermillExecutionError as error:
        raise AgmpkError(_failure(project, chapter, error, output)) from error
    except DeadKernelError as error:
        raise AgmpkError(
            f"The kernel of {chapter}.ipynb died, perhaps for lack of memory; run the notebook "
            "by itself to see where."
        ) from error


def machine() -> str:
    """The machine in words: system, architecture, number of cores."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def _finish(
    project: Project, tier: Tier, chapter: str, notebook: nbformat.NotebookNode, seconds: float
) -> None:
    """Add the note, hide the cell of injected parameters (the note has them), drop what names this
    machine's folders, and put the notebook in its place."""
    defaults = notebook_parameters(project.notebook(chapter))
    again = AGAIN.format(seconds=max(1.0, seconds), machine=machine(), chapter=chapter)
    add_note(
        notebook,
        again
        + "\n\n"
        + note_text(
            tier.name,
            tier.description,
            tier.parameters(chapter),
            load_tier(project, "paper").parameters(chapter),
            {name: entry["default"] for name, entry in defaults.items()},
        ),
    )
    for part in (notebook, *notebook.cells):
        part.metadata.pop("papermill", None)
        if "injected-parameters" in part.metadata.get("tags", ()):
            part.metadata.tags.append("remove-cell")
    with atomic_path(project.executed_notebook(chapter)) as temporary:
        nbformat.write(notebook, temporary)


def _start_watch(project: Project, chapter: str, parameters: Mapping[str, Any], log: Path) -> str:
    """The line that has a kernel watch its reads; by path, and without ``import``, so that no name
    of ours appears in the notebook's namespace."""
    settings = {
        "root": str(project.root),
        "chapter": chapter,
        "inputs": list(project.inputs(chapter, parameters)),
        "log": str(log),
    }
    names = {"WATCH": settings}
    return f"__import__('runpy').run_path({watch.__file__!r}, {names!r}) and None"


def _failure(project: Project, chapter: str, error: PapermillExecutionError, output: Path) -> str:
    """One sentence on a failed cell, numbered as in the source notebook; keeps the evidence."""
    kept = project.book / "_build" / "failed" / f"{chapter}.ipynb"
    if output.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(output, kept)
    cells = nbformat.read(project.notebook(chapter), as_version=4).cells
    number = next((i for i, cell in enumerate(cells) if cell.source == error.source), None)
    place = "the injected parameters" if number is None else f"cell {number}"
    first = next((line.strip() for line in error.source.splitlines() if line.strip()), "")
    return (
        f"{chapter}.ipynb failed in {place} (`{first}`): {error.ename}: "
        f"{' '.join(str(error.evalue).split())} (outputs up to there: "
        f"{kept.relative_to(project.root)})."
    )
