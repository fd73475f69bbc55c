"""Units of pharmacokinetic quantities as articles print them, read into one canonical form.

`agmpk.studies.units` converts; this module only brings the many spellings (`ng hr mL-1`,
`mcg*h/mL`, `h·ng/mL`, `ngxh/mL`, `ng-h/L`, `µM`) into something it understands. `ng/mL/h` for an
AUC is a frequent misprint (its dimension is a rate, not an exposure): it is read as an AUC and
marked `misprint`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agmpk.errors import AgmpkError
from agmpk.literature.text import NUMBER_TEXT
from agmpk.studies.units import conversion_factor


def _spellings(text: str) -> dict[str, str]:
    """`{spelling: unit}` of lines such as `µg: ug mcg`; a unit spells itself in lower case too."""
    lines = (line.partition(":") for line in text.strip().splitlines())
    pairs = [(unit.strip(), names.split()) for unit, _, names in lines]
    return {name: unit for unit, names in pairs for name in (unit.lower(), *names)}


MASS = _spellings("""
    fg:
    pg:
    ng: nanogram nanograms
    µg: ug mcg microg mug microgram micrograms
    mg: milligram milligrams
    g: gram grams
    pmol:
    nmol:
    µmol: umol
    mmol:
    µIU: uiu µu
    mIU: mu
    IU: u""")
VOLUME = _spellings("""
    L: liter litre liters litres
    dL:
    mL: milliliter millilitre cc
    µL: ul""")
TIME = _spellings("""
    h: hr hrs hour hours
    min: mins minute minutes
    day: d days
    week: wk weeks""")
WEIGHT = _spellings("kg:\nm2:\ncm2:")

_NAMES = {**MASS, **VOLUME, **TIME, **WEIGHT}
_TABLES = {"mass": MASS, "volume": VOLUME, "time": TIME, "weight": WEIGHT}
_CLASSES = {name: kind for kind, table in _TABLES.items() for name in table}
_WORDS = "|".join(sorted(_NAMES, key=len, reverse=True))
_WORD = re.compile(rf"(?:{_WORDS})(?![A-Za-zµ])", re.I)
_MOLAR = re.compile(r"([pnµm])M(?![A-Za-zµ])")  # µM is µmol/L
_SEPARATOR = re.compile(
    r"\s*(?:/|·|\*|×|•|\.(?=\s?[a-zµ(])|(?<=[a-z])-(?=[a-zµ])|\bx\b|\bper\b)?\s*[(\[]?\s*", re.I
)
_EXPONENT = re.compile(r"\s?\^?\(?-\s?1\)?(?!\d|\.\d)")

# kind -> sorted tuple of (class, power)
_KINDS = {
    (("mass", 1), ("volume", -1)): "concentration",
    (("mass", 1), ("time", 1), ("volume", -1)): "auc",
    (("mass", 1), ("time", -1), ("volume", -1)): "auc misprint",
    (("time", 1),): "time",
    (("mass", 1),): "mass",
    (("mass", 1), ("weight", -1)): "mass/weight",
    (("volume", 1),): "volume",
    (("time", -1), ("volume", 1)): "clearance",
    (("volume", 1), ("weight", -1)): "volume",
    (("time", -1), ("volume", 1), ("weight", -1)): "clearance",
    (("time", -1),): "rate",
    (("mass", 1), ("time", -1)): "mass rate",
}


@dataclass(frozen=True)
class Unit:
    """A unit in canonical spelling (`ng/mL`, `ng·h/mL`, `h`, `mg`, `%`) with the kind of
    quantity it measures."""

    text: str
    kind: str
    misprint: bool = False


def _canonical(powers: list[tuple[str, str, int]]) -> Unit | None:
    key = tuple(sorted((cls, power) for _, cls, power in powers))
    kind = _KINDS.get(key)
    if kind is None:
        return None
    by_class = {cls: name for name, cls, _ in powers}
    if kind == "concentration":
        return Unit(f"{by_class['mass']}/{by_class['volume']}", kind)
    if kind in ("auc", "auc misprint"):
        text = f"{by_class['mass']}·{by_class['time']}/{by_class['volume']}"
        return Unit(text, "auc", misprint=kind != "auc")
    top = [name for name, _, power in powers if power > 0]
    below = [name for name, _, power in powers if power < 0]
    return Unit("·".join(top or ["1"]) + "".join("/" + name for name in below), kind)


def scan_unit(text: str, position: int = 0) -> tuple[int, Unit] | None:
    """The longest unit that starts at `position` of normalized `text`: `(end, unit)`, or None."""
    percent = re.compile(r"\s*(%|percent\b|per cent\b)").match(text, position)
    if percent:
        return percent.end(), Unit("%", "percent")
    begin = re.compile(r"\s*[(\[]?\s*(1\s?/\s?)?").match(text, position)
    cursor, sign = begin.end(), -1 if begin[1] else 1
    powers: list[tuple[str, str, int]] = []
    best: tuple[int, Unit] | None = None
    while len(powers) < 4:
        molar = _MOLAR.match(text, cursor)
        if molar and not any(cls in ("mass", "volume") for _, cls, _ in powers):
            powers += [(f"{molar[1]}mol", "mass", sign), ("L", "volume", -sign)]
            unit = _canonical(powers)
            best = (molar.end(), unit) if unit else best
            cursor = _SEPARATOR.match(text, molar.end()).end()
            continue
        word = _WORD.match(text, cursor)
        if not word:
            break
        name = word.group().lower()
        cls = _CLASSES[name]
        if name in ("mu", "u") and word.group() not in ("U", "mU"):
            break
        # D is a label or vitamin D, never days.
        if word.group() == "D" or any(cls == known for _, known, _ in powers):
            break
        cursor = word.end()
        power = sign
        exponent = _EXPONENT.match(text, cursor)
        if exponent and (cls != "mass" or not powers):
            follows = re.compile(r"\s?[a-z0-9]", re.I).match(text, exponent.end())
            if cls in ("volume", "time", "weight") or not follows:
                power, cursor = -1, exponent.end()
        powers.append((_NAMES[name], cls, power))
        closing = re.compile(r"\s*[)\]]").match(text, cursor)
        unit = _canonical(powers)
        if unit:
            best = (cursor, unit)
        step = cursor
        if closing and text.count("(", position, cursor) + text.count("[", position, cursor) > 0:
            step = closing.end()
        separator = _SEPARATOR.match(text, step)
        glue = separator.group()
        if not glue and step == cursor:
            break
        sign = -1 if ("/" in glue or "per" in glue.lower()) else 1
        cursor = separator.end()
    return best


_AMOUNT = re.compile(rf"(?<![\w./±-])({NUMBER_TEXT})(?:\s?/\s?{NUMBER_TEXT})*[\s-]?")


def amounts(text: str) -> Iterator[tuple[float, Unit, int, int]]:
    """`(number, unit, start, end)` of every mass, activity or mass per weight, in order."""
    for match in _AMOUNT.finditer(text):
        end, unit = scan_unit(text, match.end()) or (0, None)
        if unit and unit.kind in ("mass", "mass/weight"):
            yield float(match[1]), unit, match.start(), end


def parse_unit(text: str | None) -> Unit | None:
    """The unit that the whole of `text` is (after normalization by the caller), or None."""
    if not text:
        return None
    cleaned = text.strip().strip("()[]").strip()
    if "(" in cleaned and ")" not in cleaned:
        cleaned += ")"
    found = scan_unit(cleaned)
    if found is None:
        return None
    end, unit = found
    return unit if not cleaned[end:].strip(" )].^") else None


def convert(value: float, unit: str, target: str) -> float | None:
    """`value` in `unit` expressed in `target`; None where they measure different things (molar
    units and activities are no masses)."""
    # International units convert only among themselves; katals, no article's, stand for them.
    try:
        return value * conversion_factor(unit.replace("IU", "kat"), target.replace("IU", "kat"))
    except AgmpkError:
        return None
