"""The administered dose in mg, where it can be known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agmpk.literature.harmonize.dirty import is_missing, positive
from agmpk.literature.harmonize.notes import Notes
from agmpk.literature.text import convert, normalize, parse_unit


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
    try:
        return value * convert(1.0, unit.text, "mg"), ""
    except ValueError:
        return None, f"dose unit '{raw}' is an activity or amount, not a mass"
