"""One pharmacokinetic quantity of a record in the dataset's unit, with its %CV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agmpk.literature.harmonize.dirty import dispersion, is_missing, positive
from agmpk.literature.harmonize.notes import Notes
from agmpk.literature.harmonize.spread import cv_percent
from agmpk.literature.text import convert, normalize, parse_unit

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


def center_kind(text: object) -> str:
    """`GM` -> `geometric mean`; unknown or missing -> empty."""
    if is_missing(text):
        return ""
    lowered = str(text).strip().lower()
    return {"gm": "geometric mean", "geomean": "geometric mean"}.get(lowered, lowered)


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
        notes.erased(name, f"{value:g}", "no unit")
        return None
    unit = parse_unit(normalize(str(raw_unit)).text)
    if unit is None or unit.kind != kind:
        notes.erased(name, f"{value:g} {raw_unit}", f"the unit does not measure {kind}")
        return None
    if unit.misprint:
        notes.corrected(
            f"{name} unit",
            raw_unit,
            unit.text,
            "misprint: concentration per time is printed for concentration times time",
        )
    try:
        factor = convert(1.0, unit.text, target)
    except ValueError:
        notes.erased(
            name, f"{value:g} {raw_unit}", "activity or molar units cannot be turned into mass"
        )
        return None
    spread = _spread(name, entry, unit.text, notes)
    cv = cv_percent(
        value,
        spread,
        entry.get("dispersion_type"),
        parse_percent(entry.get("dispersion_unit")),
        n,
        f"{name} dispersion",
        notes,
    )
    return Quantity(value * factor, center_kind(entry.get("central_tendency_type")), cv)


def parse_percent(unit: object) -> bool:
    """Whether a dispersion unit says percent."""
    return str(unit).strip().lower() in ("%", "percent", "per cent")


def _spread(name: str, entry: Mapping[str, Any], unit: str, notes: Notes):
    """The dispersion expressed in the unit of the central value (a percentage is left as it is)."""
    spread = dispersion(entry.get("dispersion"), f"{name} dispersion", notes)
    raw = entry.get("dispersion_unit")
    if spread is None or is_missing(raw) or parse_percent(raw):
        return spread
    other = parse_unit(normalize(str(raw)).text)
    if other is None or other.text == unit:
        return spread
    try:
        factor = convert(1.0, other.text, unit)
    except ValueError:
        notes.erased(
            f"{name} dispersion", raw, "the dispersion's unit does not fit the value's unit"
        )
        return None
    return tuple(factor * x for x in spread) if isinstance(spread, tuple) else factor * spread
