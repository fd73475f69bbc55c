"""One value of one parameter as the text gives it, with its evidence and its circumstances."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agmpk.literature.extract.rules.context import center_type, dispersion_hint
from agmpk.literature.extract.rules.parameters import Parameter
from agmpk.literature.text import NormalText
from agmpk.literature.text.units import Unit


@dataclass(frozen=True)
class Mention:
    """One value of one parameter; positions are spans of the normalized source named `source`."""

    name: str
    number: float
    unit: Unit | None
    dispersion: float | str | None
    dispersion_type: str | None
    center: str | None
    arm: str | None
    state: str | None
    analyte: str
    dose: str | None
    horizon: str
    source: str
    spans: tuple[tuple[int, int], ...]
    order: int
    rank: int = 0

    def number_span(self, normals: dict[str, NormalText]) -> tuple[int, int]:
        """Span of the number in the untouched source (tables: spans are untouched already)."""
        first = self.spans[0]
        return first if self.source.startswith("tables[") else normals[self.source].span(*first)


def mention_of(
    item, text: str, part: str, begin: int, source: str, *, state, analyte, dose, order, unit
) -> Mention:
    """The mention that one assignment of a sentence makes; `begin` is the start of the sentence."""
    value, parameter = item.value, item.parameter
    spans = [(begin + value.start, begin + value.start + _digits(part, value.start))]
    if value.unit_span:
        spans.append((begin + value.unit_span[0], begin + value.unit_span[1]))
    if value.dispersion_span:
        spans.append((begin + value.dispersion_span[0], begin + value.dispersion_span[1]))
    if parameter.end > parameter.start:
        spans.append((begin + parameter.start, begin + parameter.end))
    return Mention(
        parameter.name,
        value.number,
        unit,
        value.dispersion,
        _dispersion_type(value, parameter, text, part),
        center_type(part, value.start) or (center_type(text, begin) if text else None),
        item.arm,
        state,
        analyte,
        dose,
        parameter.horizon,
        source,
        tuple(spans),
        order,
    )


def _digits(part: str, start: int) -> int:
    match = re.compile(r"\d+(?:\.\d+)?(?:[eE][-+]?\d+)?").match(part, start)
    return match.end() - start if match else 1


def _dispersion_type(value, parameter: Parameter, text: str, part: str) -> str | None:
    if value.dispersion is None:
        return None
    if value.dispersion_kind:
        return value.dispersion_kind
    if isinstance(value.dispersion, str):
        near = part[max(0, part.rfind(".", 0, value.start)) : value.end]
        hint = dispersion_hint(part, "brackets", value.start)
        if hint in ("95% CI", "90% CI", "IQR", "range"):
            return hint
        if re.search(r"95\s?% (?:CI|confidence)", near):
            return "95% CI"
        return "IQR" if re.search(r"\bIQR\b|interquartile", part) else "range"
    style = "plus" if value.style == "plus" else "brackets"
    hint = dispersion_hint(part, style) or dispersion_hint(text, style)
    if hint and hint not in ("range", "IQR", "95% CI", "90% CI"):
        return hint
    if style == "plus":
        return "SD"
    return (
        "SD"
        if re.search(r"\bSDs?\b|S\.D\.|standard deviation", text) and not re.search(r"\bCV", text)
        else None
    )
