"""The figures of forecasts: one patient, a compound, a benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from agmpk.book import plots
from agmpk.book.plots import COLOURS
from agmpk.book.plots_checks import draw_coverage

if TYPE_CHECKING:  # so that a page that only draws does not rest on them
    from torch import Tensor

    from agmpk.evaluation.protocol import Case, Scored
    from agmpk.forecasting.forecaster import Forecast
    from agmpk.models.task import Task
    from agmpk.studies import Individual, Study

BLACK = COLOURS["observed"]
TICKS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # of errors on a logarithmic axis


def patient_figure(
    study: Study,
    patient: Individual,
    fans: Mapping[int, Mapping[str, Forecast]],
    colours: Mapping[str, str],
    band: str,
    *,
    log_y: bool = True,
) -> Figure:
    """One panel for each number of samples shown: the others, the forecast of each model, and what
    happened. ``fans`` gives forecasts by number shown and model; ``band`` is the model whose 50 and
    90 % intervals are drawn. Ticks on the axis are doses, where there are several."""
    figure, axes = plots.panels(len(fans), len(fans), each=2.5, sharex=True, sharey=True)
    doses = [dose.time for dose in patient.single_doses()]
    for ax, (count, answers) in zip(axes, fans.items(), strict=True):
        if len(doses) == 1:
            plots.draw_context(ax, study.without(patient.id), label="the others")
        for name, fan in answers.items():
            plots.draw_forecast(ax, fan, colours[name], name, band=name == band)
        parts = patient.prefix(count), patient.select(slice(count, None))
        plots.draw_samples(ax, *((one.times, one.concentrations) for one in parts))
        if len(doses) > 1:
            ax.plot(doses, np.zeros(len(doses)), "|", color="0.4", ms=8, label="doses")
        elif log_y:
            ax.set_yscale("log")
        ax.set_title(f"{count or 'none'} shown")
    figure.supxlabel("Time (h)")
    figure.supylabel(f"Concentration ({study.units.concentration})")
    plots.legend_above(figure)
    return figure


def transport_figure(
    task: Task, starts: Tensor, ends: Tensor, case: Case, colour: str
) -> tuple[Figure, str]:
    """The context, draws before and draws after the transport [S, 1, 1, T] in the frame's
    coordinate; and how many held-out samples lie in the central 90 % of the latter, in words."""
    hours, frame, seen = task.target.times[0, 0].numpy(), task.frame, len(case.prefix)
    sampled = np.r_[case.prefix.times, case.times] - case.prefix.doses[0].time
    logs = np.log(np.r_[case.prefix.concentrations, case.observed])
    logs = task.target.logs.new_tensor(np.interp(hours, sampled, logs))
    truth, held = frame.encode(logs)[0, 0].numpy(), np.isin(hours, sampled[seen:])
    departures = (frame.departures[0, :, 0] / frame.spread[0, 0]).numpy()
    starts, ends = starts[:, 0, 0].numpy(), ends[:, 0, 0].numpy()
    figure, axes = plots.panels(3, 3, each=2.9, sharex=True, sharey=True)
    drawn = (
        ("The others, in the frame", hours, departures, "0.6"),
        ("Start: $x_0$", hours[seen:], starts[:, seen:], COLOURS["prior"]),
        ("End: $x_1$", hours[seen:], ends[:, seen:], colour),
    )
    for ax, (title, times, curves, shade) in zip(axes, drawn, strict=True):
        ax.plot(times, curves.T, color=shade, lw=0.7, alpha=0.6)
        ax.axhline(0, color="0.3", lw=1.2, ls="--", label="centre")
        plots.draw_samples(ax, (hours[:seen], truth[:seen]), (hours[held], truth[held]), 6)
        ax.set_title(title)
    axes[0].set_ylim(-5, 5)
    axes[0].set_ylabel("$x$ (spreads from the centre)")
    figure.supxlabel("Time after dose (h)")
    plots.legend_above(figure)
    low, high = np.quantile(ends, [0.05, 0.95], axis=0)
    return figure, f"{int(((truth >= low) & (truth <= high))[held].sum())} of {held.sum()}"


def limit_figure(
    without: Forecast, below: Forecast, shown: Individual, mark: tuple, unit: str, colour: str
) -> Figure:
    """A forecast without and with a sample below its limit, ``mark`` (time, limit)."""
    figure, ax = plt.subplots(figsize=(6.4, 3.4))
    plots.draw_forecast(ax, without, "0.5", "sample not taken")
    plots.draw_forecast(ax, below, colour, "sample below the limit")
    ax.plot(shown.times, shown.concentrations, "o", color=BLACK, label="shown", zorder=5)
    ax.plot(*mark, "v", color=BLACK, label="below this limit")
    plots.label_axes(ax, y_unit=unit, log_y=True)
    ax.legend()
    return figure


def compound_figure(
    scored: Mapping[str, Sequence[Scored]], colours: Mapping[str, str] = COLOURS
) -> Figure:
    """One panel per individual of a compound, from each model's scored cases of it; the bands are
    those of the last model."""
    rows = zip(*scored.values(), strict=True)
    found = {
        f"individual {row[0].case.prefix.id}": (
            row[0].case, {name: one.answer for name, one in zip(scored, row, strict=True)})
        for row in rows
    }  # fmt: skip
    return plots.cases_figure(found, colours)


def benchmark_figure(table: pd.DataFrame, best_published, colours, ours: str) -> Figure:
    """Error of each model on each compound, sorted by the first column; a bar is the best published
    model."""
    order = table.iloc[:, 0].sort_values().index
    figure, ax = plt.subplots(figsize=(6.4, 1.6 + 0.28 * len(order)))
    rows = np.arange(len(order))
    ax.hlines(rows, 0.01, 10, color="0.93", lw=0.8, zorder=0)
    for name, mark in zip(table, "sPo^vx+*ph", strict=False):
        size, above = (7, 4) if name == ours else (5, 3)
        look = {"ms": size, "color": colours[name], "zorder": above}
        ax.plot(table.loc[order, name], rows, mark, label=name, **look)
    best = best_published[order]
    ax.plot(best, rows, "|", ms=13, mew=2, color=COLOURS["published"], label="best published")
    ax.set_yticks(rows, order)
    ax.set_xscale("log")
    ax.set_xticks(TICKS, [f"{value:g}" for value in TICKS])
    ax.minorticks_off()
    ax.set_xlabel("Mean log-RMSE (natural log units)")
    drawn = table.join(best.rename("published"))
    ax.set_xlim(0.8 * drawn.min().min(), 1.2 * drawn.max().max())
    plots.legend_above(figure, 4)
    return figure


def coverage_figure(pooled: pd.DataFrame, each: pd.Series, levels, colours, ours: str) -> Figure:
    """Observed against nominal coverage per model, and of one model's 90 % interval by compound."""
    figure, axes = plt.subplots(1, 2, figsize=(plots.WIDE, 4.6), width_ratios=[1, 1.3])
    rows = pooled.set_axis(levels, axis=1).stack().rename_axis(["model", "nominal"])
    draw_coverage(axes[0], rows.reset_index(name="value"), colours)
    axes[1].barh(each.index[::-1], each[::-1], color=colours[ours])
    axes[1].axvline(0.9, color="0.3", lw=1, ls="--")
    axes[1].set_xlabel(f"Share inside the 90 % interval of {ours} (1)")
    axes[1].tick_params(axis="y", labelsize="small")
    return figure
