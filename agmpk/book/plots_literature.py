"""The drawings of the literature chapter: funnel, accuracy, fates of values, spreads, evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from agmpk.book import plots
from agmpk.book.plots import COLOURS

#: What a value of a field can be, and its colour.
FATES = {"right": "#2b7a4b", "right, flagged": "#8fc1a2", "empty": "0.82", "wrong": "#b3261e"}


def funnel(steps: pd.Series, published: int) -> Figure:
    """What is left after each step (count); the first ``published`` steps are others'."""
    colours = [COLOURS["published"]] * published + [COLOURS["prior"]] * (len(steps) - published)
    ax = steps.plot.barh(figsize=(6.4, 3.2), color=colours, width=0.8)
    ax.invert_yaxis()
    ax.bar_label(ax.containers[0], padding=3)
    ax.set(xlabel="Articles or records (count)", ylabel="")
    return ax.figure


def accuracy(table: pd.DataFrame) -> Figure:
    """Precision (filled) and recall (open) of each row, ``colour`` by who read."""
    figure, ax = plt.subplots(figsize=(6.4, 0.42 * len(table) + 0.9))
    for y, (_, row) in enumerate(table.iterrows()):
        ax.plot([row.recall, row.precision], [y, y], color=row.colour, lw=1, alpha=0.5)
        ax.plot(row.precision, y, "o", color=row.colour)
        ax.plot(row.recall, y, "o", mfc="white", color=row.colour)
    ax.set_yticks(range(len(table)), table.index)
    ax.invert_yaxis()
    ax.set_xlabel("Share (filled: precision, open: recall)")
    ax.grid(axis="x", color="0.9")
    return figure


def fates(table: pd.DataFrame, label: str) -> Figure:
    """What became of each row's values, as stacked bars in the colours of :data:`FATES`."""
    table = table[[fate for fate in FATES if fate in table]]
    size, ends = (6.4, 0.42 * len(table) + 1.3), table.cumsum(axis=1)
    ax = table.plot.barh(stacked=True, figsize=size, color=FATES, width=0.8, legend=False)
    for fate in table:
        for y, (n, end) in enumerate(zip(table[fate], ends[fate], strict=True)):
            if fate == "wrong" and n:  # beside its bar, which may be thin
                ax.text(end, y, f" {n:.0f}", va="center", color=FATES[fate], fontsize="small")
            elif n > 0.05 * ends.to_numpy().max(initial=1):
                look = {"ha": "center", "va": "center", "fontsize": "small"}
                colour = "white" if fate == "right" else "black"
                ax.text(end - n / 2, y, f"{n:.0f}", color=colour, **look)
    ax.invert_yaxis()
    ax.set(xlabel=label, ylabel="")
    plots.legend_above(ax.figure, 4)
    return ax.figure


def spreads(reference: pd.DataFrame, columns: Mapping[str, str], log: bool = False) -> Figure:
    """A histogram of each column with its median dashed; ``columns`` maps it to its axis label."""
    figure, axes = plt.subplots(1, len(columns), figsize=(6.4, 2.5), sharey=True)
    for ax, (column, label) in zip(axes, columns.items(), strict=True):
        values = reference[column].dropna()
        bins = np.linspace(0, max(120, values.max()), 20)
        if log:
            bins = np.geomspace(values.min() / 1.01, values.max() * 1.01, 14)
            ax.set_xscale("log")
            if values.max() < 100:
                ticks = [t for t in (0.5, 1, 2, 4, 8, 16) if values.min() <= t <= values.max()]
                ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
                ax.minorticks_off()
        ax.hist(values, bins=bins, color=COLOURS["prior"])
        ax.axvline(values.median(), color=COLOURS["observed"], ls="--")
        ax.set_xlabel(label)
    axes[0].set_ylabel("Records (count)")
    axes[0].yaxis.get_major_locator().set_params(integer=True)
    return figure


def in_words(table: pd.DataFrame, digits: int = 0) -> str:
    """A table read aloud, for an alt text: `dose: right 57, empty 2; ...`."""
    rows = (", ".join(f"{k} {v:.{digits}f}" for k, v in row.items()) for _, row in table.iterrows())
    return "; ".join(f"{name}: {row}" for name, row in zip(table.index, rows, strict=True))


def evidence_html(
    sources: Mapping[str, str], evidence: Mapping[str, Sequence], caption: str = ""
) -> str:
    """The sources of a document with the spans of each field's evidence marked; a numbered figure
    where there is a ``caption``."""
    parts = []
    for source, text in sources.items():
        marks: dict[tuple[int, int], list[str]] = {}
        for field, spans in evidence.items():
            for span in spans:
                if span.source == source:
                    marks.setdefault((span.start, span.end), []).append(field)
        pieces, cursor = [], 0
        for (start, end), fields in sorted(marks.items()):
            if start >= cursor:
                said = escape(", ".join(fields), quote=True)
                pieces += [escape(text[cursor:start])]
                pieces += [f'<mark title="{said}">{escape(text[start:end])}</mark>']
                cursor = end
        if marks:
            body = "".join([*pieces, escape(text[cursor:])])
            parts.append(
                f"<p><b>{escape(source)}</b></p><p style='white-space: pre-wrap'>{body}</p>"
            )
    html = "".join(parts)
    if not caption:
        return html
    note = f'<figcaption class="agmpk-caption">{escape(caption)}</figcaption>'
    return f'<figure class="agmpk-figure">{html}{note}</figure>'
