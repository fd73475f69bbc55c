"""The figures of forecasts and cohorts: one patient, a compound, a benchmark, a check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from agmpk.book.plots import draw_context, draw_forecast
from agmpk.book.style import COLOURS, label_axes

if TYPE_CHECKING:  # so that a page that only draws does not rest on them
    from torch import Tensor

    from agmpk.evaluation.protocol import Case, Scored
    from agmpk.forecasting.forecaster import Forecast
    from agmpk.models.task import Task
    from agmpk.studies import Individual, Study

BLACK = COLOURS["observed"]
WIDE = 9.6  # inches, of panels beside each other
TICKS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # of errors on a logarithmic axis


def draw_samples(axes: Axes, shown: Individual, times, values, size: float = 5) -> None:
    """Shown samples filled, held-out ones open."""
    style = {"color": BLACK, "ms": size, "zorder": 5}
    axes.plot(shown.times, shown.concentrations, "o", label="shown", **style)
    axes.plot(times, values, "o", mfc="white", label="held out", **style)


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
    figure, axes = plt.subplots(1, len(fans), figsize=(WIDE, 3.0), sharex=True, sharey=True)
    doses = [dose.time for dose in patient.single_doses()]
    for ax, (count, answers) in zip(np.atleast_1d(axes), fans.items(), strict=True):
        if len(doses) == 1:
            draw_context(ax, study.without(patient.id), label="the others")
        for name, fan in answers.items():
            draw_forecast(ax, fan, colours[name], name, band=name == band)
        rest = patient.select(slice(count, None))
        draw_samples(ax, patient.prefix(count), rest.times, rest.concentrations)
        if len(doses) > 1:
            ax.plot(doses, np.zeros(len(doses)), "|", color="0.4", ms=8, label="doses")
        elif log_y:
            ax.set_yscale("log")
        ax.set_title(f"{count or 'none'} shown")
    figure.supxlabel("Time (h)", fontsize="medium")
    figure.supylabel(f"Concentration ({study.units.concentration})", fontsize="medium")
    _legend(figure)
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
    figure, axes = plt.subplots(1, 3, figsize=(WIDE, 3.4), sharex=True, sharey=True)
    panels = (
        ("The others, in the frame", hours, departures, "0.6"),
        ("Start: $x_0$", hours[seen:], starts[:, seen:], COLOURS["prior"]),
        ("End: $x_1$", hours[seen:], ends[:, seen:], colour),
    )
    for ax, (title, times, curves, shade) in zip(axes, panels, strict=True):
        ax.plot(times, curves.T, color=shade, lw=0.7, alpha=0.6)
        ax.axhline(0, color="0.3", lw=1.2, ls="--", label="centre")
        ax.plot(hours[:seen], truth[:seen], "o", color=BLACK, label="shown", zorder=5)
        ax.plot(hours[held], truth[held], "o", mfc="w", color=BLACK, label="held out", zorder=5)
        ax.set_title(title)
    axes[0].set_ylim(-5, 5)
    axes[0].set_ylabel("$x$ (spreads from the centre)")
    figure.supxlabel("Time after dose (h)", fontsize="medium")
    _legend(figure)
    low, high = np.quantile(ends, [0.05, 0.95], axis=0)
    return figure, f"{int(((truth >= low) & (truth <= high))[held].sum())} of {held.sum()}"


def limit_figure(
    without: Forecast, below: Forecast, shown: Individual, mark: tuple, unit: str, colour: str
) -> Figure:
    """A forecast without and with a sample below its limit, ``mark`` (time, limit)."""
    figure, ax = plt.subplots(figsize=(6.4, 3.4))
    draw_forecast(ax, without, "0.5", "sample not taken")
    draw_forecast(ax, below, colour, "sample below the limit")
    ax.plot(shown.times, shown.concentrations, "o", color=BLACK, label="shown", zorder=5)
    ax.plot(*mark, "v", color=BLACK, label="below this limit")
    label_axes(ax, y_unit=unit, log_y=True)
    ax.legend()
    return figure


def compound_figure(
    study: Study, scored: Mapping[str, Sequence[Scored]], colours: Mapping[str, str] = COLOURS
) -> Figure:
    """One panel per individual of a compound: context, prefix, truth, and every model's forecast.

    ``scored`` maps a model's name to its scored cases of this compound; the bands are those of the
    last model.
    """
    cases = next(iter(scored.values()))
    columns = 4
    rows = -(-len(cases) // columns)
    size = (WIDE, 2.1 * rows + 0.5)
    figure, axes = plt.subplots(rows, columns, figsize=size, sharex=True, sharey=True)
    for ax in axes.flat[len(cases) :]:
        ax.set_axis_off()
    for k, (ax, one) in enumerate(zip(axes.flat, cases, strict=False)):
        draw_case(ax, {name: found[k] for name, found in scored.items()}, colours)
        ax.set_title(f"individual {one.case.prefix.id}", fontsize="small")
    figure.supxlabel("Time after dose (h)", fontsize="medium")
    figure.supylabel(f"Concentration ({study.units.concentration})", fontsize="medium")
    _legend(figure)
    return figure


def draw_case(axes: Axes, scored: Mapping[str, Scored], colours: Mapping[str, str]) -> None:
    """One left-out individual on a logarithmic axis; the band is that of the last model. A single
    time that is asked is a mark instead of a line."""
    case = next(iter(scored.values())).case
    draw_context(axes, case.context, label=None)
    for name, one in scored.items():
        fan = one.answer
        if fan is not None and len(fan.times) > 1:
            draw_forecast(axes, fan, colours[name], name, band=name == list(scored)[-1])
        elif fan is not None:
            low, high = fan.quantiles([0.05, 0.95])
            ends = np.abs(np.array([low, high]) - fan.pred)
            axes.errorbar(fan.times, fan.pred, ends, fmt="D", ms=4, color=colours[name], label=name)
    draw_samples(axes, case.prefix, case.times, case.observed, 3.5)
    axes.set_yscale("log")


def examples_figure(examples: Mapping[str, Mapping[str, Scored]], colours, scores, units) -> Figure:
    """A panel for each example, by title, with the scores of its models in the legend."""
    figure, axes = plt.subplots(1, len(examples), figsize=(WIDE, 3.8))
    for ax, (title, scored), errors, unit in zip(
        axes, examples.items(), scores, units, strict=True
    ):
        named = {f"{name} {errors[name]:.2f}": one for name, one in scored.items()}
        draw_case(ax, named, {label: colours[label.split()[0]] for label in named})
        ax.set_title(title, fontsize="small")
        ax.set_ylabel(f"Concentration ({unit})")
        ax.legend(fontsize="x-small")
    figure.supxlabel("Time after dose (h)", fontsize="medium")
    return figure


def shown_figure(curve: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """Error and coverage by number of samples shown, with intervals; ``curve`` as of
    ``agmpk.evaluation.learning_table`` by model and prefix."""
    figure, axes = plt.subplots(1, 2, figsize=(WIDE, 3.6))
    models = list(dict.fromkeys(curve.model))
    for ax, score in zip(axes, ("log_rmse", "in_90"), strict=True):
        for k, name in enumerate(models):
            one = curve[(curve.model == name) & (curve.score == score)].sort_values("prefix")
            ends = [(one.value - one.low).clip(lower=0), (one.high - one.value).clip(lower=0)]
            place = one.prefix + 0.08 * (k - (len(models) - 1) / 2)
            ax.errorbar(place, one.value, ends, fmt="o-", capsize=2, color=colours[name],
                        label=name)  # fmt: skip
        ax.set_xticks(sorted(set(curve.prefix)))
        ax.set_xlabel("Samples shown")
    axes[0].set_ylim(bottom=0)
    axes[0].set_ylabel("log-RMSE (natural log units)")
    axes[1].axhline(0.9, color="0.3", lw=1, ls="--")
    axes[1].set_ylabel("Share inside the 90 % interval (1)")
    axes[0].legend()
    return figure


def benchmark_figure(table: pd.DataFrame, best_published, colours, ours: str) -> Figure:
    """Error of each model on each compound, sorted by the first column; a bar is the best published
    model."""
    order = table.iloc[:, 0].sort_values().index
    figure, ax = plt.subplots(figsize=(6.4, 1.6 + 0.28 * len(order)))
    rows = np.arange(len(order))
    ax.hlines(rows, 0.01, 10, color="0.93", lw=0.8, zorder=0)
    for name, mark in zip(table, "sPo^vx+*ph", strict=False):
        size, above = (7, 4) if name == ours else (5, 3)
        ax.plot(table.loc[order, name], rows, mark, ms=size, color=colours[name], label=name,
                zorder=above)  # fmt: skip
    best = best_published[order]
    ax.plot(best, rows, "|", ms=13, mew=2, color=COLOURS["published"], label="best published")
    ax.set_yticks(rows, order)
    error_axis(ax)
    drawn = table.join(best.rename("published"))
    ax.set_xlim(0.8 * drawn.min().min(), 1.2 * drawn.max().max())
    figure.legend(loc="outside upper center", ncols=4, fontsize="small")
    return figure


def error_axis(axes: Axes) -> None:
    """A logarithmic axis of errors with plain numbers."""
    axes.set_xscale("log")
    axes.set_xticks(TICKS, [f"{value:g}" for value in TICKS])
    axes.minorticks_off()
    axes.set_xlabel("Mean log-RMSE (natural log units)")


def coverage_figure(pooled: pd.DataFrame, each: pd.Series, levels, colours, ours: str) -> Figure:
    """Observed against nominal coverage per model, and of one model's 90 % interval by compound."""
    figure, axes = plt.subplots(1, 2, figsize=(WIDE, 4.6), width_ratios=[1, 1.3])
    for name in pooled.index:
        axes[0].plot(levels, pooled.loc[name], "o-", color=colours[name], label=name)
    axes[0].plot([0.4, 1], [0.4, 1], "--", color="0.6", lw=1)
    axes[0].set(xlabel="Nominal probability (1)", ylabel="Share of held-out samples inside (1)")
    axes[0].legend()
    axes[1].barh(each.index[::-1], each[::-1], color=colours[ours])
    axes[1].axvline(0.9, color="0.3", lw=1, ls="--")
    axes[1].set_xlabel(f"Share inside the 90 % interval of {ours} (1)")
    axes[1].tick_params(axis="y", labelsize="small")
    return figure


def cohort_figure(study: Study, cohort: Study, colour: str, most: int = 40) -> Figure:
    """The observed individuals beside virtual ones, on the same axes."""
    figure, axes = plt.subplots(1, 2, figsize=(WIDE, 3.4), sharex=True, sharey=True)
    drawn = cohort.individuals[:most]
    for ax, people, look in (
        (axes[0], study, {"color": BLACK, "lw": 0.9}),
        (axes[1], drawn, {"color": colour, "lw": 0.6, "alpha": 0.6}),
    ):
        for one in people:
            ax.plot(one.times, one.concentrations, **look)
        label_axes(ax, y_unit=study.units.concentration, log_y=True)
    axes[0].set_title(f"{len(study)} observed individuals")
    axes[1].set_title(f"{len(drawn)} of {len(cohort)} virtual individuals")
    return figure


def bands_figure(
    bands: Mapping[str, tuple[np.ndarray, np.ndarray]], unit: str, colours: Sequence[str]
) -> Figure:
    """Median and 5 to 95 % band of curves [n, T] at times [T], by label."""
    figure, ax = plt.subplots(figsize=(6.4, 3.6))
    for (label, (times, curves)), colour in zip(bands.items(), colours, strict=False):
        low, middle, high = np.quantile(curves, (0.05, 0.5, 0.95), axis=0)
        ax.fill_between(times, low, high, color=colour, alpha=0.2, lw=0)
        ax.plot(times, middle, color=colour, label=label)
    label_axes(ax, y_unit=unit)
    ax.legend()
    return figure


def draw_vpc(axes: Axes, table: pd.DataFrame, colour: str) -> None:
    """Bands of simulated percentiles, lines of observed ones (rows of ``agmpk.evaluation.vpc``)."""
    for percentile, style in ((5.0, "--"), (50.0, "-"), (95.0, "--")):
        one = table[table.percentile == percentile].sort_values("time")
        axes.fill_between(one.time, one.low, one.high, color=colour, alpha=0.3, lw=0)
        axes.plot(one.time, one.observed, style, marker=".", ms=3, lw=1, color=BLACK)
    axes.set_yscale("log")


def vpc_figure(studies: Mapping[str, Study], checks: pd.DataFrame, colour: str) -> Figure:
    """A visual predictive check of each compound, with the observations as points."""
    columns = min(4, len(studies))
    rows = -(-len(studies) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(WIDE, 2.1 * rows + 0.6), squeeze=False)
    for ax in axes.flat[len(studies) :]:
        ax.set_axis_off()
    for ax, (name, raw) in zip(axes.flat, studies.items(), strict=False):
        draw_vpc(ax, checks[checks.compound == name], colour)
        for person in raw.after_dose():
            ax.plot(person.times, person.concentrations, ".", ms=1.5, color="0.6", zorder=0)
        ax.set_title(name, fontsize="small")
        ax.tick_params(labelsize="x-small")
    figure.supxlabel("Time after dose (h)", fontsize="medium")
    figure.supylabel("Concentration (unit of the study)", fontsize="medium")
    return figure


def corrected_figure(checks: pd.DataFrame, colours: Mapping[str, str], unit: str) -> Figure:
    """Plain checks above prediction-corrected ones, a column a model of ``checks``."""
    names = list(dict.fromkeys(checks.model))
    figure, axes = plt.subplots(
        2, len(names), figsize=(WIDE, 5.0), sharex=True, sharey="row", squeeze=False
    )
    for column, name in enumerate(names):
        for row, kind in enumerate(("plain", "corrected")):
            chosen = (checks.model == name) & (checks.kind == kind)
            draw_vpc(axes[row, column], checks[chosen], colours[name])
        axes[0, column].set_title(name)
    for row, kind in enumerate(("Plain", "Prediction-corrected")):
        axes[row, 0].set_ylabel(f"{kind}\n({unit})")
    figure.supxlabel("Time after dose (h)", fontsize="medium")
    return figure


def exposure_figure(ratios: pd.DataFrame, compounds: Sequence[str], colour: str) -> Figure:
    """Generated over observed exposure with intervals, a panel a quantity, a row a compound."""
    quantities = ("Cmax", "AUC0_t", "Tmax", "t_half")
    height = 0.9 + 0.27 * len(compounds)
    figure, axes = plt.subplots(1, 4, figsize=(WIDE, height), sharey=True)
    for ax, quantity in zip(axes, quantities, strict=True):
        rows = ratios[ratios.quantity == quantity].set_index("compound").reindex(compounds)
        ends = [(rows.value - rows.low).clip(lower=0), (rows.high - rows.value).clip(lower=0)]
        style = {"fmt": "o", "ms": 4, "capsize": 2, "lw": 1, "color": colour}
        ax.errorbar(rows.value, range(len(rows)), xerr=ends, **style)
        ax.axvline(1, color="0.3", lw=1, ls="--")
        ax.set_xscale("log")
        ax.set_xticks([0.5, 1, 2], ["0.5", "1", "2"])
        ax.xaxis.set_minor_formatter(plt.NullFormatter())
        ax.set_title(quantity)
    axes[0].set_yticks(range(len(compounds)), compounds, fontsize="small")
    axes[0].invert_yaxis()
    figure.supxlabel("Geometric mean, generated over observed (1)", fontsize="medium")
    return figure


def auc_figure(pairs: Mapping[str, Sequence], colours: Mapping[str, str]) -> Figure:
    """AUC with its interval by model: on real studies (filled) and simulated ones (open); None
    where there is none."""
    figure, ax = plt.subplots(figsize=(6.4, 0.9 + 0.62 * len(pairs)))
    for row, (name, found) in enumerate(pairs.items()):
        for one, offset, face in zip(found, (-0.16, 0.16), (colours[name], "white"), strict=True):
            if one is not None:
                ends = [[max(0, one.auc - one.low)], [max(0, one.high - one.auc)]]
                style = {"fmt": "o", "capsize": 2, "color": colours[name], "mfc": face}
                ax.errorbar(one.auc, row + offset, xerr=ends, **style)
    ax.axvline(0.5, color="0.3", lw=1, ls="--")
    ax.set_yticks(range(len(pairs)), list(pairs))
    ax.invert_yaxis()
    ax.set_xlabel("AUC of the classifier that tells best (1)")
    return figure


def _legend(figure: Figure) -> None:
    """One legend above all panels, of whatever any of them drew."""
    found = {}
    for ax in figure.axes:
        handles, labels = ax.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    place = {"loc": "outside upper center", "ncols": len(found), "fontsize": "small"}
    figure.legend([*found.values()], [*found], **place)
