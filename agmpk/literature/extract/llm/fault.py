"""Whether a number in a passage is the quantity it is said to be."""

from __future__ import annotations

import re

from agmpk.literature.extract.rules.arms import REFERENCE
from agmpk.literature.extract.rules.mention import Mention
from agmpk.literature.extract.rules.parameters import find_parameters
from agmpk.literature.extract.rules.values import find_values
from agmpk.literature.ground.locate import Passage
from agmpk.literature.text import NormalText, scan_unit


def quantity_fault(
    name: str,
    unit: str,
    passage: Passage,
    place: tuple[int, int],
    mentions: list[Mention],
    normals: dict[str, NormalText],
) -> str:
    """Why the number at `place` cannot be the quantity, or an empty string."""
    text = passage.normal.text
    source = passage.normal.span(*place)
    read = [m for m in mentions if m.source == passage.source and m.number_span(normals) == source]
    if read:
        if all(m.name != name for m in read):
            return f"the document gives this number for {read[0].name}"
        same = [m for m in read if m.name == name]
        if all(m.arm == REFERENCE for m in same):
            return "the document gives this number for the reference product"
        if all(m.unit is not None and m.unit.text != unit for m in same):
            return f"the document gives this number in {same[0].unit.text}"
        return ""
    a, b = passage.context()
    names = find_parameters(text[a:b])
    wanted = {name} if name != "auc0_t" else {"auc0_t"}
    if not any(p.name in wanted for p in names):
        return f"the passage does not name {name}"
    values = [
        v
        for v in find_values(text[a:b], [(p.start, p.end) for p in names])
        if a + v.start <= place[0] < a + v.end
    ]
    if not values:
        return "the number is part of a name or an interval"
    value = values[0]
    if a + value.start != place[0]:
        return "the number is printed as a dispersion"
    if value.unit is not None and value.unit.text != unit:
        return f"the document gives this number in {value.unit.text}"
    if value.unit is None and unit not in _units(text[a:b]):
        return "the unit is not in the passage"
    return ""


def _units(text: str) -> set[str]:
    found = set()
    for match in re.finditer(r"[a-zA-Zµ(]", text):
        if match.start() == 0 or not text[match.start() - 1].isalnum():
            unit = scan_unit(text, match.start())
            if unit:
                found.add(unit[1].text)
    return found
