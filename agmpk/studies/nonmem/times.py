"""Times of the day and dates as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from agmpk.studies.nonmem.rules import to_number

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d*)?))?\s*(AM|PM)?", re.IGNORECASE)
_DATE_TIME = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})[T ](\S+(?: [AaPp][Mm])?)")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_NAMED_MONTH = re.compile(r"(\d{1,2})[- ]?([A-Za-z]{3})[- ]?(\d{2}|\d{4})")


def clock_hours(text: str) -> float | None:
    """Hours since midnight of a time like 8:30, 08:30:15 or 8:30 PM; None for anything else."""
    found = _CLOCK.fullmatch(text)
    if not found:
        return None
    hours, minutes, seconds = int(found[1]), int(found[2]), float(found[3] or 0)
    if found[4]:
        hours = hours % 12 + 12 * (found[4].upper() == "PM")
    return hours + minutes / 60 + seconds / 3600 if minutes < 60 and hours <= 24 else None


def date_hours(text: str) -> float | None:
    """Hours of a time like 2024-03-01 08:30 on a scale of its own; None for anything else."""
    found = _DATE_TIME.fullmatch(text)
    if not found or (clock := clock_hours(found[4])) is None:
        return None
    day = _day(int(found[1]), int(found[2]), int(found[3]))
    return None if day is None else 24.0 * day + clock


def _day(year: int, month: int, day: int) -> float | None:
    try:
        return float(date(year + (2000 if year < 100 else 0), month, day).toordinal())
    except ValueError:
        return None


def day_numbers(texts: Sequence[str], name: str) -> NDArray[np.float64] | None:
    """Day numbers of dates; None where one is missing, of another form, or ambiguous.

    Forms: 2024-03-01, 01MAR2024, a plain number of days, and three numbers in the order that
    NONMEM gives DAT1 (day first), DAT2 (year first) and DAT3 (year, day, month). Under the name
    DATE, whose order NONMEM and half of the world read differently, a day above 12 must show it.
    """
    numbers = [to_number(text) for text in texts]
    if all(number == number for number in numbers):
        if all(re.fullmatch(r"(19|20)\d{6}", text) for text in texts):
            found = [_day(int(t[:4]), int(t[4:6]), int(t[6:])) for t in texts]
        else:
            found = [float(number) for number in numbers]
        return None if None in found else np.array(found, float)
    if all(_NAMED_MONTH.fullmatch(text) for text in texts):
        parts = [_NAMED_MONTH.fullmatch(text).groups() for text in texts]  # type: ignore[union-attr]
        if any(month.upper() not in _MONTHS for _, month, _ in parts):
            return None
        found = [_day(int(y), _MONTHS.index(m.upper()) + 1, int(d)) for d, m, y in parts]
        return None if None in found else np.array(found, float)
    split = [re.split(r"[-/.]", text) for text in texts]
    if not all(len(one) == 3 and all(part.isdecimal() for part in one) for one in split):
        return None
    triples = [tuple(int(part) for part in one) for one in split]
    if all(len(one[0]) == 4 for one in split):
        order = (0, 2, 1) if name == "DAT3" else (0, 1, 2)
    elif name in ("DAT2", "DAT3"):
        order = (0, 2, 1) if name == "DAT3" else (0, 1, 2)
    elif name == "DAT1" or any(one[0] > 12 for one in triples):
        order = (2, 1, 0)
    elif any(one[1] > 12 for one in triples):
        order = (2, 0, 1)
    else:
        return None
    found = [_day(*(one[place] for place in order)) for one in triples]
    return None if None in found else np.array(found, float)
