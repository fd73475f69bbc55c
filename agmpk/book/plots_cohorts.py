"""The figures of studies and cohorts: data, visual predictive checks, exposure, normal scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

from agmpk.book import plots
from agmpk.book.plots import COLOURS

if TYPE_CHECKING:
    from agmpk.studies import Study

BLACK = COLOURS["observed"]


def study_figure(study: Study, virtual: Study | None = None, most: int = 40) -> Figure:
    """Every individual's samples, those below a limit as triangles at the limit; beside them, where
    given, so many of the ``virtual`` individuals at most."""
    people = {f"{len(study)} observed individuals": list(study)}
    if virtual is not None:
        some = virtual.individuals[:most]
        people[f"{len(some)} of {len(virtual)} virtual individuals"] = list(some)
    figure, axes = plots.panels(
        len(people), 2, each=2.9, width=plots.COLUMN_WIDTH, sharex=True, sharey=True
    )
    for ax, (title, some) in zip(axes, people.items(), strict=True):
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
        ax.set_title(title, fontsize="small")
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
    figure, axes = plots.panels(len(studies))
    for ax, (name, raw) in zip(axes, studies.items(), strict=True):
        draw_vpc(ax, checks[checks.compound == name], colour)
        for person in raw.after_dose():
            ax.plot(person.times, person.concentrations, ".", ms=1.5, color="0.6", zorder=0)
        ax.set_title(name, fontsize="small")
        ax.tick_params(labelsize="x-small")
    figure.supxlabel("Time after dose (h)")
    figure.supylabel("Concentration (own unit)")
    return figure


def corrected_figure(checks: pd.DataFrame, colours: Mapping[str, str], unit: str) -> Figure:
    """Plain checks above prediction-corrected ones, a column a model of ``checks``."""
    names = list(dict.fromkeys(checks.model))
    figure, axes = plots.panels(2 * len(names), len(names), each=2.3, sharex=True, sharey="row")
    for k, ax in enumerate(axes):
        name, kind = names[k % len(names)], ("plain", "corrected")[k // len(names)]
        draw_vpc(ax, checks[(checks.model == name) & (checks.kind == kind)], colours[name])
        if kind == "plain":
            ax.set_title(name)
    axes[0].set_ylabel(f"Plain\n({unit})")
    axes[len(names)].set_ylabel(f"Prediction-corrected\n({unit})")
    figure.supxlabel("Time after dose (h)")
    return figure


def vpc_figure(bands: pd.DataFrame, share: pd.DataFrame, unit: str) -> Figure:
    """Visual predictive check: observed percentiles (lines) in the bands of the simulated ones, and
    below it, where ``share`` has rows, the share of samples below the limit.

    Args:
        bands: of :func:`agmpk.evaluation.vpc.vpc`.
        share: of :func:`agmpk.evaluation.vpc.share_below`; may be empty.
        unit: of concentrations.
    """
    tall = [3, 1] if len(share) else [1]
    size = (plots.COLUMN_WIDTH, 3.2 + len(tall))
    look = {"figsize": size, "sharex": True, "squeeze": False, "height_ratios": tall}
    figure, axes = plt.subplots(len(tall), 1, **look)
    draw_vpc(axes[0, 0], bands, COLOURS["flow"])
    axes[0, 0].set_ylabel(f"Concentration ({unit})")
    if len(share):
        ax, look = axes[1, 0], {"color": COLOURS["flow"], "alpha": 0.3, "lw": 0}
        ax.fill_between(share.time, share.low, share.high, **look)
        ax.plot(share.time, share.observed, "v-", ms=4, lw=1.2, color=BLACK)
        ax.set(ylabel="Share below\nthe limit (1)", ylim=(-0.05, 1.05))
    axes[-1, 0].set_xlabel("Time (h)")
    return figure


def npde_figure(points: pd.DataFrame) -> Figure:
    """Prediction discrepancies as normal scores: against time, and as a histogram beside the
    standard normal law.  ``points``: TIME [h] and npd."""
    figure, (ax, side) = plt.subplots(
        1, 2, figsize=(plots.COLUMN_WIDTH, 3.0), sharey=True, width_ratios=[3, 1]
    )
    ax.axhspan(-1.645, 1.645, color="0.92", lw=0, label="central 90 %")
    ax.plot(points.TIME, points.npd, "o", ms=3, color=BLACK)
    plots.label_axes(ax, x="Time", y="Normal score", y_unit="1")
    ax.legend()
    grid = np.linspace(-3.2, 3.2, 100)
    look = {"color": COLOURS["flow"], "alpha": 0.5, "orientation": "horizontal"}
    side.hist(points.npd, np.linspace(-3.2, 3.2, 13), density=True, **look)
    side.plot(norm.pdf(grid), grid, color=BLACK, lw=1)
    side.set_xlabel("Density (1)")
    return figure


def exposure_figure(ratios: pd.DataFrame, compounds: Sequence[str], colour: str) -> Figure:
    """Generated over observed exposure with intervals, a panel a quantity, a row a compound."""
    figure, axes = plots.panels(4, each=0.4 + 0.27 * len(compounds), sharey=True)
    for ax, quantity in zip(axes, ("Cmax", "AUC0_t", "Tmax", "t_half"), strict=True):
        rows = ratios[ratios.quantity == quantity].set_index("compound").reindex(compounds)
        plots.draw_rows(ax, rows, colour)
        ax.axvline(1, color="0.3", lw=1, ls="--")
        ax.set_xscale("log")
        ax.set_xticks([0.5, 1, 2], ["0.5", "1", "2"])
        ax.xaxis.set_minor_formatter(plt.NullFormatter())
        ax.set_title(quantity)
    figure.supxlabel("Geometric mean, generated over observed (1)")
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
