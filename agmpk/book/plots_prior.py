"""The figures of the chapters on the prior, one function each; what they draw is computed there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    figure, axes = plt.subplots(
        2, len(found), figsize=(7.2, 4.6), sharex=True, sharey="row", squeeze=False
    )
    for (title, pair), column in zip(found.items(), axes.T, strict=True):
        for ax, values in zip(column, pair, strict=True):
            ax.plot(times[1:], values[1:, 1:].T, color="0.75", lw=0.7)
            ax.plot(times[1:], values[0, 1:], color=TINTS["calibrated"])
        column[0].set_title(title, fontsize="small")
    axes[1, 0].set_yscale("log")
    axes[0, 0].set_ylabel("ke (1/h)")
    axes[1, 0].set_ylabel(CONCENTRATION)
    figure.supxlabel("Time after dose (h)")
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
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 5.4), sharex=True, sharey=True)
    first, *rest = axes.flat
    tints = ("0.6", TINTS["extended"], REAL)
    for ax, tint, (label, batch) in zip(rest, tints, drawn.items(), strict=True):
        style = "o" if tint == REAL else "-"
        people(first, batch, s, tint, style, lw=1.5, first=1)
        first.plot([], [], style, color=tint, ms=3, lw=1.5, label=label)
        people(ax, batch, s, style=".-")
        ax.set_title(f"the study: {label}", fontsize="small")
    limit(axes[1, 1], batch, s)
    first.legend(fontsize="x-small")
    first.set_title("one individual", fontsize="small")
    first.set_yscale("log")
    figure.supxlabel("Time after dose (h)")
    figure.supylabel(CONCENTRATION)
    return figure


def designs(examples: Mapping[str, Study]) -> Figure:
    """Up to eight people of each study: samples, doses as ticks, samples below the limit."""
    figure, axes = plt.subplots(3, 2, figsize=(7.2, 7.4))
    for ax, (name, study) in zip(axes.flat, examples.items(), strict=True):
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
        ax.set_title(name, fontsize="small")
        ax.tick_params(labelsize="x-small")
    figure.supxlabel(TIME)
    figure.supylabel(CONCENTRATION)
    return figure


def switched(base: SimulatedStudies, effects: Mapping[str, SimulatedStudies], s: int) -> Figure:
    """Study ``s`` plain (grey) and with one part switched on, a panel each."""
    figure, axes = plt.subplots(4, 4, figsize=(7.2, 7.2), sharex=True, sharey=True)
    for ax, (name, batch) in zip(axes.flat, effects.items(), strict=True):
        people(ax, base, s, "0.8", lw=0.8)
        people(ax, batch, s, TINTS["calibrated"], lw=1.0)
        limit(ax, batch, s)
        ax.set_title(name, fontsize="x-small")
    axes[0, 0].set(yscale="log", ylim=(2e-3, 2))
    figure.supxlabel(TIME)
    figure.supylabel(CONCENTRATION)
    return figure


def relative(study: Study, most: int = 12) -> list[tuple[np.ndarray, np.ndarray]]:
    """Time over the last time, and concentration/dose over its median peak, of each individual with
    four samples or more."""
    chosen = [one for one in study.after_dose() if len(one) >= 4][:most]
    end = max((one.times[-1] for one in chosen), default=1.0)
    values = [one.concentrations / sum(d.amount for d in one.single_doses()) for one in chosen]
    top = np.median([curve.max() for curve in values]) if values else 1.0
    return [(one.times / end, curve / top) for one, curve in zip(chosen, values, strict=True)]


def fall(studies: Sequence[Study]) -> float:
    """Median over individuals of ln(largest / last concentration)."""
    return float(np.median([np.log(max(y) / y[-1]) for s in studies for _, y in relative(s)]))


def beside(columns: Mapping[str, Sequence[Study]], rows: int) -> Figure:
    """A column of studies per source, all on the same relative axes."""
    look = {"width": 7.2, "sharex": True, "sharey": True}
    figure, axes = plots.panels(rows * len(columns), len(columns), each=1.7, **look)
    grid = np.reshape(axes, (rows, -1))
    for column, (name, found) in zip(grid.T, columns.items(), strict=True):
        for ax, study in zip(column, found, strict=False):
            for times, values in relative(study):
                ax.plot(times, values, color=TINTS.get(name, REAL), lw=0.8, alpha=0.8)
            label = "" if name in TINTS else study.compound
            ax.text(0.97, 0.95, label, transform=ax.transAxes, ha="right", va="top", fontsize=7)
        column[0].set_title(name, fontsize="small")
    axes[0].set(yscale="log", ylim=(1e-3, 8))
    figure.supxlabel("Time / last sampling time")
    figure.supylabel("Concentration / median Cmax")
    return figure


def ranges(
    table: pd.DataFrame,
    quantities: Mapping[str, tuple[str, bool, bool]],
    levels: Sequence[str],
    first: str,
    dots: pd.DataFrame | None = None,
) -> Figure:
    """A panel a quantity: outer (and inner) range and median of ``first`` and of each preset.

    ``table`` has columns quantity, source and ``levels`` (3 or 5 of them); ``quantities`` maps its
    name to a title, whether values are logarithms, and whether the axis is logarithmic; ``dots``
    are single values by quantity, drawn above.
    """
    columns = 2 if len(levels) == 5 else 3
    figure, axes = plots.panels(len(quantities), columns, each=1.9, width=7.2)
    tints = {first: REAL, **TINTS}
    scatter = np.random.default_rng(0)
    for ax, (quantity, (title, logs, log_axis)) in zip(axes, quantities.items(), strict=True):
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
        ax.set_title(title, fontsize="small")
        if log_axis:
            ax.set_xscale("log")
            ax.xaxis.set_minor_formatter(NullFormatter())
        ax.tick_params(axis="x", labelsize="x-small")
    return figure


def spreads(clouds: Mapping[str, pd.DataFrame], real: pd.DataFrame) -> Figure:
    """Spread of shape against spread of level: a cloud per preset, and the real cohorts."""
    figure, axes = plt.subplots(2, 2, figsize=(6.4, 6.0), sharex=True, sharey=True)
    for ax, (name, cloud) in zip(axes.flat, clouds.items(), strict=True):
        ax.plot(cloud["level"], cloud["shape"], ".", ms=3, color=TINTS[name])
        ax.plot(real["level"], real["shape"], "D", ms=4.5, color=REAL, mec="white", mew=0.5)
        ax.plot([0.02, 3], [0.02, 3], color="0.8", lw=0.8, zorder=0)
        ax.set_title(name, fontsize="small")
    axes[0, 0].set(xscale="log", yscale="log", xlim=(0.02, 3), ylim=(0.02, 3))
    figure.supxlabel("Spread of the level (SD of ln)")
    figure.supylabel("Spread of the shape (RMS of ln)")
    return figure


def places(ranks: pd.DataFrame, meanings: Mapping[str, str], line: int) -> Figure:
    """Where real cohorts lie among simulated studies: a row a feature, a column a preset; the
    ``line`` stands after so many features."""
    names = list(meanings)
    figure, axes = plt.subplots(1, len(PRESETS), figsize=(7.2, 6.6), sharey=True)
    for ax, name in zip(axes, PRESETS, strict=True):
        part = ranks[ranks["prior"] == name]
        ax.axvspan(0.05, 0.95, color="0.94", lw=0)
        rows = part["feature"].map(names.index)
        ax.plot(part["rank"], rows, "o", ms=4, color=TINTS[name], alpha=0.7)
        ax.set_title(f"{name}\n{outside(part):.0%} outside", fontsize="small")
        ax.set_xlim(-0.04, 1.04)
        ax.set_xticks([0, 0.5, 1])
        ax.axhline(line - 0.5, color="0.5", lw=0.8)
    axes[0].set_yticks(range(len(names)), meanings.values(), fontsize=7)
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    figure.supxlabel("Place of the real cohorts among simulated studies")
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
