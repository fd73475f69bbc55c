"""Readable text of a JATS element: sub- and superscripts inline, no references, no formulas'
markup."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

_DROPPED = {
    "table-wrap",
    "fig",
    "disp-formula-group",
    "supplementary-material",
    "ref-list",
    "tex-math",
    "object-id",
    "graphic",
}
_BLOCKS = {"p", "title", "sec", "list-item", "break", "label", "caption", "disp-formula"}
_SUPERSCRIPT_UNIT = re.compile(r"\s*[-−–]\s*\d\s*$")


def local(tag: object) -> str:
    """The tag's name without its namespace."""
    return tag.rsplit("}", 1)[-1] if isinstance(tag, str) else ""


def text_of(element: Element | None, keep_tables: bool = False) -> str:
    """The text of an element, white space collapsed, block elements on lines of their own."""
    if element is None:
        return ""
    parts: list[str] = []
    _collect(element, parts, keep_tables)
    text = re.sub(r"[ \t\r\f\v\u2028]+", " ", "".join(parts))
    return re.sub(r"\s*\n\s*", "\n", text).strip()


def cell_text(element: Element) -> str:
    """The text of a table cell on one line, footnote marks (`a`, `*`) left out."""
    parts: list[str] = []
    _collect(element, parts, keep_tables=True)
    return " ".join("".join(parts).split())


def _collect(element: Element, parts: list[str], keep_tables: bool) -> None:
    tag = local(element.tag)
    if not tag or (tag in _DROPPED and not keep_tables):
        return
    if tag == "xref" and element.get("ref-type") in ("bibr", "table-fn", "fn"):
        return
    if tag == "sup" and re.fullmatch(
        r"\s*(?:[a-z]|[*†‡§¶]+|\(?[a-z]\)?)\s*", "".join(element.itertext())
    ):
        return
    if tag in _BLOCKS:
        parts.append("\n")
    parts.append((element.text or "").replace("\n", " "))
    for child in element:
        _collect(child, parts, keep_tables)
        parts.append((child.tail or "").replace("\n", " "))
    if tag in _BLOCKS:
        parts.append("\n")
