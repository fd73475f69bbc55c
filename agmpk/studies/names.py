"""Names of individuals and compounds that survive being written to a table."""

from __future__ import annotations

from agmpk.errors import AgmpkError

MISSING = frozenset({"", ".", "NA"})
"""Cells that mean 'no value' in a table."""


def is_missing(text: str) -> bool:
    """Say whether a cell means 'no value'."""
    return text.strip().upper() in MISSING


def checked_name(kind: str, value: object) -> str:
    """Return ``value`` as text, or raise AgmpkError when a table could not hold it."""
    text = str(value)
    if is_missing(text) or text != text.strip() or not text.isprintable() or text[0] in "#@":
        raise AgmpkError(
            f"The {kind} {text!r} cannot be used; give printable text that is not '.', 'NA' or "
            "empty, has no blanks around it and does not begin with # or @."
        )
    return text
