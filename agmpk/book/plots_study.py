"""The figures of one study: its data, its visual predictive check, its prediction errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

from agmpk.book.plots import draw_context
from agmpk.book.style import COLOURS, COLUMN_WIDTH, label_axes

if TYPE_CHECKING:
    from agmpk.studies import Study


def study_figure(study: Study, virtual: Study | None = None) -> Figure:
    """Every individual's samples, those below a limit as triangles at the limit; beside them, where
    given, as many ``virtual`` individuals."""
    panels = {"observed": study} | ({} if virtual is None else {"virtual": virtual})
    figure, axes = plt.subplots(
        1, len(panels), figsize=(COLUMN_WIDTH, 3.4), sharex=True, sharey=True, squeeze=False
    )
    for ax, (name, people) in zip(axes.flat, panels.items(), strict=True):
        draw_context(ax, people.only_quantifiable(), None)
        for mark, below in (("o", False), ("v", True)):
            chosen = [one.select((one.concentrations > 0) & (one.censored == below))
                      for one in people]  # fmt: skip
            times, values = _joined(chosen)
            if len(times):
                ax.plot(times, values, mark, ms=2.5, color=COLOURS["observed"],
                        label="below the limit" if below else name)  # fmt: skip
        label_axes(ax, x="Time", y_unit=study.units.concentration, log_y=True)
        ax.legend()
    axes[0, -1].set_ylabel("" if virtual is not None else axes[0, -1].get_ylabel())
    return figure


def _joined(people: Sequence) -> tuple[np.ndarray, np.ndarray]:
    """Times and concentrations of all of them, one after the other."""
    return (np.concatenate([one.times for one in people] or [[]]),
            np.concatenate([one.concentrations for one in people] or [[]]))  # fmt: skip


def vpc_figure(bands: pd.DataFrame, share: pd.DataFrame, unit: str) -> Figure:
    """Visual predictive check: observed percentiles (lines) in the bands of the simulated ones, and
    below it, where ``share`` has rows, the share of samples below the limit.

    Args:
        bands: of :func:`agmpk.evaluation.vpc.vpc`.
        share: of :func:`agmpk.evaluation.vpc.share_below`; may be empty.
        unit: of concentrations.
    """
    tall = [3, 1] if len(share) else [1]
    figure, axes = plt.subplots(
        len(tall), 1, figsize=(COLUMN_WIDTH, 3.2 + len(tall)), sharex=True, squeeze=False,
        height_ratios=tall,
    )  # fmt: skip
    top = axes[0, 0]
    for percentile, rows in bands.groupby("percentile"):
        middle = percentile == 50
        colour = COLOURS["flow"] if middle else COLOURS["context"]
        _band(top, rows, colour, f"simulated {percentile:g} %")
        top.plot(rows.time, rows.observed, "o-" if middle else "o--", ms=3, lw=1.2,
                 color=COLOURS["observed"], label="observed" if middle else None)  # fmt: skip
    label_axes(top, x="", x_unit="", y_unit=unit, log_y=True)
    top.legend(ncols=2)
    if len(share):
        _band(axes[1, 0], share, COLOURS["flow"], "simulated")
        axes[1, 0].plot(share.time, share.observed, "v-", ms=4, lw=1.2, color=COLOURS["observed"])
        axes[1, 0].set(ylabel="Share below\nthe limit (1)", ylim=(-0.05, 1.05))
    axes[-1, 0].set_xlabel("Time (h)")
    return figure


def _band(ax: Axes, rows: pd.DataFrame, colour: str, label: str) -> None:
    ax.fill_between(rows.time, rows.low, rows.high, color=colour, alpha=0.25, lw=0, label=label)


def npde_figure(points: pd.DataFrame) -> Figure:
    """Prediction discrepancies as normal scores: against time, and as a histogram beside the
    standard normal law.  ``points``: TIME [h] and npd."""
    figure, (ax, side) = plt.subplots(
        1, 2, figsize=(COLUMN_WIDTH, 3.0), sharey=True, width_ratios=[3, 1]
    )
    ax.axhspan(-1.645, 1.645, color="0.92", lw=0, label="central 90 %")
    ax.plot(points.TIME, points.npd, "o", ms=3, color=COLOURS["observed"])
    label_axes(ax, x="Time", y="Normal score", y_unit="1")
    ax.legend()
    grid = np.linspace(-3.2, 3.2, 100)
    side.hist(points.npd, np.linspace(-3.2, 3.2, 13), density=True, orientation="horizontal",
              color=COLOURS["flow"], alpha=0.5)  # fmt: skip
    side.plot(norm.pdf(grid), grid, color=COLOURS["observed"], lw=1)
    side.set_xlabel("Density (1)")
    return figure
