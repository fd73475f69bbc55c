"""Numbers and ranges as they are printed, and numbers written as words."""

from __future__ import annotations

import re

NUMBER = r"(?<![\w.])\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_FULL = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_RANGE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:-|to|,|;|\.\.)\s*(\d+(?:\.\d+)?)")

_ONES = {
    w: i
    for i, w in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen "
        "sixteen seventeen eighteen nineteen".split()
    )
}
_TENS = {
    w: 10 * i
    for i, w in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)
}
_WORD = "|".join(sorted([*_ONES, *_TENS, "hundred"], key=len, reverse=True))
WORD_NUMBER = rf"\b(?:(?:{_WORD})(?:(?:(?<=hundred)\s+and\s+|[\s-]+)(?:{_WORD})){{0,4}})\b"


def parse_number(text: str) -> float | None:
    """The number that `text` is, or None: no units, signs of doubt or ranges are accepted."""
    cleaned = text.strip()
    return float(cleaned) if _FULL.fullmatch(cleaned) else None


def parse_range(text: str) -> tuple[float, float] | None:
    """`(low, high)` for texts such as `1.5-4.0`, `1.5 to 4.0`; None where low > high or no
    range."""
    match = _RANGE.fullmatch(text.strip().strip("()[]"))
    if not match:
        return None
    low, high = float(match[1]), float(match[2])
    return (low, high) if low <= high else None


def word_number(text: str) -> int | None:
    """`twenty-four` -> 24, `one hundred and eight` -> 108; None where it is not a number word."""
    total = 0
    words = [w for w in re.split(r"[\s-]+", text.strip().lower()) if w != "and"]
    if not words:
        return None
    for word in words:
        if word in _ONES:
            total += _ONES[word]
        elif word in _TENS:
            total += _TENS[word]
        elif word == "hundred":
            total = max(total, 1) * 100
        else:
            return None
    return total
