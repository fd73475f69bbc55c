"""Figures and tables say what they show, to every reader."""

import base64

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from matplotlib.colors import to_rgb

from agmpk.book import plots, tables
from agmpk.book.plots import COLOURS, label_axes, use_book_style


@pytest.fixture
def displayed(monkeypatch):
    """What is sent to the page, instead of sending it."""
    bundles = []
    for module in (plots, tables):
        monkeypatch.setattr(module, "display", lambda bundle, raw, **_: bundles.append(bundle))
    return bundles


def test_figure_carries_alt_text_and_caption_and_is_closed(displayed):
    use_book_style()
    figure, axes = plt.subplots()
    axes.plot([0, 1], [1, 0])
    plots.show(figure, alt='A "falling" line', caption="1 < 2")
    page = BeautifulSoup(displayed[0]["text/html"], "html.parser")
    assert page.img["alt"] == 'A "falling" line' and page.figcaption.text == "1 < 2"
    png = base64.b64decode(page.img["src"].partition(",")[2])
    assert png.startswith(b"\x89PNG") and displayed[0]["text/plain"] == 'A "falling" line'
    assert figure.number not in plt.get_fignums()


def test_same_figure_is_the_same_bytes(displayed):
    for _ in range(2):
        figure, axes = plt.subplots()
        axes.plot([0, 1])
        plots.show(figure, alt="a line")
    assert displayed[0] == displayed[1]


def test_figure_without_alt_text_is_refused(displayed):
    with pytest.raises(ValueError, match="alt text"):
        plots.show(plt.figure(), alt=" ")
    assert displayed == []
    plt.close("all")


def test_table_has_caption_scopes_rounding_and_a_scrolling_box():
    frame = pd.DataFrame({"a<b": [1.234, np.nan]}, index=["x", "y"])
    page = BeautifulSoup(tables.table_html(frame, "Cap & tion", digits=1), "html.parser")
    caption, box = page.find_all("div")
    assert caption.text == "Cap & tion" and box["aria-label"] == "Cap & tion"
    assert box.find(string="Cap & tion") is None, "the caption does not scroll"
    assert [cell["scope"] for cell in page.find_all("th")] == ["col", "row", "row"]
    assert [cell.text for cell in page.tbody.find_all("td")] == ["1.2", "–"]
    assert page.find_all("th")[0].text == "a<b", "a corner without a name is no header"
    assert box["tabindex"] == "0" and "agmpk-scroll" in box["class"]


def test_axes_carry_units():
    _, axes = plt.subplots()
    label_axes(axes, y="CL", y_unit="L/h", log_y=True)
    assert axes.get_xlabel() == "Time after dose (h)" and axes.get_ylabel() == "CL (L/h)"
    assert axes.get_yscale() == "log"
    label_axes(axes, x="Rank", x_unit="")
    assert axes.get_xlabel() == "Rank"
    plt.close("all")


def test_colours_differ_also_in_grey():
    """Every role has a colour of its own; those drawn together differ in lightness too."""
    assert len(set(COLOURS.values())) == len(COLOURS)
    grey = {role: np.dot(to_rgb(c), (0.299, 0.587, 0.114)) for role, c in COLOURS.items()}
    assert abs(grey["flow"] - grey["naive"]) > 0.1 and abs(grey["flow"] - grey["observed"]) > 0.1


def luminance(rgb):
    """WCAG 2.1 relative luminance of sRGB in 0..1."""
    parts = np.clip(rgb, 0, 1)
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("role", COLOURS)
def test_every_colour_is_seen_on_white_and_in_the_dark(role):
    """At least 3:1 (WCAG 2.1, 1.4.11) on white, and on the dark page (#14181e), where the style
    sheet says ``filter: invert(1) hue-rotate(180deg)`` (matrix of the CSS filter module)."""
    colour = np.array(to_rgb(COLOURS[role]))
    assert 1.05 / (luminance(colour) + 0.05) >= 3
    grey = np.array([0.213, 0.715, 0.072])
    turned = (2 * np.outer(np.ones(3), grey) - np.eye(3)) @ (1 - colour)
    page = luminance(np.array([0x14, 0x18, 0x1E]) / 255)
    assert (luminance(turned) + 0.05) / (page + 0.05) >= 3
