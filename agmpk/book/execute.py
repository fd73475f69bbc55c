"""Execute one chapter: papermill in a kernel that is watched, the result written whole or not."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import resource
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

from agmpk.book import dress, watch
from agmpk.book.cache import Stamp, chapter_digest, write_stamp
from agmpk.book.tiers import Project, Tier, check_parameters, load_tier, notebook_parameters
from agmpk.errors import AgmpkError
from agmpk.files import atomic_path, sha256


def execute_chapter(project: Project, tier: Tier, chapter: str) -> Stamp:
    """Execute ``chapter`` in ``tier``; write the executed notebook and its stamp; return the stamp.

    Raises :class:`~agmpk.errors.AgmpkError` naming notebook and cell when a cell fails; the failed
    notebook is then kept in ``book/_build/failed``, and an earlier good one stays as it was.
    """
    parameters = check_parameters(project, tier, chapter)
    parts = chapter_digest(project, chapter, parameters)  # before running: what it starts from
    started, processor = time.monotonic(), _processor()
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
    processor = round(_processor() - processor, 1)
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
    _finish(project, tier, chapter, notebook, processor, digest, reads)
    stamp = Stamp(
        chapter=chapter,
        tier=tier.name,
        parameters=parameters,
        seconds=round(time.monotonic() - started, 1),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=machine(),
        parts=parts,
        output=sha256(project.executed_notebook(chapter)),
        reads=reads,
        processor=processor,
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


def _processor() -> float:
    """Processor seconds of the kernels that this process has run so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _finish(
    project: Project,
    tier: Tier,
    chapter: str,
    notebook: nbformat.NotebookNode,
    processor: float,
    digest: str,
    reads: list[str],
) -> None:
    """Dress the notebook for its reader, drop what names this machine's folders, and put it in its
    place."""
    used, paper = tier.parameters(chapter), load_tier(project, "paper").parameters(chapter)
    defaults = notebook_parameters(project.notebook(chapter))
    title = (
        f"Made in {processor:.0f} s of processor time ({machine()}); "
        f"again: `{dress.command(chapter, tier.name)}`"
    )
    values = {name: entry["default"] for name, entry in defaults.items()}
    dress.merge_settings(notebook, used)
    dress.fill_sentences(notebook, chapter)
    dress.label_code(notebook)
    dress.say_sources(notebook, chapter, tier.name, digest, reads)
    text = dress.note_text(title, tier.name, tier.description, used, paper, values)
    dress.add_note(notebook, text)
    dress.add_start(notebook, os.environ.get("AGMPK_REPOSITORY", "the project"))
    for part in (notebook, *notebook.cells):
        part.metadata.pop("papermill", None)
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
