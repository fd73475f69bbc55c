"""The figures of studies: forecasts of one patient, of a compound, a benchmark; cohorts with their
visual predictive checks, exposure and normal scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

from agmpk.book import plots
from agmpk.book.plots import COLOURS
from agmpk.book.plots_checks import draw_coverage, draw_on_chance

if TYPE_CHECKING:  # so that a page that only draws does not rest on them
    from torch import Tensor

    from agmpk.evaluation.protocol import Case, Scored
    from agmpk.forecasting.forecaster import Forecast
    from agmpk.models.task import Task
    from agmpk.studies import Individual, Study

BLACK = COLOURS["observed"]
TICKS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # of errors on a logarithmic axis
SHARED = {"sharex": True, "sharey": True}


def patient_figure(
    study: Study, patient: Individual, fans: Mapping[int, Mapping], colours: Mapping, band: str
) -> Figure:
    """One panel for each number of samples shown: the others, the forecast of each model, and what
    happened. ``fans`` gives forecasts by number shown and model; ``band`` is the model whose 50 and
    90 % intervals are drawn. Ticks on the axis are doses, where there are several."""
    look = {"x": "Time (h)", "y": f"Concentration ({study.units.concentration})"}
    figure, axes = plots.panels(len(fans), len(fans), each=2.5, **SHARED, **look)
    doses = [dose.time for dose in patient.single_doses()]
    for ax, (count, answers) in zip(axes, fans.items(), strict=True):
        if len(doses) == 1:
            plots.draw_context(ax, study.without(patient.id), label="the others")
        for name, fan in answers.items():
            plots.draw_forecast(ax, fan, colours[name], name, band=name == band)
        plots.draw_parts(ax, patient, count)
        if len(doses) > 1:
            ax.plot(doses, np.zeros(len(doses)), "|", color="0.4", ms=8, label="doses")
        else:
            ax.set_yscale("log")
        ax.set_title(f"{count or 'none'} shown")
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
    figure, axes = plots.panels(3, 3, each=2.9, x="Time after dose (h)", **SHARED)
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
    axes[0].set(ylim=(-5, 5), ylabel="$x$ (spreads from the centre)")
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
    found = {}
    for row in zip(*scored.values(), strict=True):
        answers = {name: one.answer for name, one in zip(scored, row, strict=True)}
        found[f"individual {row[0].case.prefix.id}"] = row[0].case, answers
    return plots.cases_figure(found, colours)


def benchmark_figure(
    table: pd.DataFrame, best: pd.Series, colours, ours: str, label: str = "best published"
) -> Figure:
    """Error of each model on each study, sorted by the first column; a bar is the ``best`` there
    is."""
    order = table.iloc[:, 0].sort_values().index
    figure, ax = plt.subplots(figsize=(6.4, 1.6 + 0.28 * len(order)))
    rows = np.arange(len(order))
    ax.hlines(rows, 0.01, 10, color="0.93", lw=0.8, zorder=0)
    for name, mark in zip(table, "sPo^vx+*ph", strict=False):
        size, above = (7, 4) if name == ours else (5, 3)
        look = {"ms": size, "color": colours[name], "zorder": above}
        ax.plot(table.loc[order, name], rows, mark, label=name, **look)
    ax.plot(best[order], rows, "|", ms=13, mew=2, color=COLOURS["published"], label=label)
    ax.set_yticks(rows, order)
    ax.set_xscale("log")
    ax.set_xticks(TICKS, [f"{value:g}" for value in TICKS])
    ax.minorticks_off()
    drawn = table.join(best.rename(label))
    limits = 0.8 * drawn.min().min(), 1.2 * drawn.max().max()
    ax.set(xlabel="Mean log-RMSE (natural log units)", xlim=limits)
    plots.legend_above(figure, 4)
    return figure


def coverage_figure(pooled: pd.DataFrame, each: pd.DataFrame, levels, colours, ours) -> Figure:
    """Observed against nominal coverage per model, and of one model's 90 % interval by compound:
    a dot (``value``) on the range (``low``, ``high``) that chance alone would give."""
    figure, axes = plt.subplots(1, 2, figsize=(plots.WIDE, 4.6), width_ratios=[1, 1.3])
    rows = pooled.set_axis(levels, axis=1).stack().rename_axis(["model", "nominal"])
    draw_coverage(axes[0], rows.reset_index(name="value"), colours)
    draw_on_chance(axes[1], each, colours[ours])
    axes[1].axvline(0.9, color="0.3", lw=1, ls="--")
    axes[1].set_xlabel(f"Share inside the 90 % interval of {ours} (1)")
    return figure


def study_figure(study: Study, virtual: Study | None = None, most: int = 40) -> Figure:
    """Every individual's samples, those below a limit as triangles at the limit; beside them, where
    given, so many of the ``virtual`` individuals at most."""
    people = {f"{len(study)} observed individuals": list(study)}
    if virtual is not None:
        some = virtual.individuals[:most]
        people[f"{len(some)} of {len(virtual)} virtual individuals"] = list(some)
    look = {"width": plots.COLUMN_WIDTH, "titles": people, **SHARED}
    figure, axes = plots.panels(len(people), 2, each=2.9, **look)
    for ax, some in zip(axes, people.values(), strict=True):
        plots.draw_context(ax, [one.quantifiable() for one in some], None)
        for mark, below in (("o", False), ("v", True)):
            chosen = [one.select((one.concentrations > 0) & (one.censored == below))
                      for one in some]  # fmt: skip
            times = np.concatenate([one.times for one in chosen] or [[]])
            values = np.concatenate([one.concentrations for one in chosen] or [[]])
            if len(times):
                label = "below the limit" if below else None
                ax.plot(times, values, mark, ms=2.5, color=BLACK, label=label)
                if below:
                    ax.legend()
        plots.label_axes(ax, x="Time", y_unit=study.units.concentration, log_y=True)
    if virtual is not None:
        axes[1].set_ylabel("")
    return figure


def bands_figure(
    bands: Mapping[str, tuple[np.ndarray, np.ndarray]], unit: str, colours: Sequence[str]
) -> Figure:
    """Median and 5 to 95 % band of curves [n, T] at times [T], by label."""
    figure, ax = plt.subplots(figsize=(6.4, 3.6))
    for (label, (times, curves)), colour in zip(bands.items(), colours, strict=False):
        plots.draw_band(ax, times, np.quantile(curves, (0.05, 0.5, 0.95), axis=0), colour, label)
    plots.label_axes(ax, y_unit=unit)
    ax.legend()
    return figure


def draw_vpc(axes: Axes, table: pd.DataFrame, colour: str) -> None:
    """Bands of simulated percentiles, lines of observed ones (rows of ``agmpk.evaluation.vpc``)."""
    for percentile, style in ((5.0, "--"), (50.0, "-"), (95.0, "--")):
        one = table[table.percentile == percentile].sort_values("time")
        axes.fill_between(one.time, one.low, one.high, color=colour, alpha=0.3, lw=0)
        axes.plot(one.time, one.observed, style, marker=".", ms=3, lw=1, color=BLACK)
    axes.set_yscale("log")


def vpcs_figure(studies: Mapping[str, Study], checks: pd.DataFrame, colour: str) -> Figure:
    """A visual predictive check of each compound, with the observations as points."""
    look = {"x": "Time after dose (h)", "y": "Concentration (own unit)", "titles": studies}
    figure, axes = plots.panels(len(studies), **look)
    for ax, (name, raw) in zip(axes, studies.items(), strict=True):
        draw_vpc(ax, checks[checks.compound == name], colour)
        for person in raw.after_dose():
            ax.plot(person.times, person.concentrations, ".", ms=1.5, color="0.6", zorder=0)
        ax.tick_params(labelsize="x-small")
    return figure


def corrected_figure(checks: pd.DataFrame, colours: Mapping[str, str], unit: str) -> Figure:
    """Plain checks above prediction-corrected ones, a column a model of ``checks``."""
    names = list(dict.fromkeys(checks.model))
    look = {"sharex": True, "sharey": "row", "x": "Time after dose (h)"}
    figure, axes = plots.panels(2 * len(names), len(names), each=2.3, **look)
    for ax, (kind, name) in zip(axes, product(("plain", "corrected"), names), strict=True):
        draw_vpc(ax, checks[(checks.model == name) & (checks.kind == kind)], colours[name])
        if kind == "plain":
            ax.set_title(name)
    axes[0].set_ylabel(f"Plain\n({unit})")
    axes[len(names)].set_ylabel(f"Prediction-corrected\n({unit})")
    return figure


def vpc_figure(bands: pd.DataFrame, share: pd.DataFrame, unit: str) -> Figure:
    """Visual predictive check: observed percentiles (lines) in the bands of the simulated ones, of
    :func:`agmpk.evaluation.vpc.vpc`, and below it, where ``share`` (of
    :func:`agmpk.evaluation.vpc.share_below`) has rows, the share of samples below the limit."""
    tall = [3, 1] if len(share) else [1]
    size = (plots.COLUMN_WIDTH, 3.2 + len(tall))
    look = {"figsize": size, "sharex": True, "squeeze": False, "height_ratios": tall}
    figure, axes = plt.subplots(len(tall), 1, **look)
    draw_vpc(axes[0, 0], bands, COLOURS["accent"])
    axes[0, 0].set_ylabel(f"Concentration ({unit})")
    if len(share):
        ax, look = axes[1, 0], {"color": COLOURS["accent"], "alpha": 0.3, "lw": 0}
        ax.fill_between(share.time, share.low, share.high, **look)
        ax.plot(share.time, share.observed, "v-", ms=4, lw=1.2, color=BLACK)
        ax.set(ylabel="Share below\nthe limit (1)", ylim=(-0.05, 1.05))
    axes[-1, 0].set_xlabel("Time (h)")
    return figure


def npde_figure(points: pd.DataFrame) -> Figure:
    """Prediction discrepancies as normal scores: against time, and as a histogram beside the
    standard normal law.  ``points``: TIME [h] and npd."""
    look = {"figsize": (plots.COLUMN_WIDTH, 3.0), "sharey": True, "width_ratios": [3, 1]}
    figure, (ax, side) = plt.subplots(1, 2, **look)
    ax.axhspan(-1.645, 1.645, color="0.92", lw=0, label="central 90 %")
    ax.plot(points.TIME, points.npd, "o", ms=3, color=BLACK)
    plots.label_axes(ax, x="Time", y="Normal score", y_unit="1")
    ax.legend()
    grid = np.linspace(-3.2, 3.2, 100)
    look = {"color": COLOURS["accent"], "alpha": 0.5, "orientation": "horizontal"}
    side.hist(points.npd, np.linspace(-3.2, 3.2, 13), density=True, **look)
    side.plot(norm.pdf(grid), grid, color=BLACK, lw=1)
    side.set_xlabel("Density (1)")
    return figure


def exposure_figure(ratios: pd.DataFrame, compounds: Sequence[str], colour: str) -> Figure:
    """Generated over observed exposure with intervals, a panel a quantity, a row a compound."""
    look = {"x": "Geometric mean, generated over observed (1)", "sharey": True}
    figure, axes = plots.panels(4, each=0.4 + 0.27 * len(compounds), **look)
    for ax, quantity in zip(axes, ("Cmax", "AUC0_t", "Tmax", "t_half"), strict=True):
        rows = ratios[ratios.quantity == quantity].set_index("compound").reindex(compounds)
        plots.draw_rows(ax, rows, colour)
        ax.axvline(1, color="0.3", lw=1, ls="--")
        ax.set_xscale("log")
        ax.set_xticks([0.5, 1, 2], ["0.5", "1", "2"])
        ax.xaxis.set_minor_formatter(plt.NullFormatter())
        ax.set_title(quantity)
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
