"""The note on top of every executed chapter: how much work went into what the reader sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import nbformat

#: Text before the table of parameters.
INTRODUCTION = "This page was executed in the tier **{tier}** ({description})."
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
