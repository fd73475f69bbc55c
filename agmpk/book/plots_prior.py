"""The figures of the chapters on the prior and on the literature behind it, one function each; what
they draw is computed there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from agmpk.book import plots
from agmpk.book.plots import COLOURS
from agmpk.prior.table import SimulatedStudies
from agmpk.studies import Study

PRESETS = ("paper", "extended", "calibrated", "clinic")
TINTS = {"paper": "0.6", "extended": COLOURS["context"], "calibrated": COLOURS["prior"]}
TINTS["clinic"] = "#7a4988"
REAL = COLOURS["observed"]
TIME, CONCENTRATION = "Time after the first dose (h)", "Concentration (mg/L)"


def wandering(times: torch.Tensor, found: Mapping) -> Figure:
    """Title -> (rates [n, T], concentrations [n, T]); the first individual in colour."""
    n, look = len(found), {"sharex": True, "sharey": "row", "x": "Time after dose (h)"}
    figure, axes = plots.panels(2 * n, n, each=2.05, width=7.2, titles=found, **look)
    for k, ax in enumerate(axes):
        values = list(found.values())[k % n][k // n]
        ax.plot(times[1:], values[1:, 1:].T, color="0.75", lw=0.7)
        ax.plot(times[1:], values[0, 1:], color=TINTS["calibrated"])
    axes[0].set_ylabel("ke (1/h)")
    axes[n].set(ylabel=CONCENTRATION, yscale="log")
    return figure


def people(
    ax: Axes, batch: SimulatedStudies, s: int, colour: str | None = None, style: str = "-", **look
) -> None:
    """The quantified samples of study ``s``, one line an individual; ``first`` of them."""
    look = {"lw": 0.9, "ms": 3.0} | look
    for i in batch.present[s].nonzero().flatten().tolist()[: look.pop("first", None)]:
        keep = batch.quantified[s, i]
        values = batch.times[s, i, keep], batch.concentration[s, i, keep]
        ax.plot(*values, style, color=colour or f"C{i % 10}", **look)


def limit(ax: Axes, batch: SimulatedStudies, s: int) -> None:
    """The LLOQ, and the samples below it as marks on it."""
    if level := float(batch.lloq[s]):
        ax.axhline(level, color="0.4", lw=0.8, ls="--")
        times = batch.times[s][batch.below[s]]
        ax.plot(times, torch.full_like(times, level), "v", color=REAL, ms=4, mfc="white")


def layers(drawn: Mapping[str, SimulatedStudies], s: int) -> Figure:
    """One individual in all layers, then the whole study ``s`` in each; the last has the assay."""
    titles = ["one individual", *(f"the study: {label}" for label in drawn)]
    look = {"x": "Time after dose (h)", "y": CONCENTRATION, "sharex": True, "sharey": True}
    figure, axes = plots.panels(4, 2, each=2.45, width=7.2, titles=titles, **look)
    first, *rest = axes
    tints = ("0.6", TINTS["extended"], REAL)
    for ax, tint, (label, batch) in zip(rest, tints, drawn.items(), strict=True):
        style = "o" if tint == REAL else "-"
        people(first, batch, s, tint, style, lw=1.5, first=1)
        first.plot([], [], style, color=tint, ms=3, lw=1.5, label=label)
        people(ax, batch, s, style=".-")
    limit(axes[3], batch, s)
    first.legend(fontsize="x-small")
    first.set_yscale("log")
    return figure


def designs(examples: Mapping[str, Study]) -> Figure:
    """Up to eight people of each study: samples, doses as ticks, samples below the limit."""
    look = {"x": TIME, "y": CONCENTRATION, "titles": examples}
    figure, axes = plots.panels(6, 2, each=2.3, width=7.2, **look)
    for ax, study in zip(axes, examples.values(), strict=True):
        seen = [one for one in study if len(one.quantifiable())][:8]
        amounts = np.log([one.doses[0].amount for one in seen])
        place = (amounts - amounts.min()) / max(np.ptp(amounts), 1e-9)
        for one, x in zip(seen, place, strict=True):
            kept, tint = one.quantifiable(), plt.cm.viridis(0.85 * x)
            ax.plot(kept.times, kept.concentrations, "o-", ms=3, lw=0.7, color=tint)
            given = [d.time for d in one.single_doses()]
            ax.plot(given, [0.03] * len(given), "|", color=tint, transform=ax.get_xaxis_transform())
            lost = one.select(one.censored)
            ax.plot(lost.times, lost.concentrations, "v", ms=4, color=REAL, mfc="white")
        if study.lloq:
            ax.axhline(study.lloq, color="0.4", lw=0.8, ls="--")
        ax.set_yscale("log")
        ax.tick_params(labelsize="x-small")
    return figure


def switched(base: SimulatedStudies, effects: Mapping[str, SimulatedStudies], s: int) -> Figure:
    """Study ``s`` plain (grey) and with one part switched on, a panel each."""
    look = {"x": TIME, "y": CONCENTRATION, "sharex": True, "sharey": True}
    figure, axes = plots.panels(16, each=1.675, width=7.2, **look)
    for ax, (name, batch) in zip(axes, effects.items(), strict=True):
        people(ax, base, s, "0.8", lw=0.8)
        people(ax, batch, s, TINTS["calibrated"], lw=1.0)
        limit(ax, batch, s)
        ax.set_title(name, fontsize="x-small")
    axes[0].set(yscale="log", ylim=(2e-3, 2))
    return figure


def relative(study: Study) -> list[tuple[np.ndarray, np.ndarray]]:
    """Time over the last time, and concentration/dose over its median peak, of the first twelve
    individuals with four samples or more."""
    chosen = [one for one in study.after_dose() if len(one) >= 4][:12]
    end = max((one.times[-1] for one in chosen), default=1.0)
    values = [one.concentrations / sum(d.amount for d in one.single_doses()) for one in chosen]
    top = np.median([curve.max() for curve in values]) if values else 1.0
    return [(one.times / end, curve / top) for one, curve in zip(chosen, values, strict=True)]


def fall(studies: Sequence[Study]) -> float:
    """Median over individuals of ln(largest / last concentration)."""
    return float(np.median([np.log(max(y) / y[-1]) for s in studies for _, y in relative(s)]))


def beside(columns: Mapping[str, Sequence[Study]], rows: int) -> Figure:
    """A column of studies per source, all on the same relative axes."""
    look = {"width": 7.2, "sharex": True, "sharey": True, "titles": columns}
    look |= {"x": "Time / last sampling time", "y": "Concentration / median Cmax"}
    figure, axes = plots.panels(rows * len(columns), len(columns), each=1.7, **look)
    grid = np.reshape(axes, (rows, -1))
    for column, (name, found) in zip(grid.T, columns.items(), strict=True):
        for ax, study in zip(column, found, strict=False):
            for times, values in relative(study):
                ax.plot(times, values, color=TINTS.get(name, REAL), lw=0.8, alpha=0.8)
            label = "" if name in TINTS else study.compound
            ax.text(0.97, 0.95, label, transform=ax.transAxes, ha="right", va="top", fontsize=7)
    axes[0].set(yscale="log", ylim=(1e-3, 8))
    return figure


def ranges(
    table: pd.DataFrame, quantities: Mapping, levels: Sequence[str], first: str, dots=None
) -> Figure:
    """A panel a quantity: outer (and inner) range and median of ``first`` and of each preset.

    ``table`` has columns quantity, source and ``levels`` (3 or 5 of them); ``quantities`` maps its
    name to a title, whether values are logarithms, and whether the axis is logarithmic; ``dots``
    are single values by quantity, drawn above.
    """
    columns, titles = 2 if len(levels) == 5 else 3, [title for title, *_ in quantities.values()]
    figure, axes = plots.panels(len(quantities), columns, each=1.9, width=7.2, titles=titles)
    tints = {first: REAL, **TINTS}
    scatter = np.random.default_rng(0)
    for ax, (quantity, (_, logs, log_axis)) in zip(axes, quantities.items(), strict=True):
        part = table[table["quantity"] == quantity].set_index("source")
        back = np.exp if logs else (lambda x: x)
        for y, (source, tint) in enumerate(tints.items()):
            low, *inner, high = back(part.loc[source, list(levels)].to_numpy(float))
            ax.plot([low, high], [y, y], color=tint, lw=1.5)
            ax.plot([inner[0], inner[-1]], [y, y], color=tint, lw=6, solid_capstyle="butt")
            ax.plot(inner[len(inner) // 2], y, "o", color="white", mec=tint, ms=6, zorder=3)
        if dots is not None:
            values = back(dots[quantity].dropna())
            jitter = -0.62 + 0.22 * scatter.random(len(values))
            ax.plot(values, jitter, ".", ms=3, color="0.45")
        ax.set_yticks(range(len(tints)), list(tints), fontsize="x-small")
        ax.set_ylim(len(tints) - 0.5, -0.8)
        if log_axis:
            ax.set_xscale("log")
            ax.xaxis.set_minor_formatter(NullFormatter())
        ax.tick_params(axis="x", labelsize="x-small")
    return figure


def spreads(clouds: Mapping[str, pd.DataFrame], real: pd.DataFrame) -> Figure:
    """Spread of shape against spread of level: a cloud per preset, and the real cohorts."""
    look = {"x": "Spread of the level (SD of ln)", "y": "Spread of the shape (RMS of ln)"}
    look |= {"width": 6.4, "sharex": True, "sharey": True, "titles": clouds}
    figure, axes = plots.panels(len(clouds), 2, each=2.75, **look)
    for ax, (name, cloud) in zip(axes, clouds.items(), strict=True):
        ax.plot(cloud["level"], cloud["shape"], ".", ms=3, color=TINTS[name])
        ax.plot(real["level"], real["shape"], "D", ms=4.5, color=REAL, mec="white", mew=0.5)
        ax.plot([0.02, 3], [0.02, 3], color="0.8", lw=0.8, zorder=0)
    axes[0].set(xscale="log", yscale="log", xlim=(0.02, 3), ylim=(0.02, 3))
    return figure


def places(ranks: pd.DataFrame, meanings: Mapping[str, str], line: int) -> Figure:
    """Where real cohorts lie among simulated studies: a row a feature, a column a preset; the
    ``line`` stands after so many features."""
    names, look = list(meanings), {"x": "Place of the real cohorts among simulated studies"}
    figure, axes = plots.panels(len(PRESETS), each=6.1, width=7.2, sharey=True, **look)
    for ax, name in zip(axes, PRESETS, strict=True):
        part = ranks[ranks["prior"] == name]
        ax.axvspan(0.05, 0.95, color="0.94", lw=0)
        rows = part["feature"].map(names.index)
        ax.plot(part["rank"], rows, "o", ms=4, color=TINTS[name], alpha=0.7)
        ax.set_title(f"{name}\n{outside(part):.0%} outside", fontsize="small")
        ax.set(xlim=(-0.04, 1.04), xticks=[0, 0.5, 1])
        ax.axhline(line - 0.5, color="0.5", lw=0.8)
    axes[0].set_yticks(range(len(names)), meanings.values(), fontsize=7)
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    return figure


def outside(ranks: pd.DataFrame) -> float:
    """The share of places outside the central 90 %."""
    return float((~ranks["rank"].between(0.05, 0.95)).mean())


def inside(table: pd.DataFrame, labels: Sequence[str]) -> Figure:
    """Per cent of the literature inside each prior's range, as coloured numbers; the last row is
    the mean."""
    figure, ax = plt.subplots(figsize=(7.2, 4.2))
    look = {"cmap": "cividis", "vmin": 0, "vmax": 100, "yticklabels": labels}
    names = [name.replace(", ", ",\n") for name in table]
    bar = {"label": "Literature inside (%)"}
    sns.heatmap(table, ax=ax, annot=True, fmt=".0f", xticklabels=names, cbar_kws=bar, **look)
    ax.tick_params(labelsize="x-small", rotation=0)
    ax.set(xlabel="", ylabel="")
    ax.axhline(len(labels) - 1, color="white", lw=2)
    return figure


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


def histograms(reference: pd.DataFrame, columns: Mapping[str, str], log: bool = False) -> Figure:
    """A histogram of each column with its median dashed; ``columns`` maps it to its axis label."""
    figure, axes = plots.panels(len(columns), each=2.0, width=6.4, sharey=True)
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
        spans = {}
        for field, found in evidence.items():
            for span in (one for one in found if one.source == source):
                spans.setdefault((span.start, span.end), []).append(field)
        pieces, cursor = [], 0
        for (start, end), fields in sorted(spans.items()):
            if start >= cursor:
                said = escape(", ".join(fields), quote=True)
                pieces += [escape(text[cursor:start])]
                pieces += [f'<mark title="{said}">{escape(text[start:end])}</mark>']
                cursor = end
        if spans:
            body = "".join([*pieces, escape(text[cursor:])])
            parts.append(
                f"<p><b>{escape(source)}</b></p><p style='white-space: pre-wrap'>{body}</p>"
            )
    html = "".join(parts)
    if not caption:
        return html
    note = f'<figcaption class="agmpk-caption">{escape(caption)}</figcaption>'
    return f'<figure class="agmpk-figure">{html}{note}</figure>'
