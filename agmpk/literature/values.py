"""One dirty quantity of a record: read, brought to the dataset's unit, its spread as %CV.

Nothing is corrected silently: every change is a note with its reason.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agmpk.literature.schema import center_type, dispersion_type
from agmpk.literature.text import normalize, parse_number, parse_range
from agmpk.literature.units import convert, parse_unit

TARGETS = {
    "Cmax": ("concentration", "ng/mL"),
    "AUC0_t": ("auc", "ng·h/mL"),
    "AUC0_inf": ("auc", "ng·h/mL"),
    "Tmax": ("time", "h"),
}


@dataclass(frozen=True)
class Quantity:
    """A central value in the target unit (ng/mL, ng·h/mL or h), its kind (mean, median, ...),
    its %CV."""

    value: float
    kind: str
    cv_percent: float | None


def read_quantity(
    name: str, entry: Mapping[str, Any], n: int | None, notes: Notes
) -> Quantity | None:
    """Read `Cmax`, `Tmax`, `AUC0_t` or `AUC0_inf` of a record; None where value or unit is
    missing or wrong."""
    kind, target = TARGETS[name]
    value = positive(entry.get("central_tendency"), name, notes)
    if value is None:
        return None
    raw_unit = entry.get("central_tendency_unit")
    if is_missing(raw_unit):
        return notes.erased(name, f"{value:g}", "no unit")
    unit = parse_unit(normalize(str(raw_unit)).text)
    if unit is None or unit.kind != kind:
        return notes.erased(name, f"{value:g} {raw_unit}", f"the unit does not measure {kind}")
    if unit.misprint:
        notes.corrected(
            f"{name} unit",
            raw_unit,
            unit.text,
            "misprint: concentration per time is printed for concentration times time",
        )
    factor = convert(1.0, unit.text, target)
    if factor is None:
        return notes.erased(
            name, f"{value:g} {raw_unit}", "activity or molar units cannot be turned into mass"
        )
    cv = _cv_percent(f"{name} dispersion", value, entry, unit.text, n, notes)
    said = entry.get("central_tendency_type")
    center = center_type(said) or ""
    if said and not center and not is_missing(said):
        notes.flagged(name, str(said), "not a known kind of central value")
    return Quantity(value * factor, center, cv)


@dataclass(frozen=True)
class Note:
    """One change of one field: `action` is `corrected`, `erased` or `flagged`."""

    field: str
    action: str
    before: str
    after: str
    reason: str


@dataclass
class Notes:
    """Collects the notes of one record while it is harmonized."""

    items: list[Note] = field(default_factory=list)

    def corrected(self, name: str, before: object, after: object, reason: str) -> None:
        self.items.append(Note(name, "corrected", _show(before), _show(after), reason))

    def erased(self, name: str, before: object, reason: str) -> None:
        self.items.append(Note(name, "erased", _show(before), "", reason))

    def flagged(self, name: str, value: object, reason: str) -> None:
        self.items.append(Note(name, "flagged", _show(value), _show(value), reason))


def _show(value: object) -> str:
    """A printable form; control characters are shown escaped rather than passed on."""
    text = "" if value is None else str(value)
    return text if text.isprintable() else repr(text)[1:-1]


MISSING = set(
    ",missing,null,none,nan,na,n/a,not reported,not calculated,not provided,not available,nr,nd"
    "".split(",")
)


def is_missing(value: object) -> bool:
    """Whether a published value is one of the spellings of 'not there'."""
    return value is None or str(value).strip().lower() in MISSING


def positive(value: object, name: str, notes: Notes) -> float | None:
    """A positive number or None. Zero and negative values stand for 'missing' in these records."""
    if is_missing(value):
        return None
    number = parse_number(normalize(str(value)).text)
    if number is None:
        return notes.erased(name, value, "not a number")
    if number <= 0:
        return notes.erased(name, value, "zero or negative stands for a missing value")
    return number


def dispersion(value: object, name: str, notes: Notes) -> float | tuple[float, float] | None:
    """A dispersion: one number, a `(low, high)` range, or None where nothing can be read.

    A single stray mark before the number (`;413`, `:188`, `+560`) is what is left of a lost ± sign.
    """
    if is_missing(value):
        return None
    raw = str(value)
    if any(not c.isprintable() for c in raw):
        return notes.erased(
            name, raw, "control character inside the value, its digits cannot be trusted"
        )
    text = normalize(raw).text.strip()
    limits = parse_range(text)
    if limits is not None:
        return limits
    number = parse_number(text.lstrip("+"))
    if number is None:
        rest = re.fullmatch(r"[:;,./±+]\s*(\d+(?:\.\d+)?)", text)
        number = float(rest[1]) if rest else None
    if number is None:
        return notes.erased(name, raw, "no digits: punctuation where a dispersion should stand")
    if not text[:1].isdigit():
        notes.corrected(
            name, raw, f"{number:g}", "stray mark before the number, left over from a ± sign"
        )
    if number <= 0:
        return notes.erased(name, raw, "a dispersion of zero stands for a missing value")
    return number


SMALL_CV = 5.0  # percent; below, an SD is more likely a standard error: flagged
MAX_CV = 300.0  # percent; larger values in this literature are misread columns, not variability
IQR_IN_SD = 1.349  # width of the interquartile range of a normal distribution, in SD
_SPREADS = ("SD", "CV%", "range", "IQR", "SEM")


def _cv_percent(
    name: str, center: float, entry: Mapping[str, Any], unit: str, n: int | None, notes: Notes
) -> float | None:
    """%CV from a central value in `unit` and the dispersion of its entry, or None.

    Published rules: SD / center (mean and median interchangeable), CV as it stands, range / 4 as
    SD. Added here: IQR / 1.349 as SD, SEM * sqrt(n) as SD. A CV above 300 % is erased.
    """
    spread = dispersion(entry.get("dispersion"), name, notes)
    if spread is None:
        return None
    raw, kind = entry.get("dispersion_unit"), entry.get("dispersion_type")
    percent = str(raw).strip().lower() in ("%", "percent", "per cent")
    other = None if percent or is_missing(raw) else parse_unit(normalize(str(raw)).text)
    scale = convert(1.0, other.text, unit) if other else 1.0
    if scale is None:
        return notes.erased(name, raw, "the dispersion's unit does not fit the value's unit")
    known = dispersion_type(kind)
    if isinstance(spread, tuple):
        low, high = scale * spread[0], scale * spread[1]
        if not low <= center <= high:
            outside = "the central value lies outside its own range"
            return notes.erased(name, f"{low:g}-{high:g}", outside)
        width = IQR_IN_SD if known == "IQR" else 4.0
        if known not in ("range", "IQR"):
            notes.corrected(name, kind, "range", "two limits were given, so the kind is a range")
        cv = 100.0 * (high - low) / width / center
    elif known == "CV%" or (known not in _SPREADS and percent):
        cv = scale * spread
    elif known == "SEM" and n is None:
        return notes.erased(name, scale * spread, "a standard error needs the number of subjects")
    elif known in ("SD", "SEM"):
        cv = 100.0 * scale * spread * (1.0 if known == "SD" else math.sqrt(n)) / center
    else:
        return notes.erased(name, scale * spread, "kind of dispersion not stated")
    if cv > MAX_CV:
        return notes.erased(name, f"{cv:.0f}%", f"a CV above {MAX_CV:g} % is taken as a misreading")
    if cv == 0:
        return notes.erased(name, "0", "no spread at all stands for a missing value")
    if known == "SD" and cv < SMALL_CV:
        notes.flagged(name, f"{cv:.1f}%", "so small that the SD may be a standard error")
    return cv


def dose_mg(record: Mapping[str, Any], notes: Notes) -> tuple[float | None, str]:
    """`(dose in mg, "")`, or `(None, reason)` where the dose is missing or not a mass.

    Doses per body weight are not turned into mg: the body weight of the subjects is not recorded.
    """
    value = positive(record.get("dose"), "dose", notes)
    raw = record.get("dose_unit")
    if value is None:
        return None, "no dose"
    if is_missing(raw):
        return None, "no dose unit"
    text = normalize(str(raw)).text
    unit = parse_unit(text)
    if unit is None:
        head = re.match(r"(mg|g|µg)\b(?!\s*/)\s*(.+)", text)
        if head is None:
            return None, f"dose unit '{raw}' is not a mass"
        unit = parse_unit(head[1])
        notes.corrected("dose unit", raw, head[1], "words after the unit removed")
    assert unit is not None
    if unit.kind == "mass/weight":
        return None, f"dose per body weight ('{raw}') and no body weight recorded"
    if unit.kind != "mass":
        return None, f"dose unit '{raw}' is not a mass"
    dose = convert(value, unit.text, "mg")
    return dose, "" if dose else f"dose unit '{raw}' is an activity or amount, not a mass"
