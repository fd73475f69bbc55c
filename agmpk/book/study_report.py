"""A report on one study: ``notebooks/your-study.ipynb`` executed, as one HTML file that needs no
other and no network.

What the notebook says after its cell ``adapt`` is for those who want to change it, and stays out.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from html import escape
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from typing import Any

import nbformat
from IPython.display import Markdown, display

from agmpk.errors import AgmpkError
from agmpk.files import HOME, atomic_path
from agmpk.forecasting import Forecaster, load_forecaster
from agmpk.studies import Study

NOTEBOOK = "your-study.ipynb"
STYLE = """
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222;
       font: 16px/1.5 system-ui, sans-serif; }
pre { background: #f5f5f5; padding: .6rem; overflow-x: auto; font-size: 13px; }
.agmpk-scroll { overflow-x: auto; } figure { margin: 1rem 0; break-inside: avoid; }
img { max-width: 100%; height: auto; min-width: 0 !important; }
figcaption, caption { color: #555; text-align: left; font-size: 14px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { padding: .2rem .7rem; text-align: left; border-bottom: 1px solid #ddd; }
"""


@contextmanager
def or_why() -> Iterator[None]:
    """What cannot be shown of this study is said in a sentence, and the notebook goes on."""
    try:
        yield
    except AgmpkError as error:
        display(Markdown(f"Not shown: {error}"))


def contenders(model: str, study: Study, fitted: int) -> list[Forecaster]:
    """The naive forecast, mixed effects where the study has at most ``fitted`` individuals and the
    fitting engine is installed, and ``model``."""
    engine = find_spec("pynlme") is not None
    names = ["naive"] + ["nlme"] * (engine and len(study) <= fitted) + [model]
    return [load_forecaster(name) for name in dict.fromkeys(names)]


def write_report(study: Path, out: Path, parameters: Mapping[str, Any]) -> None:
    """Execute the notebook on ``study`` with ``parameters`` of its parameters cell, and write the
    HTML file ``out``, whole or not at all.

    Raises:
        AgmpkError: a cell failed, with its first line and the error.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    notebook = nbformat.read(HOME / "notebooks" / NOTEBOOK, as_version=4)
    notebook.cells = _before_adapt(notebook.cells)
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "in.ipynb"), Path(folder, "out.ipynb")
        nbformat.write(notebook, source)
        try:
            papermill.execute_notebook(
                str(source),
                str(result),
                parameters={"study_file": str(study), **parameters},
                kernel_name="python3",
                progress_bar=sys.stderr.isatty(),
                extra_arguments=["--IPKernelApp.log_level=50"],
            )
        except PapermillExecutionError as error:
            line = error.source.strip().splitlines()[0]
            raise AgmpkError(f"The report failed at `{line}`: {error.evalue}") from error
        html = to_html(nbformat.read(result, as_version=4).cells, f"Report on {study.name}")
    with atomic_path(out) as temporary:
        temporary.write_text(html, "utf-8")


def _before_adapt(cells: Sequence[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    return list(takewhile(lambda cell: "adapt" not in cell.metadata.get("tags", ()), cells))


def to_html(cells: Sequence[nbformat.NotebookNode], title: str) -> str:
    """One page of text and outputs; the code stands folded at its end."""
    from markdown_it import MarkdownIt

    markdown = MarkdownIt().enable("table")
    parts, code = [], []
    for cell in cells:
        if cell.cell_type == "markdown":
            parts.append(markdown.render(cell.source))
            continue
        code.append(cell.source)
        for output in cell.outputs:
            data = output.get("data", {})
            if output.get("name") == "stdout":
                parts.append(f"<pre>{escape(output.text)}</pre>")
            elif "text/html" in data:
                parts.append(data["text/html"])
            elif "text/markdown" in data:
                parts.append(markdown.render(data["text/markdown"]))
            elif "text/plain" in data:
                parts.append(f"<pre>{escape(data['text/plain'])}</pre>")
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    listing = escape("\n\n\n".join(code))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n"
        f"<p>{escape(title)}, {made}. Research, no basis for dosing.</p>\n"
        + "\n".join(parts)
        + f"\n<details><summary>The code behind it</summary><pre>{listing}</pre></details>"
        "</body></html>\n"
    )
