"""Sentences of normalized text, with their offsets."""

from __future__ import annotations

import re

_END = re.compile(r"[.?!](?=[\"')\]]?\s+[A-Z0-9(\[\"'])|\n")
_ABBREVIATION = re.compile(
    r"(?:\b(?:vs|e\.g|i\.e|approx|resp|ca|cf|no|fig|figs|al|dr|st|conc|inc|ltd|co|vol|wt)|\bs\.d"
    r"|\bS\.D|\bs\.e|\bS\.E)$",
    re.I,
)


def sentences(text: str) -> list[tuple[int, int]]:
    """Half-open spans of the sentences of `text`; abbreviations such as `vs.` and `S.D.` do not
    end one."""
    spans = []
    start = 0
    for match in _END.finditer(text):
        if match.group() != "\n":
            before = text[max(start, match.start() - 8) : match.start()]
            if _ABBREVIATION.search(before):
                continue
        if text[start : match.end()].strip():
            spans.append((start, match.end()))
        start = match.end()
    if text[start:].strip():
        spans.append((start, len(text)))
    return spans
