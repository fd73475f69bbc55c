"""Execute one chapter: papermill in a kernel that is watched, the result written whole or not."""

from __future__ import annotations

import hashlib
import importlib.util
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

from agmpk.book import watch
from agmpk.book.dress import dress
from agmpk.book.project import (
    Project,
    Stamp,
    Tier,
    chapter_digest,
    check_parameters,
    reached,
    write_stamp,
)
from agmpk.errors import AgmpkError
from agmpk.files import atomic_path, sha256


def execute_chapter(project: Project, tier: Tier, chapter: str) -> Stamp:
    """Execute ``chapter`` in ``tier``; write the executed notebook and its stamp; return the stamp.

    Raises :class:`~agmpk.errors.AgmpkError` naming notebook and cell when a cell fails; the failed
    notebook is then kept in ``book/_build/failed``, and an earlier good one stays as it was.
    """
    parameters = check_parameters(project, tier, chapter)
    _check_package(project, chapter)
    parts = chapter_digest(project, chapter, parameters)  # before running: what it starts from
    started, processor = time.monotonic(), _processor()
    project.executed.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        log, output = Path(folder, "log.txt"), Path(folder, f"{chapter}.ipynb")
        _run(project, chapter, parameters, output, log)
        if not log.exists():
            raise AgmpkError(
                f"{chapter}.ipynb ran, but its reads were not watched: the kernel did not load "
                f"{watch.__file__}."
            )
        seen = sorted(set(log.read_text(encoding="utf-8").splitlines()))
        notebook = nbformat.read(output, as_version=4)
    processor = round(_processor() - processor, 1)
    reads = [name for name in seen if name.startswith("data/")]
    parts = reached(project, parts, {*seen} - {*reads})
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    made = f"{processor:.0f} s of processor time ({machine})"
    dress(notebook, project, tier, chapter, made, digest, reads)
    with atomic_path(project.executed_notebook(chapter)) as temporary:
        nbformat.write(notebook, temporary)
    stamp = Stamp(
        chapter=chapter,
        tier=tier.name,
        parameters=parameters,
        seconds=round(time.monotonic() - started, 1),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=machine,
        parts=parts,
        output=sha256(project.executed_notebook(chapter)),
        reads=reads,
        processor=processor,
    )
    write_stamp(project, stamp)
    return stamp


def _check_package(project: Project, chapter: str) -> None:
    """Refuse to run where the kernel would import another package than that of the digests."""
    cells = nbformat.read(project.notebook(chapter), as_version=4).cells
    if not any(project.package in cell.source for cell in cells if cell.cell_type == "code"):
        return
    beside = project.root / project.package
    spec = importlib.util.find_spec(project.package)
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not (places and beside.is_dir() and os.path.samefile(places[0], beside)):
        raise AgmpkError(
            f"Notebooks here would import {project.package} from {places or 'nowhere'}, not from "
            f"{beside}: use the environment of this checkout (make setup)."
        )


def _run(
    project: Project, chapter: str, parameters: Mapping[str, Any], output: Path, log: Path
) -> None:
    """Run the notebook in a new kernel that first starts the watch, by path and without ``import``,
    so that no name of ours appears in the notebook's namespace; a failed cell or a dead kernel is
    one sentence."""
    settings = {
        "root": str(project.root),
        "package": project.package,
        "chapter": chapter,
        "inputs": list(project.inputs(chapter, parameters)),
        "log": str(log),
    }
    start = f"__import__('runpy').run_path({watch.__file__!r}, { ({'WATCH': settings})!r}) and None"
    # Or every log would have a remark about frozen modules.
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    try:
        papermill.execute_notebook(
            str(project.notebook(chapter)),
            str(output),
            parameters=dict(parameters),
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


def _processor() -> float:
    """Processor seconds of the kernels that this process has run so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
