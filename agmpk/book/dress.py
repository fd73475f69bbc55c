"""What a reader meets around the cells of an executed chapter, also in a downloaded copy: how it
was made, one cell of settings, numbers in their sentences, what folded code is, and where each
figure comes from."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

import nbformat

from agmpk.errors import AgmpkError

#: Text before the table of parameters.
INTRODUCTION = "This page was executed in the tier **{tier}** ({description})."
UNCHANGED = "It sets no parameter of this chapter: the values are those in the parameters cell."
#: Mime prefix of what a notebook stores for its sentences (``myst_nb.glue``).
STORED = "application/papermill.record/"
FIGURE, TABLE = '<figure class="agmpk-figure"', 'class="agmpk-table-caption"'
START = """\
# This copy of a chapter runs with the project's package and data.
import importlib.util
import os
from pathlib import Path

found = importlib.util.find_spec("agmpk")
if found is None:
    raise SystemExit(
        "Install the project first: clone {repository}, say 'make setup', and open this copy "
        "with a Jupyter that runs its .venv/bin/python."
    )
os.chdir(Path(found.origin).parents[1])
"""
_SENTENCE = re.compile(r"\{glue:text\}`([^`]+)`")


def note_text(
    title: str,
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
    return "\n".join([f":::{{admonition}} {title}", ":class: tip dropdown", "", *lines, ":::"])


def add_note(notebook: nbformat.NotebookNode, text: str) -> None:
    """Insert the note below the first heading of ``notebook``, in place."""
    cell = nbformat.v4.new_markdown_cell(text, id="agmpk-note")
    first = notebook.cells[0] if notebook.cells else None
    notebook.cells.insert(1 if first is not None and first.cell_type == "markdown" else 0, cell)


def add_start(notebook: nbformat.NotebookNode, repository: str) -> None:
    """Put in front what a downloaded copy needs: the package, and its folder. Pages do not show
    it."""
    cell = nbformat.v4.new_code_cell(START.format(repository=repository), id="agmpk-start")
    cell.metadata["tags"] = ["remove-cell"]
    notebook.cells.insert(2, cell)


def merge_settings(notebook: nbformat.NotebookNode, used: Mapping[str, Any]) -> None:
    """Write the values that were ``used`` into the cell of parameters, instead of a second cell."""
    notebook.cells = [c for c in notebook.cells if "injected-parameters" not in _tags(c)]
    for cell in (c for c in notebook.cells if "parameters" in _tags(c)):
        lines = []
        for line in cell.source.splitlines():
            name, comment = line.partition("=")[0].strip(), line.partition("  # ")[2]
            lines.append(f"{name} = {used[name]!r}  # {comment}" if name in used else line)
        cell.source = "\n".join(lines)


def stored(notebook: nbformat.NotebookNode) -> dict[str, Mapping[str, str]]:
    """What a notebook stored for its text: for each name, content by mime type."""
    found = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            if name:
                found[name] = {k.removeprefix(STORED): v for k, v in output.data.items()}
    return found


def plain(content: Mapping[str, str]) -> str:
    """The text of something stored: that of a string without its quotes."""
    text = content.get("text/plain", "")
    return str(ast.literal_eval(text)) if text[:1] in "'\"" and text else text


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
