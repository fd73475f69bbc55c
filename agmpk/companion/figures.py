"""Show a figure with its description: alt text for screen readers, a caption for everyone."""

from __future__ import annotations

import base64
from html import escape
from io import BytesIO

import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.figure import Figure

#: On a narrow screen an inch of figure is at least this many pixels wide, so that its text stays
#: legible; a figure that is then wider than the screen scrolls in its own box.
MIN_PIXELS_PER_INCH = 52


def figure_html(png: bytes, alt: str, caption: str = "", *, inches: float = 0.0) -> str:
    """The HTML of one figure; the image is embedded, so that the page needs no other file.

    ``inches`` is the width of the figure, from which the least width on a screen follows.
    """
    data = base64.b64encode(png).decode("ascii")
    note = f'<figcaption class="agmpk-caption">{escape(caption)}</figcaption>' if caption else ""
    return (
        f'<figure class="agmpk-figure"><div class="agmpk-scroll">'
        f'<img src="data:image/png;base64,{data}" alt="{escape(alt, quote=True)}" '
        f'style="min-width: {round(inches * MIN_PIXELS_PER_INCH)}px"></div>{note}</figure>'
    )


def figure_png(figure: Figure, dpi: float | None = None) -> bytes:
    """PNG of a figure; without creation date or software version, so it is the same bytes again."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi or figure.dpi, metadata={"Software": None})
    return buffer.getvalue()


def show(figure: Figure, alt: str, caption: str = "") -> None:
    """Display ``figure`` with ``alt`` text, and close it so that the notebook shows it only once.

    ``alt`` says what a reader who cannot see the figure must know: what is drawn against what, and
    what it shows. It is required; an empty one raises ``ValueError``. The HTML book takes the
    embedded HTML, a printed one the plain PNG.
    """
    if not alt.strip():
        raise ValueError("give the figure an alt text that says what it shows")
    png = figure_png(figure)
    plt.close(figure)
    display(
        {
            "text/html": figure_html(png, alt, caption, inches=figure.get_figwidth()),
            "image/png": base64.b64encode(png).decode("ascii"),
            "text/plain": alt,
        },
        raw=True,
    )
