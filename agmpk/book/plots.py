"""The figures of the book, and how one is shown: with alt text and a caption."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure

if TYPE_CHECKING:  # so that a page that only shows a figure does not rest on them
    from agmpk.forecasting.forecaster import Forecast
    from agmpk.studies import Study

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


def figure_png(figure: Figure, dpi: float | None = None) -> bytes:
    """PNG of a figure; without creation date or software version, so it is the same bytes again."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi or figure.dpi, metadata={"Software": None})
    return buffer.getvalue()


def show(
    figure: Figure,
    alt: str,
    caption: str = "",
    *,
    name: str = "",
    answer: bool = False,
    dpi: float | None = None,
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
    png = figure_png(figure, dpi)
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
    for k, one in enumerate(context):
        axes.plot(
            one.times,
            one.concentrations,
            color="0.62",
            lw=0.8,
            zorder=1,
            label=label if k == 0 else None,
        )


def draw_forecast(
    axes: Axes, forecast: Forecast, colour: str, label: str | None, band: bool = True
) -> None:
    """Point prediction, and the central 50 and 90 % intervals."""
    axes.plot(forecast.times, forecast.pred, color=colour, label=label, zorder=4)
    if band:
        q05, q25, q75, q95 = forecast.quantiles([0.05, 0.25, 0.75, 0.95])
        axes.fill_between(forecast.times, q05, q95, color=colour, alpha=0.15, lw=0, zorder=2)
        axes.fill_between(forecast.times, q25, q75, color=colour, alpha=0.25, lw=0, zorder=3)


def vpc_bands(curves: np.ndarray, levels: Sequence[float] = (0.05, 0.5, 0.95)) -> np.ndarray:
    """Percentiles [len(levels), T] over individuals of curves [n, T]."""
    return np.quantile(curves, levels, axis=0)
