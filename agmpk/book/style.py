"""One look for every figure of the book: colour-blind safe, legible on a phone, units on axes."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import seaborn as sns
from matplotlib.axes import Axes

from agmpk.models.registry import MODELS

#: Width in inches of a figure that fills the text column and still fits on a phone without
#: scrolling; a wider one scrolls there (see ``agmpk.book.plots``).
COLUMN_WIDTH = 6.4
#: Dots per inch; fixed, so that a figure has the same pixels on every machine.
DPI = 150

#: By role, so that a role has the same colour in every chapter: those of the models are in the one
#: table of models, the others beside them, each at least 3:1 on white.
COLOURS = {name: row.colour for name, row in MODELS.items()} | {
    "observed": "#222222",
    "published": "#b5446e",
    "prior": "#8c4bb0",
    "context": "#4d8c8c",
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
            "legend.frameon": False,
            "legend.fontsize": "small",
            "lines.linewidth": 1.8,
            "font.family": "DejaVu Sans",  # ships with matplotlib: same text on every machine
        }
    )


def label_axes(
    axes: Axes,
    *,
    x: str = "Time after dose",
    x_unit: str = "h",
    y: str = "Concentration",
    y_unit: str = "ng/mL",
    log_y: bool = False,
) -> Axes:
    """Name both axes with their units, ``Time after dose (h)``; give ``""`` for a pure number.

    ``log_y`` also makes the concentration axis logarithmic. Returns the axes.
    """
    axes.set_xlabel(f"{x} ({x_unit})" if x_unit else x)
    axes.set_ylabel(f"{y} ({y_unit})" if y_unit else y)
    if log_y:
        axes.set_yscale("log")
    return axes
