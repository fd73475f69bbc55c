"""Show a table as accessible HTML that scrolls inside its own box on a narrow screen."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

import pandas as pd
from IPython.display import display
from myst_nb import glue

#: Where in an output's metadata a table's numbers stand, unrounded, for the file of all numbers.
NUMBERS = "agmpk_table"


def table_html(
    frame: pd.DataFrame, caption: str, *, digits: int = 2, index: bool = True, missing: str = "–"
) -> str:
    """HTML of ``frame``: a caption, header cells with scope, decimals rounded to ``digits``.

    The scrolling box can be reached by keyboard (``tabindex``) and carries the caption as its
    name; the caption itself stands outside, so that it never scrolls away. ``missing`` is what an
    absent value shows.
    """
    if index and frame.index.nlevels == frame.columns.nlevels == 1:
        # The name of the index belongs in the corner, not in a header row of its own.
        frame = frame.rename_axis(index=None, columns=frame.index.name)
    body = frame.to_html(
        index=index,
        border=0,
        classes=["dataframe", "agmpk-table"],
        float_format=lambda value: f"{value:.{digits}f}",
        na_rep=missing,
        escape=True,
        justify="left",
    )
    head, _, rest = body.partition("</thead>")
    # A corner without a name is no header.
    head = head.replace("<th></th>", "<td></td>").replace("<th>", '<th scope="col">')
    rest = rest.replace("<th>", '<th scope="row">')
    rest = re.sub(r"<td>(?=[^<]{30})", '<td class="agmpk-text">', rest)  # wraps; numbers do not
    return (
        f'<div class="agmpk-table-caption">{escape(caption)}</div>'
        f'<div class="agmpk-scroll" tabindex="0" role="region" '
        f'aria-label="{escape(caption, quote=True)}">{head}</thead>{rest}</div>'
    )


def show_table(frame: pd.DataFrame, caption: str, **look: Any) -> None:
    """Display ``frame`` in the notebook as :func:`table_html` makes it of the same arguments, with
    plain text as the fallback."""
    # index, columns and data, as JSON knows them
    values = json.loads(frame.to_json(orient="split", default_handler=str))
    shown = {"text/html": table_html(frame, caption, **look), "text/plain": frame.to_string()}
    display(shown, raw=True, metadata={NUMBERS: {"caption": caption} | values})


def tell(**values: object) -> None:
    """Store values for the sentences of a chapter, which say ``{glue:text}`name```."""
    for name, value in values.items():
        glue(name, value, display=False)
