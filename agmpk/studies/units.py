"""Units of a study and their conversion, the usual ones by a table, all others by pint; and what
texts of a table say of numbers, units, clock times and dates.

The table of units answers in microseconds what pint's registry takes half a second to be loaded
for; a test holds the one against the other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from agmpk.errors import AgmpkError

# Bounds beyond which a number is a slip of the pen: a century in hours, a thousand tons in mg.
MAX_HOURS = 1e6
MAX_AMOUNT = 1e12
MAX_CONCENTRATION = 1e15

# Dimensions a unit may have, each with an example. A dose per body weight (mg/kg) is dimensionless
# to pint.
_ALLOWED = {
    "time": {"time": "h"},
    "concentration": {"mass/volume": "ng/mL", "amount/volume": "mol/L"},
    "dose": {"mass": "mg", "amount": "mol", "mass/mass": "mg/kg", "amount/mass": "mol/kg"},
}
_PREFIXES = {"k": 3, "": 0, "d": -1, "c": -2, "m": -3, "u": -6, "mc": -6, "n": -9, "p": -12}
_BASES = {"g": "mass", "mol": "amount", "L": "volume", "l": "volume"}
_SECONDS = {
    "h hr hrs hour hours": 3600,
    "min minute minutes": 60,
    "s sec second seconds": 1,
    "d day days": 86400,
    "week weeks": 604800,
}
_USUAL = {
    **{name: ("time", Fraction(n)) for names, n in _SECONDS.items() for name in names.split()},
    **{
        prefix + base: (dimension, Fraction(10) ** power)
        for prefix, power in _PREFIXES.items()
        for base, dimension in _BASES.items()
    },
}
_OF_ACTIVITY = re.compile(r"([kMmun] ?)?(IU|U|units?)( ?/.+)?", re.IGNORECASE)
# What may be handed to pint, which evaluates powers: no long numbers, no towers of them.
_WRITTEN_LIKE_A_UNIT = re.compile(
    r"(?:[^\W\d]|[ ./%·∙×()\[\]-]|\^-?\d(?!\d)|\*(?!\*)|\d{1,4}(?!\d))+"
)


@dataclass(frozen=True, slots=True)
class Units:
    """Units of a study's times, concentrations and doses.

    Attributes:
        time: hours; another unit of time is accepted by ``read_study`` only, which converts.
        concentration: mass or amount of substance per volume.
        dose: mass or amount of substance, also per body weight (``mg/kg``).

    Raises:
        AgmpkError: a unit cannot be parsed or is of the wrong kind.
    """

    time: str = "h"
    concentration: str = "ng/mL"
    dose: str = "mg"

    def __post_init__(self) -> None:
        for kind in _ALLOWED:
            check_unit(kind, getattr(self, kind))
        if conversion_factor(self.time, "h") != 1:
            raise AgmpkError(
                f"The time unit of a study is {self.time!r}; times are held in hours, "
                "convert them first."
            )
        object.__setattr__(self, "time", "h")


def check_unit(kind: str, unit: str) -> None:
    """Raise AgmpkError unless ``unit`` is a unit of the ``kind`` time, concentration or dose."""
    if kind != "time" and _OF_ACTIVITY.fullmatch(_without_mu(unit)):
        raise AgmpkError(
            f"The {kind} unit {unit!r} is one of activity, which has no mass; forecasts depend on "
            "the ratio of concentrations and doses only, so name masses with the same prefixes, "
            "such as dose=mg and concentration=mg/mL for IU and IU/mL; what is said of the prior "
            "then means nothing."
        )
    if (usual := _usual(unit)) and usual[0] in _ALLOWED[kind]:
        return
    found, examples = _quantity(unit), _ALLOWED[kind].values()
    for reference in map(_quantity, examples):
        same = found.dimensionality == reference.dimensionality
        # A stroke tells mg/kg from a bare number or a fraction such as %.
        if same and ("/" in unit or not reference.dimensionless):
            return
    raise AgmpkError(
        f"The {kind} unit {unit!r} does not measure a {kind}; "
        f"use for example {' or '.join(examples)}."
    )


@lru_cache(maxsize=256)
def conversion_factor(source: str, target: str) -> float:
    """Return the number that turns a value in ``source`` into one in ``target``.

    Raises:
        AgmpkError: a unit cannot be parsed, or the two measure different things.
    """
    ours, theirs = _usual(source), _usual(target)
    if ours and theirs and ours[0] == theirs[0]:
        return float(ours[1] / theirs[1])
    import pint

    try:
        return float(_quantity(source).to(_quantity(target).units).magnitude)
    except pint.DimensionalityError:
        raise AgmpkError(
            f"{source!r} cannot be converted into {target!r}; they measure different things."
        ) from None


def _usual(unit: str) -> tuple[str, Fraction] | None:
    """The dimension and the size of a usual unit; None for any other."""
    found = [_USUAL.get(part.strip()) for part in _without_mu(unit).split("/")]
    if len(found) > 2 or None in found:
        return None
    if len(found) == 1:
        return found[0]
    (above, size), (below, other) = found
    return f"{above}/{below}", size / other


def _without_mu(unit: str) -> str:
    return unit.replace("\u00b5", "u").replace("\u03bc", "u")


@lru_cache(maxsize=256)
def _quantity(unit: str):
    text = _without_mu(unit)
    try:
        if len(text) > 60 or not _WRITTEN_LIKE_A_UNIT.fullmatch(text):
            raise ValueError
        quantity = _registry().Quantity(1.0, text)
    except Exception:  # pint raises a dozen kinds of errors, tokenizer errors included
        quantity = None
    if quantity is None or not text.strip():
        unit = unit if len(unit) <= 60 else unit[:60] + "..."
        raise AgmpkError(f"The unit {unit!r} is not understood; write it like h, ng/mL or mg.")
    return quantity


@lru_cache(maxsize=1)
def _registry():
    import pint

    return pint.UnitRegistry()


# ------------------------------------------------------------------------- as tables write them

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?", re.ASCII)  # Fortran writes D, too
_UNIT = (
    "(?:(?:mc|[pnumkcdµμ])?(?:g|mol|l)|hours?|hrs?|h|min(?:ute)?s?|seconds?|secs?|s|days?|d|weeks?)"
)
_UNITS = rf"{_UNIT}(?:(?:[\s_./]|per)*{_UNIT}){{0,2}}"
_HEADING = re.compile(rf"(.+?)(?:[\s_.]*[(\[](.*?)[)\]].*|[\s_.]+({_UNITS})[\s_.]*)", re.IGNORECASE)
_CELL_OF_A_UNIT = re.compile(rf"{_UNIT}(/{_UNIT})*", re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d*)?))?\s*(AM|PM)?", re.IGNORECASE)
_CLOCK_BEHIND = re.compile(r"(?<=.)[T :]+\d{1,2}:\d{2}.*")  # a date's
_DATE_TIME = re.compile(r"(\d{4}-\d{1,2}-\d{1,2})[T ](\S+(?: [AaPp][Mm])?)")


def is_missing(text: str) -> bool:
    """Say whether a cell means 'no value'."""
    return text.strip().upper() in ("", ".", "NA")


def to_number(text: str) -> float:
    """The number a cell holds (NaN unless it is written as one)."""
    if not NUMBER.fullmatch(text):
        return math.nan
    return float(text.upper().replace("D", "E"))


_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eEdD][+-]?\d+)?", re.ASCII)
_BELOW = re.compile(
    r"<.*|bl[ol]?q|bql|lloq|[bl]dl|bld|lod|n\.?d\.?|nq|below.*|not[ _](detected|quantifiable).*",
    re.IGNORECASE,
)
_LIMIT = re.compile(r"<\s*(\S+)")
_FLAGS = {**dict.fromkeys(("Y", "YES", "T", "TRUE"), 1.0),
          **dict.fromkeys(("N", "NO", "F", "FALSE"), 0.0)}  # fmt: skip
_BOUNDS = {"AMT": (1e-12, MAX_AMOUNT), "DV": (1e-30, MAX_CONCENTRATION)}
_COMMA = "{value} has a decimal comma", "write a point"
_INFINITE = "{value} is not a finite number", "write . where the value is missing"
_TEXT = "{value} is text, not a number"
_MEASURED = frozenset(("TIME", "DV", "AMT", "RATE", "DUR", "II", "LLOQ"))
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
# What is wrong with a cell that is no number, by the first form that it has, in which columns.
_WRONG = (
    (_MEASURED, r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?",
     ("{value} has commas that may be of thousands or decimal",
      "write it without them if they group thousands, or with a point")),
    (_MEASURED, r"[+-]?[1-9]\d{0,2}(\.\d{3})+,\d*",
     ("{value} has points that group thousands, and a decimal comma",
      "write it without the points, and a point for the comma")),
    (None, _DECIMAL_COMMA.pattern, _COMMA),
    (None, r"[+-]?(nan|inf|infinity)", _INFINITE),
    ({"DV"}, r">.*|a[bu]?l?o?q|uloq|above.*",
     ("{value} is a value above the assay's range, which is not known",
      "write . there, with MDV 1 if there is such a column")),
    ({"TIME"}, rf"\d{{1,4}}([-/.])\d{{1,2}}\1\d{{1,4}}.*|\d{{1,2}}[- ]?({_MONTHS})[- ]?\d{{2,4}}.*",
     ("{value} is a date", "write hours since the first dose, or the date in a column DATE and the "
      "time of the day in TIME")),
    (_MEASURED, rf"[+-]?[\d.]+ ?{_UNITS}",
     ("{value} holds a unit", "write the number alone, and name the unit with --units")),
)  # fmt: skip


def _why_no_number(name: str, text: str) -> tuple[str, str]:
    """What is wrong with a cell of a column that is no number, and the remedy."""
    fitting = (
        fault for names, form, fault in _WRONG
        if (names is None or name in names)
        and re.fullmatch(form, text, re.ASCII | re.IGNORECASE)
    )  # fmt: skip
    return next(fitting, (_TEXT, "write a number, or . where the value is missing"))


def numbers(
    name: str, texts: Sequence[str], comma: bool = False, limit: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], dict[int, tuple[str, str]]]:
    """The numbers that T cells of a column of a known name hold, and what is wrong with the cells.

    ``comma``: 1,5 is 1.5; ``limit``: LLOQ for cells such as BLQ, if known. Returned are float64[T]
    (NaN where missing); limits float64[T] (NaN but where a cell such as <0.5 says so); {place of a
    cell: (problem, remedy)}.
    """
    values = np.full(len(texts), np.nan)
    limits = values.copy()
    faults: dict[int, tuple[str, str]] = {}
    for code, text in enumerate(texts):
        if comma and _DECIMAL_COMMA.fullmatch(text):
            text = text.replace(",", ".")
        if NUMBER.fullmatch(text):
            values[code] = to_number(text)
        elif is_missing(text):
            continue
        elif name in ("CENS", "MDV") and text.upper() in _FLAGS:
            values[code] = _FLAGS[text.upper()]
        elif name == "DV" and _BELOW.fullmatch(text):
            said = _LIMIT.sub(r"\1", text) if _LIMIT.fullmatch(text) else ""
            decimal = bool(_DECIMAL_COMMA.fullmatch(said))
            found = to_number(said.replace(",", ".") if comma and decimal else said)
            found = found if found > 0 or not limit else limit
            if decimal and not comma:
                faults[code] = _COMMA
            elif found > 0:
                limits[code] = found
            else:
                remedy = "write the LLOQ with CENS 1, give the limit with --lloq, or write . where "
                faults[code] = _TEXT, remedy + "the value is missing"
        else:
            faults[code] = _why_no_number(name, text)
    least, most = _BOUNDS.get(name, (0.0, math.inf))
    size = np.abs(values)
    outside = f"{{value}} is outside {least:g} to {most:g}, the range that is taken"
    for code in np.flatnonzero((size > most) | (size < least) & (size > 0) | np.isinf(size)):
        finite = math.isfinite(values[code])
        faults[int(code)] = (outside, "correct it or its unit") if finite else _INFINITE
    return values, limits, faults


def split_heading(heading: str) -> tuple[str, str, bool]:
    """The name in capitals and the unit in a heading such as DV (mg/L), DV_mg_L or R's DV..mg.L.;
    and whether the unit stands in brackets. '' where there is none."""
    if len(heading) > 200 or not (found := _HEADING.fullmatch(heading)):
        return heading.upper(), "", False
    bracketed = found[2] is not None
    unit = found[2] if bracketed else "/".join(re.findall(_UNIT, found[3], re.IGNORECASE))
    return found[1].upper(), plain_unit(unit), bracketed


def plain_unit(text: str) -> str:
    """A unit without brackets; in small letters, as MG would be megagrams; '' if missing."""
    unit = "".join(text.split()).strip("\"'()[]")
    unit = "" if is_missing(unit) else unit
    return unit.lower() if unit.isupper() else unit


def is_unit(kind: str, text: str, alone: bool = False) -> bool:
    """Whether a text is a unit of the kind time, concentration or dose; ``alone``: and could be
    nothing else, as may stand in a cell."""
    if alone and not _CELL_OF_A_UNIT.fullmatch(text):
        return False
    with suppress(AgmpkError):
        check_unit(kind, text)
        return bool(text)
    return False


def same_unit(one: str, other: str) -> bool:
    """Whether two texts are units of one size (ng/mL and ug/L)."""
    with suppress(AgmpkError):
        return conversion_factor(one, other) == 1
    return False


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
    if not (found := _DATE_TIME.fullmatch(text)):
        return None
    day, clock = _day(found[1], "%Y-%m-%d"), clock_hours(found[2])
    return None if day is None or clock is None else 24.0 * day + clock


def _day(text: str, *formats: str) -> float | None:
    """The number of a day that is written in one of the formats; None for anything else."""
    for one in formats:
        with suppress(ValueError):
            return float(datetime.strptime(text, one).toordinal())
    return None


def day_numbers(texts: Sequence[str], name: str) -> NDArray[np.float64] | None:
    """Day numbers of dates; None where one is missing, of another form, or ambiguous.

    Forms: 2024-03-01, 01MAR2024, a whole number of days, and three numbers in the order that
    NONMEM gives DAT1 (day first), DAT2 (year first) and DAT3 (year, day, month). Under the name
    DATE, whose order NONMEM and half of the world read differently, a day above 12 must show it.
    """
    days = [to_number(text) for text in texts]
    plain = all(day == day for day in days)
    whole = plain and all(day.is_integer() for day in days)
    if whole and not all(re.fullmatch(r"(19|20)\d{6}", text) for text in texts):
        return np.array(days, float)
    parts = [re.split("[-/.]", text) for text in texts]
    three = all(len(one) == 3 and all(part.isdecimal() for part in one) for one in parts)
    if not three:
        form = "%Y%m%d" if plain else "%d%b%Y"
    elif name == "DAT3":
        form = "%Y-%d-%m"
    elif name == "DAT2" or all(len(one[0]) == 4 for one in parts):
        form = "%Y-%m-%d"
    elif name == "DAT1" or any(int(one[0]) > 12 for one in parts):
        form = "%d-%m-%Y"
    elif any(int(one[1]) > 12 for one in parts):
        form = "%m-%d-%Y"
    else:
        return None
    written = map("-".join, parts) if three else (re.sub("[- ]", "", text) for text in texts)
    days = [_day(text, form, form.replace("%Y", "%y")) for text in written]
    return None if None in days else np.array(days, float)


def day_counts(cells: Sequence[str], name: str) -> NDArray[np.float64]:
    """Numbers that rise by a day or more from each day to the next, NaN for missing cells."""
    bare = [_CLOCK_BEHIND.sub("", text.strip().strip("\"'")).replace(",", ".") for text in cells]
    texts = list(dict.fromkeys(text for text in bare if not is_missing(text)))
    days = day_numbers(texts, name) if texts else None
    if days is None:
        days = [to_number(text) for text in texts]  # ambiguous dates or words in their order
        days = range(len(days)) if any(math.isnan(day) for day in days) else days
    known = dict(zip(texts, days, strict=True))
    return np.array([known.get(text, math.nan) for text in bare])
