"""Every number of the executed chapters in one file, and whether they are the shipped ones.

The file: ``{"tier": ..., "chapters": {chapter: {name: value}}}``. A name is that of a number in a
sentence, or ``caption / row / column`` of a table; values are unrounded in tables, as printed in
sentences. A reference of a tier ships as ``data/numbers/TIER.json``.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path

import nbformat
import pandas as pd

from agmpk.book.cache import read_stamp
from agmpk.book.project import Project
from agmpk.book.tables import NUMBERS
from agmpk.errors import AgmpkError
from agmpk.files import atomic_path

#: Another processor rounds differently in the last digits, and a sampler drifts by as much.
TOLERANCE = 0.02
#: What depends on the machine and its other work, not on the code: compared by nobody.
CLOCK = re.compile(r"second|minute|\btime\b.*\(|\(s\)|\bfast|speed|date|digest|SHA|cores", re.I)
STATES = ("same", "within tolerance", "differs", "new", "gone", "a time, not compared")
SAME, NEAR, DIFFERS, NEW, GONE, TIMED = STATES
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
#: Mime prefix of what a notebook stores for its sentences (``myst_nb.glue``).
STORED = "application/papermill.record/"


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


def collect(project: Project, chapter: str) -> dict[str, object]:
    """The numbers of an executed chapter by name; empty where it was never executed."""
    path = project.executed_notebook(chapter)
    if not path.is_file():
        return {}
    notebook = nbformat.read(path, as_version=4)
    found = {name: plain(content) for name, content in stored(notebook).items() if name != "answer"}
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            table = output.get("metadata", {}).get(NUMBERS)
            for label, row in zip(table["index"], table["data"], strict=True) if table else ():
                for column, value in zip(table["columns"], row, strict=True):
                    found[f"{table['caption']} / {_word(label)} / {_word(column)}"] = value
    return found


def write_numbers(project: Project, file: Path) -> None:
    """Write the numbers of all executed chapters, whole or not at all.

    Raises:
        AgmpkError: chapters were executed in more than one tier.
    """
    names = project.described()
    stamps = [stamp for stamp in (read_stamp(project, name) for name in names) if stamp]
    tiers = {stamp.tier for stamp in stamps}
    if len(tiers) > 1:
        raise AgmpkError(f"Chapters were executed in several tiers ({', '.join(sorted(tiers))}).")
    content = {"tier": "".join(tiers), "chapters": {n: collect(project, n) for n in names}}
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(file) as temporary:
        temporary.write_text(json.dumps(content, indent=0, ensure_ascii=False) + "\n", "utf-8")


def compare(project: Project, reference: Path) -> pd.DataFrame:
    """One row a number: chapter, number, shipped, here, state (one of ``STATES``), for the chapters
    that were executed here.

    Raises:
        AgmpkError: the reference is missing or unreadable.
    """
    try:
        shipped = json.loads(reference.read_text("utf-8"))["chapters"]
    except (OSError, ValueError, KeyError) as error:
        raise AgmpkError(
            f"{reference} cannot be read as a file of numbers ({type(error).__name__}): write it "
            "with 'agmpk book numbers --out'."
        ) from error
    rows = []
    for chapter in project.described():
        here, there = collect(project, chapter), shipped.get(chapter, {})
        for name in dict.fromkeys([*there, *here]) if here else ():
            rows.append((chapter, name, there.get(name), here.get(name), _state(name, there, here)))
    return pd.DataFrame(rows, columns=["chapter", "number", "shipped", "here", "state"])


def _state(name: str, there: Mapping[str, object], here: Mapping[str, object]) -> str:
    if CLOCK.search(name):
        return TIMED
    if name not in there or name not in here:
        return NEW if name in here else GONE
    old, new = there[name], here[name]
    if old == new:
        return SAME
    return NEAR if _near(str(old), str(new)) else DIFFERS


def _near(old: str, new: str) -> bool:
    """Whether two texts differ in their numbers only, each by no more than the tolerance, counted
    from the larger of the value and 0.1."""
    if _NUMBER.sub("#", old) != _NUMBER.sub("#", new):
        return False
    pairs = zip(_NUMBER.findall(old), _NUMBER.findall(new), strict=True)
    return all(
        math.isclose(float(a), float(b), rel_tol=TOLERANCE, abs_tol=TOLERANCE / 10)
        for a, b in pairs
    )


def _word(label: object) -> str:
    return ", ".join(map(str, label)) if isinstance(label, list) else str(label)


def code_lines(notebook: str | Path) -> tuple[int, int]:
    """Lines of code, blank ones left out, that a reader of the page sees, and that are folded."""
    counted = {False: 0, True: 0}
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type == "code":
            tags = cell.metadata.get("tags", ())
            folded = any(tag.startswith(("hide", "remove")) for tag in tags)
            counted[folded] += sum(bool(line.strip()) for line in cell.source.splitlines())
    return counted[False], counted[True]
