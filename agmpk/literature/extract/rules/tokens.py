"""One sentence as a sequence of tokens: parameters, values, arms, contrast words."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from agmpk.literature.extract.rules.arms import Arm, ArmFinder
from agmpk.literature.extract.rules.parameters import Parameter, find_parameters
from agmpk.literature.extract.rules.values import Value, find_values
from agmpk.literature.text.units import Unit, scan_unit

_CONTRAST = re.compile(
    r"\b(?:compared (?:with|to)|in comparison (?:with|to)|versus|vs\.?|against|whereas|while|than"
    r"|as opposed to)(?=\W)"
)
_CONNECTOR = re.compile(
    r"(?:\s|[,;/:()\[\]]|\b(?:and|or|vs|versus|against|to|with|for|in|after|following|the|of|a|an"
    r"|compared|respectively|was|were|"
    r"than|while|whereas|from|given|by|mean|at)\b|\.)*",
    re.I,
)
_IMPLICIT_CMAX = re.compile(
    r"\b(?:reached|peaked at|attained|rose to)\s(?:a (?:mean|maximum) of\s)?$"
)
_USELESS = {"mass", "percent", "mass/weight", "mass rate"}


@dataclass(frozen=True)
class Contrast:
    """A word that sets one product against the other."""

    start: int
    end: int


Token = Parameter | Value | Arm | Contrast


@dataclass(frozen=True)
class Sentence:
    """A sentence at `offset` of its source, its tokens in order (positions relative to the
    sentence)."""

    text: str
    offset: int
    tokens: tuple[Token, ...]
    param_units: dict[int, Unit]


def tokenize(text: str, offset: int, arms: ArmFinder) -> Sentence:
    """Find everything in one sentence; units printed once for a list are shared along the list."""
    parameters = find_parameters(text)
    blocked = [(p.start, p.end) for p in parameters]
    values = [v for v in find_values(text, blocked) if v.style != "interval"]
    found_arms = [
        a
        for a in arms.find(text)
        if not any(s <= a.start < e for s, e in blocked)
        and not any(v.start <= a.start < v.end for v in values)
    ]
    units = {i: unit for i, p in enumerate(parameters) if (unit := _unit_after(text, p))}
    values = _late_units(text, values)
    values = _shared_units(text, values, parameters, found_arms)
    stated = any(p.kind for p in parameters)
    kept = [
        v
        for v in values
        if v.kind not in _USELESS and (v.kind or v.dispersion is not None or (stated and units))
    ]
    for value in kept:
        if value.kind == "concentration" and not any(p.start < value.start for p in parameters):
            implicit = _IMPLICIT_CMAX.search(text[: value.start])
            if implicit:
                parameters.append(Parameter("cmax", implicit.start(), implicit.end()))
    contrasts = [Contrast(*m.span()) for m in _CONTRAST.finditer(text)]
    tokens = sorted([*parameters, *kept, *found_arms, *contrasts], key=lambda t: (t.start, -t.end))
    by_position = {p.start: units[i] for i, p in enumerate(parameters) if i in units}
    return Sentence(text, offset, tuple(tokens), by_position)


def _unit_after(text: str, parameter: Parameter) -> Unit | None:
    """The unit in brackets or after a comma behind a parameter's name: `AUC0-24 (ng·h/mL)`."""
    match = re.compile(r"\s?[(\[,]\s?").match(text, parameter.end)
    found = scan_unit(text, match.end()) if match else None
    if (
        found
        and found[1].kind == parameter.kind
        and parameter.kind
        and text[found[0] : found[0] + 2].strip()[:1] in (")", "]", ",", ";", ":", "")
    ):
        return found[1]
    return None


def _late_units(text: str, values: list[Value]) -> list[Value]:
    """`127.8 ± 33.9 (B) ng/ml`: the unit after a bracketed label."""
    result = []
    for value in values:
        label = re.compile(r"\s?\([A-Za-z ]{1,24}\)\s?").match(text, value.end)
        if value.unit is None and label:
            found = scan_unit(text, label.end())
            if found and found[1].kind in ("concentration", "auc", "time"):
                value = replace(value, unit=found[1], unit_span=(label.end(), found[0]))
        result.append(value)
    return result


def _shared_units(
    text: str, values: list[Value], parameters: list[Parameter], arms: list[Arm]
) -> list[Value]:
    result = list(values)
    for i in range(len(result) - 2, -1, -1):
        here, following = result[i], result[i + 1]
        if (
            here.unit is not None
            or following.unit is None
            or following.kind in ("percent", "mass", "mass/weight")
        ):
            continue
        between = text[here.end : following.start]
        for arm in arms:
            if here.end <= arm.start and arm.end <= following.start:
                between = between.replace(text[arm.start : arm.end], " ")
        if any(here.end <= p.start < following.start for p in parameters):
            continue
        if _CONNECTOR.fullmatch(between):
            result[i] = replace(here, unit=following.unit, unit_span=following.unit_span)
    return result
