"""Execute one chapter: papermill in a kernel that is watched, the result written whole or not, and
dressed for a reader, also of a downloaded copy."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import re
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from agmpk.book import watch
from agmpk.book.cache import Stamp, chapter_digest, reached, write_stamp
from agmpk.book.numbers import STORED, plain, stored
from agmpk.book.project import Project, Tier, check_parameters, load_tier, notebook_parameters
from agmpk.errors import AgmpkError
from agmpk.files import PROJECT, atomic_path, sha256

FIGURE, TABLE = '<figure class="agmpk-figure"', 'class="agmpk-table-caption"'
#: First cell of a downloaded copy; the pages write their repository's address into it.
START = PROJECT / "book" / "snippets" / "start.py"
_SENTENCE = re.compile(r"\{glue:text\}`([^`]+)`")


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


def dress(notebook, project: Project, tier: Tier, chapter: str, made: str, digest: str, reads):
    """What a reader meets around the cells of an executed ``notebook``, put there in place: how it
    was made, one cell of settings, numbers in their sentences, what folded code is, and where each
    figure comes from. ``made`` says with how much work, ``digest`` and ``reads`` (files of data)
    what its figures rest on.

    Raises:
        AgmpkError: a sentence names something that no cell stored.
    """
    merge_settings(notebook, tier.parameters(chapter))
    fill_sentences(notebook, chapter)
    label_code(notebook)
    say_sources(notebook, chapter, tier.name, digest, reads)
    note = _note(project, tier, chapter, f"Made in {made}; again: `{command(chapter, tier.name)}`")
    tags, code = {"tags": ["remove-cell"]}, START.read_text("utf-8")
    start = nbformat.v4.new_code_cell(code, id="agmpk-start", metadata=tags)
    notebook.cells[1:1] = [nbformat.v4.new_markdown_cell(note, id="agmpk-note"), start]
    for part in (notebook, *notebook.cells):
        part.metadata.pop("papermill", None)


def _note(project: Project, tier: Tier, chapter: str, title: str) -> str:
    """The tier, the parameters it sets, and what the paper tier would use."""
    known = notebook_parameters(project.notebook(chapter))
    sides = [one.parameters(chapter) for one in (tier, load_tier(project, "paper"))]
    here, there = (
        {name: entry["default"] for name, entry in known.items()}
        | {name: repr(value) for name, value in side.items()}
        for side in sides
    )
    names = sorted({*sides[0], *sides[1]})
    text = f"This page was executed in the tier **{tier.name}** ({tier.description.strip()})."
    lines = [f":::{{admonition}} {title}", ":class: tip dropdown", "", text, ""]
    if names:
        lines += ["| Parameter | This page | Tier `paper` |", "| --- | --- | --- |"]
        lines += [f"| `{name}` | `{here[name]}` | `{there[name]}` |" for name in names]
    else:
        lines.append("It sets no parameter: the values are those in the cell of settings.")
    return "\n".join([*lines, ":::"])


def merge_settings(notebook: nbformat.NotebookNode, used: Mapping[str, Any]) -> None:
    """Write the values that were ``used`` into the cell of parameters, instead of a second cell."""
    notebook.cells = [c for c in notebook.cells if "injected-parameters" not in _tags(c)]
    for cell in (c for c in notebook.cells if "parameters" in _tags(c)):
        lines = []
        for line in cell.source.splitlines():
            name, comment = line.partition("=")[0].strip(), line.partition("  # ")[2]
            lines.append(f"{name} = {used[name]!r}  # {comment}" if name in used else line)
        cell.source = "\n".join(lines)


def fill_sentences(notebook: nbformat.NotebookNode, chapter: str) -> None:
    """Put the stored numbers where the sentences name them, so that a downloaded copy reads well.

    Raises:
        AgmpkError: a sentence names something that no cell stored.
    """
    values = stored(notebook)

    def value(match: re.Match) -> str:
        if match[1] not in values:
            raise AgmpkError(
                f"{chapter}.ipynb names the number {match[1]!r} in a sentence, but no cell stores "
                f"it: say glue({match[1]!r}, ..., display=False) in one."
            )
        return re.sub(r"([\\`*_\[\]<>$|{}])", r"\\\1", plain(values[match[1]]))

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _SENTENCE.sub(value, cell.source)


def label_code(notebook: nbformat.NotebookNode) -> None:
    """Say on folded code what it is."""
    for cell in notebook.cells:
        tags, shown = _tags(cell), "".join(_html(output) for output in cell.get("outputs", ()))
        if cell.cell_type != "code" or not {"parameters", "hide-input", "hide-cell"} & {*tags}:
            continue
        if "mystnb" in cell.metadata:  # the author has said it
            continue
        if "parameters" in tags:
            label = "Settings of this run"
            cell.metadata["tags"] = [*tags, "hide-input"]
        elif "hide-cell" in tags:
            label = "Solution"
        elif "import" in cell.source and not shown:
            label = "Setup"
        else:
            thing = "figure" if FIGURE in shown else "table" if TABLE in shown else ""
            label = f"Code of this {thing}" if thing else "Code"
        cell.metadata["mystnb"] = {"code_prompt_show": label, "code_prompt_hide": label}


def say_sources(
    notebook: nbformat.NotebookNode, chapter: str, tier: str, digest: str, reads: Sequence[str]
) -> None:
    """Under every figure: cell, data, digest of all that the chapter rests on, command."""
    folders = sorted({"/".join(name.split("/")[:2]) for name in reads})
    data = f" · reads {', '.join(folders)}" if folders else ""
    for cell in notebook.cells:
        line = (
            f'<p class="agmpk-source">notebooks/{chapter}.ipynb, cell '
            f"[{cell.get('execution_count')}]{data} · digest {digest} · "
            f"<code>{command(chapter, tier)}</code></p></figure>"
        )
        for output in cell.get("outputs", ()):
            for mime in ("text/html", STORED + "text/html"):
                if FIGURE in output.get("data", {}).get(mime, ""):
                    output.data[mime] = output.data[mime].replace("</figure>", line)


def command(chapter: str, tier: str) -> str:
    """What makes the chapter again."""
    return f"make notebooks CHAPTER={chapter} TIER={tier}"


def _tags(cell: nbformat.NotebookNode) -> Sequence[str]:
    return cell.metadata.get("tags", ())


def _html(output: nbformat.NotebookNode) -> str:
    data = output.get("data", {})
    return str(data.get("text/html", "")) + str(data.get(STORED + "text/html", ""))
