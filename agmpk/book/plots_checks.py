"""The figures of the chapters that check the models (calibration, mixed effects, ablations,
claims), one function each; what they draw is computed there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from agmpk.book.plots import draw_context, draw_forecast
from agmpk.book.style import COLOURS, label_axes
from agmpk.evaluation import Case
from agmpk.forecasting import Forecast

REAL = COLOURS["observed"]
AIM = (0.88, 0.92)  # the share of samples that 90 % intervals should hold


def _bars(table: pd.DataFrame | SimpleNamespace, middle: str = "value") -> list:
    """Lengths of the error bars from ``middle`` to low and high."""
    value = getattr(table, middle)
    return [np.maximum(value - table.low, 0), np.maximum(table.high - value, 0)]


def coverage(pooled: pd.DataFrame, prefix: int, colours: Mapping[str, str]) -> Figure:
    """Coverage by nominal probability at one length of the prefix, and of 90 % by its length;
    ``pooled`` is a calibration table by model and prefix."""
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.8))
    inside = pooled[pooled.quantity.str.startswith("in_")]
    for k, (name, colour) in enumerate(colours.items()):
        part = inside[inside.model == name]
        here = part[part.prefix == prefix]
        axes[0].plot(here.nominal, here.value, "o-", ms=4, lw=1.2, color=colour, label=name)
        ninety = part[part.quantity == "in_90"].sort_values("prefix")
        x = ninety.prefix + 0.08 * (k - len(colours) / 2)
        look = {"fmt": "o-", "ms": 4, "lw": 1.2, "capsize": 2, "color": colour}
        axes[1].errorbar(x, ninety.value, yerr=_bars(ninety), **look)
    axes[0].plot([0.45, 1], [0.45, 1], "--", color="0.5", lw=1)
    axes[0].set(xlabel="Nominal probability (1)", ylabel="Share of unseen samples inside (1)")
    axes[0].set_title(f"{prefix} samples shown")
    axes[0].legend(fontsize="x-small")
    axes[1].axhspan(*AIM, color="0.9", zorder=0)
    axes[1].axhline(0.9, ls="--", color="0.5", lw=1)
    axes[1].set(xlabel="Samples shown (count)", ylabel="Share inside the 90 % interval (1)")
    axes[1].set_xticks(sorted(pooled.prefix.unique()))
    return figure


def by_compound(board: pd.DataFrame, mine: pd.DataFrame, name: str, colour: str) -> Figure:
    """Coverage of 90 % [compounds x models] as coloured numbers; beside it one model's with
    intervals (value, low, high)."""
    figure, axes = plt.subplots(
        1, 2, figsize=(9.6, 1.2 + 0.28 * len(board)), sharey=True, width_ratios=[1.4, 1]
    )
    axes[0].imshow(100 * board, cmap="RdBu", vmin=80, vmax=100, aspect="auto")
    for (y, x), value in np.ndenumerate(100 * board.to_numpy()):
        if np.isfinite(value):
            tint = "white" if abs(value - 90) > 7 else "black"
            at = {"ha": "center", "va": "center", "fontsize": "x-small"}
            axes[0].text(x, y, f"{value:.0f}", color=tint, **at)
    axes[0].set_xticks(range(board.shape[1]), list(board), fontsize="small", rotation=30)
    axes[0].set_yticks(range(len(board)), list(board.index), fontsize="small")
    axes[0].set_title("Inside the 90 % interval (%)")
    share = 100 * mine[["value", "low", "high"]]
    look = {"fmt": "o", "ms": 4, "lw": 1, "capsize": 2, "color": colour}
    axes[1].errorbar(share.value, range(len(mine)), xerr=_bars(share), **look)
    axes[1].axvline(90, color="0.3", lw=1, ls="--")
    axes[1].set_xlabel("Inside the 90 % interval (%)")
    axes[1].set_title(f"{name}, with intervals")
    return figure


def pits(histograms: Mapping[int, Mapping[str, pd.DataFrame]], colours: Mapping) -> Figure:
    """PIT histograms: a row a number of samples shown, a column a model."""
    rows, columns = len(histograms), len(colours)
    figure, axes = plt.subplots(
        *(rows, columns),
        **{"figsize": (9.6, 1.2 + 1.4 * rows), "sharex": True, "sharey": True, "squeeze": False},
    )
    for line, (shown, found) in zip(axes, histograms.items(), strict=True):
        for ax, (name, colour) in zip(line, colours.items(), strict=True):
            if name in found:
                bars = found[name]
                middle = (bars.left + bars.right) / 2
                ax.bar(middle, bars.density, 0.09, color=colour, alpha=0.6)
                look = {"fmt": "none", "ecolor": "0.3", "lw": 0.8}
                ax.errorbar(middle, bars.density, yerr=_bars(bars, "density"), **look)
            else:
                ax.text(0.5, 0.5, "refused", ha="center", transform=ax.transAxes, fontsize="small")
            ax.axhline(1, color="0.3", ls="--", lw=1)
            ax.tick_params(labelsize="x-small")
            ax.set_title(name if ax in axes[0] else "", fontsize="small")
        line[0].set_ylabel(f"{shown} shown\ndensity (1)", fontsize="small")
    figure.supxlabel("PIT: where the observation lies in its forecast (1)", fontsize="medium")
    return figure


def rank_curves(curves: Mapping[str, Mapping[str, pd.DataFrame]], colours: Mapping) -> Figure:
    """Differences of the ECDF of ranks from the uniform one, a panel a model; the envelope is that
    of the first quantity."""
    figure, axes = plt.subplots(
        1, max(1, len(curves)), figsize=(9.6, 3.0), sharex=True, sharey=True, squeeze=False
    )
    for ax, (name, found) in zip(axes.flat, curves.items(), strict=False):
        for k, (quantity, curve) in enumerate(found.items()):
            style = "-" if k == 0 else ":"
            ax.plot(curve.z, curve.difference, style, color=colours[name], label=quantity)
            if k == 0:
                ax.fill_between(curve.z, curve.low, curve.high, color="0.9", zorder=0)
        ax.axhline(0, color="0.5", lw=0.8)
        ax.set_title(name, fontsize="small")
    axes[0, 0].set_ylabel("ECDF of ranks - uniform (1)")
    axes[0, 0].legend(fontsize="x-small")
    figure.supxlabel("Rank of the truth (1)", fontsize="medium")
    return figure


def by_draws(table: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """log_rmse and crps of each model against the number of samples per forecast."""
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.4))
    labels = {"log_rmse": "Mean log-RMSE (1)", "crps": "Mean CRPS of ln concentration (1)"}
    counts = sorted(table.samples.unique())
    for ax, (score, label) in zip(axes, labels.items(), strict=True):
        for name, colour in colours.items():
            part = table[table.model == name]
            ax.plot(part.samples, part[score], "o-", ms=4, lw=1.2, color=colour, label=name)
        ax.set(xscale="log", xlabel="Samples per forecast (count)", ylabel=label)
        ax.set_xticks(counts, [str(k) for k in counts])
        ax.minorticks_off()
    axes[0].legend(fontsize="x-small")
    return figure


def learning(curves: pd.DataFrame, prefixes: Sequence[int], colours: Mapping[str, str]) -> Figure:
    """Error and coverage against the size of the context, a column a length of the prefix."""
    figure, axes = plt.subplots(
        2, len(prefixes), figsize=(9.6, 5.4), sharex=True, sharey="row", squeeze=False
    )
    for column, prefix in zip(axes.T, prefixes, strict=True):
        for ax, score in zip(column, ("log_rmse", "in_90"), strict=True):
            here = curves[(curves.prefix == prefix) & (curves.score == score)]
            for name in here.model.unique():
                part = here[here.model == name].sort_values("context")
                look = {"color": colours[name], "lw": 1.2}
                ax.plot(part.context, part.value, "o-", ms=4, label=name, **look)
                ax.fill_between(part.context, part.low, part.high, alpha=0.1, **look | {"lw": 0})
        column[1].axhline(0.9, color="0.5", lw=1, ls="--")
        column[0].set_title(f"{prefix} shown", fontsize="small")
    axes[0, 0].set_ylabel("Mean log-RMSE (1)")
    axes[1, 0].set_ylabel("Share inside 90 % (1)")
    lines = [line for ax in axes.flat for line in ax.get_lines()]
    handles = {line.get_label(): line for line in lines if line.get_label() in colours}
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=5)
    figure.supxlabel("Individuals in the context (count)", fontsize="medium")
    return figure


def one_case(ax: Axes, case: Case, forecast: Forecast, colour: str, title: str) -> None:
    """Context, samples shown (filled) and held out (open), and a forecast with its bands."""
    draw_context(ax, case.context)
    draw_forecast(ax, forecast, colour, None)
    shown = case.prefix.quantifiable()
    ax.plot(shown.times, shown.concentrations, "o", ms=4, color=REAL, zorder=5)
    ax.plot(case.times, case.observed, "o", ms=4, mfc="white", color=REAL, zorder=5)
    label_axes(ax, y_unit=case.context.units.concentration, log_y=True)
    ax.set_title(title, fontsize="small")


def cases(found: Sequence[tuple[Case, Forecast, str]], colour: str, columns: int = 3) -> Figure:
    """A panel a case, its forecast and its title."""
    rows = -(-len(found) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(9.6, 3.0 * rows), squeeze=False)
    for ax in axes.flat[len(found) :]:
        ax.set_axis_off()
    for ax, (case, forecast, title) in zip(axes.flat, found, strict=False):
        one_case(ax, case, forecast, colour, title)
        ax.xaxis.label.set_size("small")
        ax.yaxis.label.set_size("small")
        ax.tick_params(labelsize="x-small")
    return figure


def goodness(fitted: pd.DataFrame, unit: str) -> Figure:
    """Observed against predicted, by the typical and by the own parameters, and residuals."""
    figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.2))
    look = {"ms": 3, "color": COLOURS["nlme"]}
    titles = {"PRED": "Typical individual", "IPRED": "Own parameters"}
    ends = [fitted.DV.min(), fitted.DV.max()]
    for ax, (column, title) in zip(axes, titles.items(), strict=False):
        ax.plot(fitted[column], fitted.DV, "o", **look)
        ax.plot(ends, ends, "--", color="0.5", lw=1)
        ax.set(xscale="log", yscale="log", title=title)
        ax.set(xlabel=f"{column} ({unit})", ylabel=f"Observed ({unit})")
    axes[2].plot(fitted.TIME, fitted.IWRES, "o", **look)
    axes[2].axhline(0, color="0.5", lw=1, ls="--")
    axes[2].set(xlabel="Time after dose (h)", ylabel="IWRES (1)", title="Weighted residuals")
    return figure


def virtual(
    times: np.ndarray,
    bands: np.ndarray,
    at: np.ndarray,
    seen: np.ndarray,
    fitted: pd.DataFrame,
    unit: str,
) -> Figure:
    """Bands [3, T] of virtual individuals with the samples on them; some individual fits."""
    low, middle, high = bands
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.6))
    colour = COLOURS["nlme"]
    axes[0].fill_between(times, low, high, color=colour, alpha=0.2, lw=0, label="5 to 95 %")
    axes[0].plot(times, middle, color=colour, label="median")
    axes[0].plot(at, seen, ".", color=REAL, label="observed")
    axes[0].set_title("Virtual individuals", fontsize="small")
    five = list(fitted.groupby("individual", sort=False))[:5]
    for (name, mine), style in zip(five, ("-", "--", ":", "-.", (0, (1, 3))), strict=False):
        axes[1].plot(mine.TIME, mine.IPRED, color=colour, ls=style, lw=1.2, label=f"{name}")
        axes[1].plot(mine.TIME, mine.DV, "o", ms=3, color=REAL)
    axes[1].set_title("Individual fits", fontsize="small")
    for ax in axes:
        label_axes(ax, y_unit=unit, log_y=True)
        ax.legend(fontsize="x-small")
    return figure


def plans(hours: np.ndarray, curves: Mapping[str, np.ndarray], unit: str) -> Figure:
    """Curves of one individual under several plans of doses."""
    figure, ax = plt.subplots(figsize=(7.2, 3.0))
    for (name, curve), style in zip(curves.items(), ("-", "--", ":"), strict=True):
        ax.plot(hours, curve, color=COLOURS["nlme"], ls=style, label=name)
    label_axes(ax, y_unit=unit)
    ax.legend(fontsize="small")
    return figure


def paired(rows: pd.DataFrame, better: str = "better") -> Figure:
    """Differences with intervals (index: what; columns difference, low, high), coloured where the
    interval excludes 0."""
    figure, ax = plt.subplots(figsize=(6.4, 0.36 * len(rows) + 1.1))
    for y, row in enumerate(rows.itertuples()):
        sure = row.low > 0 or row.high < 0
        colour = COLOURS["flow"] if sure else "0.5"
        ax.plot([row.low, row.high], [y, y], color=colour)
        ax.plot(row.difference, y, "o", color=colour)
    ax.set_yticks(range(len(rows)), rows.index, fontsize="small")
    ax.invert_yaxis()
    ax.axvline(0, color="0.5", lw=1, ls="--")
    ax.locator_params(axis="x", nbins=6)
    ax.set_xlabel(f"Difference of log-RMSE (left: the first is {better})")
    return figure


def beside_published(rows: Sequence[tuple]) -> Figure:
    """Each claim on an axis of its own: (id, figure, spread, ideal, value, low, high)."""
    columns = 4
    lines = max(1, -(-len(rows) // columns))
    figure, axes = plt.subplots(lines, columns, figsize=(7.2, 2.4 * lines), squeeze=False)
    for ax in axes.flat[len(rows) :]:
        ax.set_axis_off()
    for ax, (name, theirs, spread, ideal, value, low, high) in zip(axes.flat, rows, strict=False):
        ax.errorbar(0, theirs, yerr=spread or None, fmt="d", color="0.45", capsize=3)
        bars = [[max(0.0, value - low)], [max(0.0, high - value)]]
        ax.errorbar(1, value, yerr=bars, fmt="o", color=COLOURS["flow"], capsize=3)
        if ideal is not None:
            ax.axhline(ideal, color="0.5", lw=1, ls="--")
        ax.set(xlim=(-0.6, 1.6))
        ax.set_xticks([0, 1], ["published", "here"], fontsize="x-small")
        ax.tick_params(axis="y", labelsize="x-small")
        ax.set_title(name.replace("-", " "), fontsize="x-small", wrap=True)
        ax.margins(y=0.25)
    return figure
