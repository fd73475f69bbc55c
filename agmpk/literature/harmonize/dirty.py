"""Reading one dirty value: a number, a range, or nothing, with the reason for what was done."""

from __future__ import annotations

import re

from agmpk.literature.harmonize.notes import Notes
from agmpk.literature.text import normalize, parse_number, parse_range

MISSING = {
    "",
    "missing",
    "null",
    "none",
    "nan",
    "na",
    "n/a",
    "not reported",
    "not calculated",
    "not provided",
    "not available",
    "nr",
    "nd",
}


def is_missing(value: object) -> bool:
    """Whether a published value is one of the spellings of 'not there'."""
    return value is None or str(value).strip().lower() in MISSING


def positive(value: object, name: str, notes: Notes) -> float | None:
    """A positive number or None. Zero and negative values stand for 'missing' in these records."""
    if is_missing(value):
        return None
    number = parse_number(normalize(str(value)).text)
    if number is None:
        notes.erased(name, value, "not a number")
        return None
    if number <= 0:
        notes.erased(name, value, "zero or negative stands for a missing value")
        return None
    return number


def dispersion(value: object, name: str, notes: Notes) -> float | tuple[float, float] | None:
    """A dispersion: one number, a `(low, high)` range, or None where nothing can be read.

    A single stray mark before the number (`;413`, `:188`, `+560`) is what is left of a lost ± sign.
    """
    if is_missing(value):
        return None
    raw = str(value)
    if any(not c.isprintable() for c in raw):
        notes.erased(name, raw, "control character inside the value, its digits cannot be trusted")
        return None
    text = normalize(raw).text.strip()
    limits = parse_range(text)
    if limits is not None:
        return limits
    number = parse_number(text.lstrip("+"))
    if number is None:
        rest = re.fullmatch(r"[:;,./±+]\s*(\d+(?:\.\d+)?)", text)
        number = float(rest[1]) if rest else None
    if number is None:
        notes.erased(name, raw, "no digits: punctuation where a dispersion should stand")
        return None
    if not text[:1].isdigit():
        notes.corrected(
            name, raw, f"{number:g}", "stray mark before the number, left over from a ± sign"
        )
    if number <= 0:
        notes.erased(name, raw, "a dispersion of zero stands for a missing value")
        return None
    return number
