"""What a reader meets around the cells of an executed chapter, also in a downloaded copy: how it
was made, one cell of settings, numbers in their sentences, what folded code is, and where each
figure comes from."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

import nbformat

from agmpk.book.project import Project, Tier, load_tier, notebook_parameters
from agmpk.errors import AgmpkError
from agmpk.files import PROJECT

#: Mime prefix of what a notebook stores for its sentences (``myst_nb.glue``).
STORED = "application/papermill.record/"
FIGURE, TABLE = '<figure class="agmpk-figure"', 'class="agmpk-table-caption"'
#: First cell of a downloaded copy; the pages write their repository's address into it.
START = (PROJECT / "book" / "snippets" / "start.py").read_text("utf-8")
_SENTENCE = re.compile(r"\{glue:text\}`([^`]+)`")


def dress(
    notebook: nbformat.NotebookNode,
    project: Project,
    tier: Tier,
    chapter: str,
    made: str,
    digest: str,
    reads: Sequence[str],
) -> None:
    """Dress an executed ``notebook``, in place; ``made`` says with how much work, ``digest`` and
    ``reads`` (files of data) what its figures rest on.

    Raises:
        AgmpkError: a sentence names something that no cell stored.
    """
    merge_settings(notebook, tier.parameters(chapter))
    fill_sentences(notebook, chapter)
    label_code(notebook)
    say_sources(notebook, chapter, tier.name, digest, reads)
    note = _note(project, tier, chapter, f"Made in {made}; again: `{command(chapter, tier.name)}`")
    start = nbformat.v4.new_code_cell(START, id="agmpk-start", metadata={"tags": ["remove-cell"]})
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
