"""The figures of the chapters that check the models (calibration, mixed effects, ablations,
claims), one function each; what they draw is computed there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from agmpk.book import plots
from agmpk.book.plots import COLOURS

REAL = COLOURS["observed"]
AIM = (0.88, 0.92)  # the share of samples that 90 % intervals should hold
NOMINAL = {"color": "0.5", "lw": 1, "ls": "--"}


def draw_coverage(axes: Axes, rows: pd.DataFrame, colours: Mapping[str, str]) -> None:
    """Observed against nominal coverage; ``rows`` have model, nominal and value."""
    plots.draw_by(axes, rows[["model", "nominal", "value"]], "nominal", "value", colours)
    axes.plot([0.45, 1], [0.45, 1], **NOMINAL)
    axes.set(xlabel="Nominal probability (1)", ylabel="Share of unseen samples inside (1)")
    axes.legend(fontsize="x-small")


def coverage(pooled: pd.DataFrame, prefix: int, colours: Mapping[str, str]) -> Figure:
    """Coverage by nominal probability at one length of the prefix, and of 90 % by its length;
    ``pooled`` is a calibration table by model and prefix."""
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.8))
    inside = pooled[pooled.quantity.str.startswith("in_")]
    draw_coverage(axes[0], inside[inside.prefix == prefix], colours)
    axes[0].set_title(f"{prefix} samples shown")
    ninety = inside[inside.quantity == "in_90"]
    plots.draw_by(axes[1], ninety, "prefix", "value", colours, 0.08)
    axes[1].axhspan(*AIM, color="0.9", zorder=0)
    axes[1].axhline(0.9, **NOMINAL)
    axes[1].set(xlabel="Samples shown (count)", ylabel="Share inside the 90 % interval (1)")
    axes[1].set_xticks(sorted(pooled.prefix.unique()))
    return figure


def draw_on_chance(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    """A dot (``value``) for each row on the grey range (low, high) that chance alone would give."""
    axes.hlines(range(len(rows)), rows.low, rows.high, color="0.85", lw=6)
    plots.draw_rows(axes, rows.assign(low=rows.value, high=rows.value), colour)


def by_compound(board: pd.DataFrame, mine: pd.DataFrame, name: str, colour: str) -> Figure:
    """Coverage of 90 % [compounds x models] as coloured numbers; beside it one model's (value) with
    the range of right forecasts (low, high)."""
    size = (plots.WIDE, 1.2 + 0.28 * len(board))
    figure, axes = plt.subplots(1, 2, figsize=size, width_ratios=[1.4, 1])
    look = {"cmap": "RdBu", "vmin": 80, "vmax": 100, "cbar": False}
    numbers = {"fmt": ".0f", "annot": True, "annot_kws": {"fontsize": "x-small"}}
    sns.heatmap(100 * board, ax=axes[0], **look, **numbers)
    axes[0].tick_params(labelsize="small")
    axes[0].tick_params(axis="x", rotation=30)
    axes[0].set(xlabel="", ylabel="", title="Inside the 90 % interval (%)")
    draw_on_chance(axes[1], 100 * mine[["value", "low", "high"]], colour)
    axes[1].axvline(90, color="0.3", lw=1, ls="--")
    axes[1].set_yticklabels([])
    axes[1].set(xlabel="Inside the 90 % interval (%)", title=f"{name}, and chance alone")
    return figure


def pits(histograms: Mapping[int, Mapping[str, pd.DataFrame]], colours: Mapping) -> Figure:
    """PIT histograms: a row a number of samples shown, a column a model."""
    pairs, look = list(product(histograms, colours)), {"sharex": True, "sharey": True}
    look |= {"x": "PIT: where the observation lies in its forecast (1)", "titles": colours}
    figure, axes = plots.panels(len(pairs), len(colours), each=1.5, **look)
    for ax, (shown, name) in zip(axes, pairs, strict=True):
        found = histograms[shown].get(name)
        if found is None:
            ax.text(0.5, 0.5, "refused", ha="center", transform=ax.transAxes, fontsize="small")
        else:
            middle = (found.left + found.right) / 2
            ax.bar(middle, found.density, 0.09, color=colours[name], alpha=0.6)
            look = {"fmt": "none", "ecolor": "0.3", "lw": 0.8}
            ax.errorbar(middle, found.density, plots.bars(found, "density"), **look)
        ax.axhline(1, color="0.3", ls="--", lw=1)
        ax.tick_params(labelsize="x-small")
        if name == next(iter(colours)):
            ax.set_ylabel(f"{shown} shown\ndensity (1)", fontsize="small")
    return figure


def rank_curves(curves: Mapping[str, Mapping[str, pd.DataFrame]], colours: Mapping) -> Figure:
    """Differences of the ECDF of ranks from the uniform one, a panel a model; the envelope is that
    of the first quantity."""
    look = {"x": "Rank of the truth (1)", "titles": curves, "sharex": True, "sharey": True}
    figure, axes = plots.panels(len(curves), len(curves), each=2.5, **look)
    for ax, (name, found) in zip(axes, curves.items(), strict=True):
        for k, (quantity, curve) in enumerate(found.items()):
            style = ":" if k else "-"
            ax.plot(curve.z, curve.difference, style, color=colours[name], label=quantity)
            if k == 0:
                ax.fill_between(curve.z, curve.low, curve.high, color="0.9", zorder=0)
        ax.axhline(0, color="0.5", lw=0.8)
    axes[0].set_ylabel("ECDF of ranks - uniform (1)")
    axes[0].legend(fontsize="x-small")
    return figure


def by_draws(table: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """log_rmse and crps of each model against the number of samples per forecast."""
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.4))
    labels = {"log_rmse": "Mean log-RMSE (1)", "crps": "Mean CRPS of ln concentration (1)"}
    counts = sorted(table.samples.unique())
    for ax, (score, label) in zip(axes, labels.items(), strict=True):
        plots.draw_by(ax, table, "samples", score, colours)
        ax.set(xscale="log", xlabel="Samples per forecast (count)", ylabel=label)
        ax.set_xticks(counts, [str(k) for k in counts])
        ax.minorticks_off()
    axes[0].legend(fontsize="x-small")
    return figure


def goodness(fitted: pd.DataFrame, unit: str) -> Figure:
    """Observed against predicted, by the typical and by the own parameters, and residuals."""
    figure, axes = plt.subplots(1, 3, figsize=(plots.WIDE, 3.2))
    look = {"ms": 3, "color": COLOURS["nlme"]}
    titles = {"PRED": "Typical individual", "IPRED": "Own parameters"}
    ends = [fitted.DV.min(), fitted.DV.max()]
    for ax, (column, title) in zip(axes, titles.items(), strict=False):
        ax.plot(fitted[column], fitted.DV, "o", **look)
        ax.plot(ends, ends, **NOMINAL)
        ax.set(xscale="log", yscale="log", title=title)
        ax.set(xlabel=f"{column} ({unit})", ylabel=f"Observed ({unit})")
    axes[2].plot(fitted.TIME, fitted.IWRES, "o", **look)
    axes[2].axhline(0, **NOMINAL)
    axes[2].set(xlabel="Time after dose (h)", ylabel="IWRES (1)", title="Weighted residuals")
    return figure


def virtual(
    times: np.ndarray, bands: np.ndarray, samples: tuple, fitted: pd.DataFrame, unit: str
) -> Figure:
    """Bands [3, T] of virtual individuals with the samples (times, values) on them; some individual
    fits."""
    titles, colour = ("Virtual individuals", "Individual fits"), COLOURS["nlme"]
    figure, axes = plots.panels(2, each=3.1, width=7.2, titles=titles)
    plots.draw_band(axes[0], times, bands, colour, "median, 5 to 95 %")
    axes[0].plot(*samples, ".", color=REAL, label="observed")
    five = list(fitted.groupby("individual", sort=False))[:5]
    for (name, mine), style in zip(five, ("-", "--", ":", "-.", (0, (1, 3))), strict=False):
        axes[1].plot(mine.TIME, mine.IPRED, color=colour, ls=style, lw=1.2, label=f"{name}")
        axes[1].plot(mine.TIME, mine.DV, "o", ms=3, color=REAL)
    for ax in axes:
        plots.label_axes(ax, y_unit=unit, log_y=True)
        ax.legend(fontsize="x-small")
    return figure


def paired(rows: pd.DataFrame) -> Figure:
    """Differences with intervals (index: what; columns difference, low, high), coloured where the
    interval excludes 0."""
    figure, ax = plt.subplots(figsize=(6.4, 0.36 * len(rows) + 1.1))
    sure = (rows.low > 0) | (rows.high < 0)
    plots.draw_rows(ax, rows, np.where(sure, COLOURS["accent"], "0.5").tolist(), "difference")
    ax.axvline(0, **NOMINAL)
    ax.locator_params(axis="x", nbins=6)
    ax.set_xlabel("Difference of log-RMSE\n(left: the first is better)")
    return figure


def beside_published(rows: Sequence[tuple]) -> Figure:
    """Each claim on an axis of its own: (id, figure, spread, ideal, value, low, high)."""
    figure, axes = plots.panels(max(1, len(rows)), 4, each=2.4, width=7.2)
    for ax, (name, theirs, spread, ideal, value, low, high) in zip(axes, rows, strict=False):
        ax.errorbar(0, theirs, yerr=spread or None, fmt="d", color="0.45", capsize=3)
        ends = [[max(0.0, value - low)], [max(0.0, high - value)]]
        ax.errorbar(1, value, yerr=ends, fmt="o", color=COLOURS["accent"], capsize=3)
        if ideal is not None:
            ax.axhline(ideal, **NOMINAL)
        ax.set(xlim=(-0.6, 1.6))
        ax.set_xticks([0, 1], ["published", "here"], fontsize="x-small")
        ax.tick_params(axis="y", labelsize="x-small")
        ax.set_title(name.replace("-", " "), fontsize="x-small", wrap=True)
        ax.margins(y=0.25)
    return figure
