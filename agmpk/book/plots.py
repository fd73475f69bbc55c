"""The figures of the book: one look (colour-blind safe, legible on a phone, units on axes), what
several figures share, and how one is shown, with alt text and a caption."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from itertools import product
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from agmpk.models.registry import MODELS

if TYPE_CHECKING:  # so that a page that only shows a figure does not rest on them
    import pandas as pd

    from agmpk.evaluation.protocol import Case
    from agmpk.forecasting.forecaster import Forecast
    from agmpk.studies import Individual, Study

#: Width in inches of a figure that fills the text column and still fits on a phone without
#: scrolling; a wider one scrolls there (see ``agmpk.book.plots``).
COLUMN_WIDTH = 6.4
WIDE = 9.6  # inches, of panels beside each other
#: Dots per inch; fixed, so that a figure has the same pixels on every machine.
DPI = 150

#: By role, so that a role has the same colour in every chapter: those of the models are in the one
#: table of models, the others beside them, each at least 3:1 on white.
COLOURS = {name: row.colour for name, row in MODELS.items()} | {
    "observed": "#222222",
    "published": "#b5446e",
    "prior": "#8c4bb0",
    "context": "#4d8c8c",
    "accent": "#44597a",  # of whatever model
}


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """A colour for each model: that of its role, or one of its own where it has none."""
    spare = iter(("C7", "C8", "C9", "C5", "C6"))
    return {name: COLOURS.get(name) or next(spare) for name in names}


def use_book_style() -> None:
    """Set the seaborn theme of the book for all figures drawn afterwards.

    The background is white and opaque on purpose: the dark mode of the page then shows the figure
    as a light card, with every colour as it was chosen.
    """
    sns.set_theme(context="notebook", style="ticks", palette="colorblind", font_scale=1.0)
    mpl.rcParams.update(
        {
            "figure.figsize": (COLUMN_WIDTH, 4.0),
            "figure.dpi": DPI,
            "savefig.dpi": DPI,
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": "medium",
            "axes.labelsize": "medium",
            "figure.labelsize": "medium",
            "legend.frameon": False,
            "legend.fontsize": "small",
            "lines.linewidth": 1.8,
            "font.family": "DejaVu Sans",  # ships with matplotlib: same text on every machine
        }
    )


def label_axes(
    axes: Axes, *, x="Time after dose", x_unit="h", y="Concentration", y_unit="ng/mL", log_y=False
) -> None:
    """Name both axes with their units, ``Time after dose (h)``; give ``""`` for a pure number.
    ``log_y`` also makes the concentration axis logarithmic."""
    axes.set_xlabel(f"{x} ({x_unit})" if x_unit else x)
    axes.set_ylabel(f"{y} ({y_unit})" if y_unit else y)
    if log_y:
        axes.set_yscale("log")


#: On a narrow screen an inch of figure is at least this many pixels wide, so that its text stays
#: legible; a figure that is then wider than the screen scrolls in its own box.
MIN_PIXELS_PER_INCH = 52


def figure_html(
    png: bytes, alt: str, caption: str = "", *, inches: float = 0.0, name: str = ""
) -> str:
    """The HTML of one figure; the image is embedded, so that a downloaded notebook has it (the
    pages keep it in a file of its own).

    ``inches`` is the width of the figure, from which the least width on a screen follows; ``name``
    makes it linkable as ``#fig-name``.
    """
    data = base64.b64encode(png).decode("ascii")
    note = f'<figcaption class="agmpk-caption">{escape(caption)}</figcaption>' if caption else ""
    anchor = f' id="fig-{re.sub(r"[^a-z0-9]+", "-", name.lower())}"' if name else ""
    return (
        f'<figure class="agmpk-figure"{anchor}><div class="agmpk-scroll" tabindex="0">'
        f'<img src="data:image/png;base64,{data}" alt="{escape(alt, quote=True)}" '
        f'style="min-width: {round(inches * MIN_PIXELS_PER_INCH)}px"></div>{note}</figure>'
    )


def show(
    figure: Figure, alt: str, caption: str = "", *, name: str = "", answer=False, dpi=None
) -> None:
    """Display ``figure`` with ``alt`` text, and close it so that the notebook shows it only once.

    ``alt`` says what a reader who cannot see the figure must know: what is drawn against what, and
    what it shows. It is required; an empty one raises ``ValueError``. The HTML book takes the
    embedded HTML and numbers the figure, a printed one the plain PNG. ``name`` makes the figure
    linkable as ``#fig-name``. With ``answer`` it appears not here but in the chapter's answer box,
    which says ``{glue} answer``.
    """
    if not alt.strip():
        raise ValueError("give the figure an alt text that says what it shows")
    # Without creation date or software version, so that it is the same bytes again.
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi or figure.dpi, metadata={"Software": None})
    png = buffer.getvalue()
    plt.close(figure)
    bundle = {
        "text/html": figure_html(png, alt, caption, inches=figure.get_figwidth(), name=name),
        "image/png": base64.b64encode(png).decode("ascii"),
        "text/plain": alt,
    }
    if not answer:
        display(bundle, raw=True)
        return
    stored = {f"application/papermill.record/{mime}": data for mime, data in bundle.items()}
    about = {"name": "answer", "mime_prefix": "application/papermill.record/"}
    display(stored, raw=True, metadata={"scrapbook": about})


def draw_context(axes: Axes, context: Study, label: str | None = "context") -> None:
    """The other individuals of the study as thin lines."""
    look = {"color": "0.62", "lw": 0.8, "zorder": 1}
    for k, one in enumerate(context):
        axes.plot(one.times, one.concentrations, label=None if k else label, **look)


def draw_forecast(
    axes: Axes, forecast: Forecast, colour: str, label: str | None, band: bool = True
) -> None:
    """Point prediction and the central 50 and 90 % intervals; without ``band`` it is dashed."""
    style = "-" if band else "--"
    axes.plot(forecast.times, forecast.pred, style, color=colour, label=label, zorder=4)
    if band:
        q05, q25, q75, q95 = forecast.quantiles([0.05, 0.25, 0.75, 0.95])
        axes.fill_between(forecast.times, q05, q95, color=colour, alpha=0.15, lw=0, zorder=2)
        axes.fill_between(forecast.times, q25, q75, color=colour, alpha=0.25, lw=0, zorder=3)


def panels(
    number: int, columns: int = 4, *, each=2.1, width=WIDE, x="", y="", titles=(), **look
) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels, ``columns`` of them beside each other and ``each`` inches high,
    and their axes; what is left of the last row stays empty. ``x`` and ``y`` are labels that all
    share, ``titles`` stand above the first ones."""
    columns = min(columns, number)
    rows = -(-number // columns)
    size = (width, each * rows + 0.5)
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, **look)
    for ax in grid.flat[number:]:
        ax.set_axis_off()
    for ax, title in zip(grid.flat, titles, strict=False):
        ax.set_title(title, fontsize="small")
    if x:
        figure.supxlabel(x)
    if y:
        figure.supylabel(y)
    return figure, list(grid.flat[:number])


def legend_above(figure: Figure, columns: int | None = None) -> None:
    """One legend above all panels, of whatever any of them drew."""
    found = {}
    for ax in figure.axes:
        handles, labels = ax.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    place = {"loc": "outside upper center", "ncols": columns or len(found)}
    figure.legend([*found.values()], [*found], **place)


def bars(rows: pd.DataFrame, value: str = "value") -> list:
    """Lengths of the error bars from ``value`` to low and high."""
    middle = getattr(rows, value)
    return [np.maximum(middle - rows.low, 0), np.maximum(rows.high - middle, 0)]


def draw_by(
    axes: Axes, rows: pd.DataFrame, x: str, y: str, colours: Mapping[str, str], apart: float = 0.0
) -> None:
    """A line for each of the column ``model``: ``y`` against ``x``, with intervals where the rows
    have low and high, ``apart`` from each other along x."""
    names = [name for name in colours if name in set(rows.model)]
    for k, name in enumerate(names):
        one = rows[rows.model == name].sort_values(x)
        ends = bars(one, y) if "low" in one else None
        place = one[x] + apart * (k - (len(names) - 1) / 2)
        look = {"fmt": "o-", "ms": 4, "lw": 1.2, "capsize": 2, "color": colours[name]}
        axes.errorbar(place, one[y], ends, label=name, **look)


def draw_rows(
    axes: Axes, rows: pd.DataFrame, colour: str | Sequence[str], value: str = "value"
) -> None:
    """A dot with its interval (columns ``value``, low, high) for each row, the first on top."""
    places = range(len(rows))
    axes.hlines(places, rows.low, rows.high, colors=colour, lw=1.5)
    axes.scatter(rows[value], places, 25, c=colour, zorder=3)
    axes.set_yticks(places, rows.index, fontsize="small")
    axes.set_ylim(len(rows) - 0.5, -0.5)


def draw_band(axes: Axes, times, band: Sequence, colour: str, label: str | None = None) -> None:
    """Low, middle and high [T] of some curves."""
    low, middle, high = band
    axes.fill_between(times, low, high, color=colour, alpha=0.2, lw=0)
    axes.plot(times, middle, color=colour, label=label)


def draw_samples(axes: Axes, shown: tuple, held_out: tuple, size: float = 4) -> None:
    """Samples (times, concentrations) shown, filled, and held out, open."""
    style = {"color": COLOURS["observed"], "ms": size, "zorder": 5}
    axes.plot(*shown, "o", label="shown", **style)
    axes.plot(*held_out, "o", mfc="white", label="held out", **style)


def draw_parts(axes: Axes, one: Individual, known: int) -> None:
    """The first ``known`` samples of an individual, and the others, see :func:`draw_samples`."""
    parts = one.prefix(known), one.select(slice(known, None))
    draw_samples(axes, *((part.times, part.concentrations) for part in parts))


def draw_case(
    axes: Axes, case: Case, fans: Mapping[str, Forecast | None], colours: Mapping[str, str]
) -> None:
    """One left-out individual on a logarithmic axis: its context, samples shown and held out, and
    forecasts by model (the first word of a label); the bands are those of the last one. A single
    time that is asked is a mark instead of a line."""
    draw_context(axes, case.context, label=None)
    for name, fan in fans.items():
        colour = colours[name.split()[0]]
        if fan is not None and len(fan.times) > 1:
            draw_forecast(axes, fan, colour, name, band=name == list(fans)[-1])
        elif fan is not None:
            low, high = fan.quantiles([0.05, 0.95])
            ends = np.abs(np.array([low, high]) - fan.pred)
            axes.errorbar(fan.times, fan.pred, ends, fmt="D", ms=4, color=colour, label=name)
    seen = case.prefix.quantifiable()
    draw_samples(axes, (seen.times, seen.concentrations), (case.times, case.observed))
    axes.set_yscale("log")


def cases_figure(
    found: Mapping[str, tuple], colours: Mapping[str, str], columns=4, *, each=2.1, same=True
) -> Figure:
    """A panel for each title: the case and its forecasts by model; ``same`` for cases of one study,
    whose panels share axes and a legend."""
    look = {"sharex": same, "sharey": same, "titles": found, "x": "Time after dose (h)"}
    figure, axes = panels(len(found), columns, each=each, **look)
    for ax, (case, fans) in zip(axes, found.values(), strict=True):
        draw_case(ax, case, fans, colours)
        if not same:
            ax.set_ylabel(f"Concentration ({case.context.units.concentration})")
            ax.legend(fontsize="x-small")
    if same:
        figure.supylabel(f"Concentration ({case.context.units.concentration})")
        legend_above(figure)
    return figure


def scores_figure(
    columns: Mapping[str, pd.DataFrame], x: str, label: str, colours: Mapping[str, str], width=WIDE
) -> Figure:
    """Error above and coverage of 90 % intervals below, with intervals, against ``x``, a column for
    each title; rows have model, score (log_rmse and in_90), value, low, high and ``x``."""
    number, look = len(columns), {"sharex": True, "sharey": "row", "x": label}
    figure, axes = panels(2 * number, number, each=2.5, width=width, titles=columns, **look)
    drawn = product(("log_rmse", "in_90"), columns.values())
    for ax, (score, rows) in zip(axes, drawn, strict=True):
        draw_by(ax, rows[rows.score == score], x, "value", colours, 0.08)
        ax.set_xticks(sorted(set(rows[x])))
        if score == "in_90":
            ax.axhline(0.9, color="0.5", lw=1, ls="--")
    axes[0].set(ylabel="Mean log-RMSE (1)", ylim=(0, None))
    axes[number].set_ylabel("Share inside 90 % (1)")
    legend_above(figure, 5)
    return figure


def curves_figure(
    lines: Mapping, points: Mapping | None = None, *, unit: str = "mg/L", log_y: bool = False
) -> Figure:
    """Curves, and points on them: label -> (times [h], concentrations [``unit``])."""
    figure, ax = plt.subplots(figsize=(COLUMN_WIDTH, 3.0))
    looks = ((COLOURS["prior"], "-"), ("0.45", "--"), (COLOURS["observed"], ":"))
    for (label, (x, y)), (colour, style) in zip(lines.items(), looks, strict=False):
        ax.plot(x, y, style, color=colour, label=label)
    for label, (x, y) in (points or {}).items():
        ax.plot(x, y, "o", ms=4, color=COLOURS["observed"], label=label)
    label_axes(ax, y_unit=unit, log_y=log_y)
    ax.legend()
    return figure
