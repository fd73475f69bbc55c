"""What the labels of a table cell say: parameter, unit, arm, statistic, food state, analyte."""

from __future__ import annotations

import re

from agmpk.literature.extract.rules.arms import ArmFinder
from agmpk.literature.extract.rules.compound import AnalyteFinder
from agmpk.literature.extract.rules.context import center_type, dispersion_hint, states
from agmpk.literature.extract.rules.parameters import Parameter, find_parameters
from agmpk.literature.extract.rules.values import Value
from agmpk.literature.text.units import Unit, scan_unit

_STAT = re.compile(
    r"(?P<cv>\bG?CV\b\s?\(?%?|coefficients? of variation)|(?P<sd>\bSD\b|\bs\.d\."
    r"|standard deviation|\bStd\.? ?Dev)|(?P<se>\bSEM?\b|standard error)|"
    r"(?P<range>\brange\b|\bmin\w*\s?[-–,]\s?max"
    r"|(?<![(\[,/·*] )(?<![(\[,/·*])\bmin(?:imum)?\b(?!\s?[)\]])|\bmaximum\b)"
    r"|(?P<median>\bmedian\b)|(?P<geo>\bgeometric\b|\bgeo\.? ?mean|\bGM\b|\bGLSM)"
    r"|(?P<mean>\bmeans?\b)",
    re.I,
)


def parameter_of(left: str, top: str) -> tuple[Parameter | None, str]:
    for label in (left, top):
        if re.search(r"\b(?:ln|log)\b|\bln(?=[A-Z])|\blog(?=[A-Z])", label):
            continue
        found = [p for p in find_parameters(label)]
        if found:
            return found[0], label
    return None, ""


def unit_of(value: Value, parameter: Parameter, left: str, top: str, caption: str) -> Unit | None:
    if value.unit is not None and value.unit.kind == parameter.kind:
        return value.unit
    for label in (left, top, caption):
        spans = name_spans(label)
        for match in re.finditer(r"[(\[,;|]\s?|^\s?|\s", label):
            if any(a <= match.end() < b for a, b in spans):
                continue
            found = scan_unit(label, match.end())
            if found and found[1].kind == parameter.kind:
                return found[1]
    return None


def arm_of(left: str, top: str, section: str, caption: str, arms: ArmFinder) -> str | None:
    for label in (left, top, section, caption):
        found = {a.label for a in arms.find(label)}
        if len(found) == 1:
            return next(iter(found))
    return None


def statistic_of(
    left: str, top: str, parameter_label: str, caption: str
) -> tuple[str | None, str | None]:
    """Whether the cell itself is a spread (`SD`, `CV%`, `range`) or a center, and the kind of
    center."""
    center = None
    for label in (left, top):
        kinds = [m.lastgroup for m in _STAT.finditer(_without_names(label))]
        if not kinds:
            continue
        centers = [k for k in kinds if k in ("mean", "median", "geo")]
        if centers:
            center = {"mean": "mean", "median": "median", "geo": "geometric mean"}[
                "geo" if "geo" in centers else centers[0]
            ]
            continue
        spreads = [k for k in kinds if k in ("sd", "cv", "se", "range")]
        if spreads:
            return {"sd": "SD", "cv": "CV%", "se": "SEM", "range": "range"}[spreads[0]], None
    return None, center or center_type(caption, len(caption))


def _without_names(label: str) -> str:
    for parameter in reversed(find_parameters(label)):
        label = (
            label[: parameter.start]
            + " " * (parameter.end - parameter.start)
            + label[parameter.end :]
        )
    return label


def dispersion_type_of(
    value: Value, parameter: Parameter, label: str, caption: str, notes: str
) -> str:
    if value.dispersion_kind:
        return value.dispersion_kind
    hint_text = f"{label} . {caption} . {notes}"
    if isinstance(value.dispersion, str):
        if re.search(r"IQR|interquartile", label) or (
            re.search(r"IQR|interquartile", hint_text) and parameter.name == "tmax"
        ):
            return "IQR"
        return "95% CI" if re.search(r"95\s?% CI", label) else "range"
    style = "plus" if value.style == "plus" else "brackets"
    hint = dispersion_hint(label, style) or dispersion_hint(hint_text, style)
    if hint in ("SD", "CV%", "SEM"):
        return hint
    if (
        style == "brackets"
        and re.search(r"\bCVs?%?", hint_text)
        and not re.search(r"\bSDs?\b", hint_text)
    ):
        return "CV%"
    return "SD"


def state_of(label: str) -> str | None:
    found = {s for _, s in states(label)}
    return next(iter(found)) if len(found) == 1 else None


def analyte_of(labels: tuple[str, ...], analytes: AnalyteFinder) -> str:
    for label in labels:
        found = list(dict.fromkeys(a for _, _, a in analytes.find(_without_names(label))))
        if len(found) == 1:
            return found[0]
        if found and "" in found:
            return ""
    return ""


def name_spans(text: str) -> list[tuple[int, int]]:
    return [(p.start, p.end) for p in find_parameters(text)]
