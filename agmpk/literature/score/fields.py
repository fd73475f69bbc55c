"""When an extracted field equals the truth."""

from __future__ import annotations

import math
import re

from agmpk.literature.extract.rules.lexicon import SALTS
from agmpk.literature.text import normalize, parse_unit

TOLERANCE = 1e-3  # relative; printed numbers are copied, not computed


def same(field: str, found: object, truth: object) -> bool:
    """Whether `found` is `truth`: numbers to 0.1 %, units and ranges after normalization, names
    without salts."""
    if found is None or truth is None:
        return found is None and truth is None
    if field.endswith("unit"):
        return _unit(found) == _unit(truth)
    if field == "compound":
        return _compound(found) == _compound(truth)
    a, b = _number(found), _number(truth)
    if a is not None and b is not None:
        return math.isclose(a, b, rel_tol=TOLERANCE)
    return _text(found) == _text(truth)


def _number(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _text(value: object) -> str:
    text = normalize(str(value)).text.strip().lower()
    numbers = re.fullmatch(r"(\d+(?:\.\d+)?)\s?(?:-|to)\s?(\d+(?:\.\d+)?)", text)
    return f"{float(numbers[1]):g}-{float(numbers[2]):g}" if numbers else text


def _unit(value: object) -> str:
    text = normalize(str(value)).text
    unit = parse_unit(text)
    return unit.text if unit else text.strip().lower()


def _compound(value: object) -> str:
    words = normalize(str(value)).text.lower().replace("-", " ").split()
    return " ".join(w for w in words if w not in SALTS)
