"""Printed values: a number with its dispersion and unit, in any of the usual orders."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from agmpk.literature.text.units import Unit, scan_unit

_NUM = r"\d+(?:\.\d+)?"
_START = re.compile(
    rf"(?<![\w.\-^])(?P<open>[(\[]\s?)?(?P<num>{_NUM})(?![\w]*\d)(?!\s?(?:st|nd|rd|th)\b)"
)
_LABEL = (
    r"(?:(?:mean|arithmetic|geometric|inter-?(?:subject|individual)|between-?subject"
    r"|total)\s)?(?P<label>±|"
    r"g?CV[bw]?\s?%?|%\s?g?CV[bw]?|s\.?\s?d\.?|standard deviation|s\.?e\.?m?\.?|standard error"
    r"|r\.?s\.?d\.?|"
    r"range|min\s?[-,/]\s?max|IQR|interquartile range|(?:9[05]|99)\s?%\s?CI"
    r"|CI(?:\s?9[05]%)?)\s?[,:=]?\s?(?:of\s)?"
)
_PLUS = re.compile(rf"\s?[(\[]?\s?±\s?(?:(?:SD|SE|SEM)\s)?(?P<d>{_NUM})\s?(?P<pct>%)?\s?[)\]]?")
_INSIDE = re.compile(
    rf"\s?[(\[]\s?(?:{_LABEL})?(?P<a>{_NUM})\s?(?P<pa>%)?(?:\s?(?:-|to|,|;|/"
    rf"|and)\s?(?P<b>{_NUM})\s?(?P<pb>%)?)?"
    rf"(?:\s?(?P<label2>g?CV%?|SD))?(?P<unit>[^()\[\]]{{0,14}}?)\s?[)\]]",
    re.I,
)
_BARE_CV = re.compile(
    rf"\s?,\s?(?P<d>{_NUM})\s?%(?=\s?(?:[(\[;,)]|and\b|vs\b))"
)  # `2811 ng/mL, 38.5%`
_AFTER = re.compile(
    rf"\s?,\s?(?:{_LABEL})(?P<a>{_NUM})\s?(?P<pa>%)?(?:\s?(?:-|to)\s?(?P<b>{_NUM}))?", re.I
)
_NOT_A_VALUE_BEFORE = re.compile(
    r"(?:\b[pPrR]2?\s?(?:value)?\s?[<>=≤≥]\s?|[<>≤≥]\s?|\b[nN]\s?=\s?|(?:CV|CI|SD)s?\s?(?:of|=|:"
    r"|were|was)?\s?|"
    r"\b(?:tables?|figs?\.?|day|phase|cyp|by|difference of)\s?)$"
)


@dataclass(frozen=True)
class Value:
    """A printed value at `start:end`; `unit` is None where it stands elsewhere in the sentence.

    `dispersion` is a number, or `low-high` as text; `dispersion_kind` is empty where only the
    context
    can tell (a bare number in brackets).
    """

    number: float
    start: int
    end: int
    unit: Unit | None = None
    unit_span: tuple[int, int] | None = None
    dispersion: float | str | None = None
    dispersion_kind: str = ""
    dispersion_span: tuple[int, int] | None = None
    style: str = ""

    @property
    def kind(self) -> str:
        """Kind of the unit, or empty where the value has none."""
        return self.unit.kind if self.unit else ""


def label_kind(label: str | None) -> str:
    """The schema's name of a printed kind of dispersion (`s.d.` -> `SD`)."""
    text = re.sub(r"[\s.]", "", (label or "").lower())
    if not text:
        return ""
    if "ci" == text[:2] or text.endswith("ci") or text.startswith("ci"):
        return "90% CI" if "90" in text else "95% CI"
    if "cv" in text or text == "rsd":
        return "CV%"
    if text in ("sd", "±", "standarddeviation"):
        return "SD"
    if text in ("se", "sem", "standarderror"):
        return "SEM"
    if text in ("iqr", "interquartilerange"):
        return "IQR"
    return "range"


def _unit_at(text: str, position: int) -> tuple[int, Unit, tuple[int, int]] | None:
    gap = re.compile(r"\s?").match(text, position)
    begin = gap.end() if gap else position
    if text[begin : begin + 1] in ("(", "["):
        inner = scan_unit(text, begin)
        if inner and inner[1].kind != "percent":
            end = inner[0]
            closing = re.compile(r"\s?[)\]]").match(text, end)
            if closing:
                return closing.end(), inner[1], (begin, closing.end())
        return None
    found = scan_unit(text, begin)
    if found is None:
        return None
    return found[0], found[1], (begin, found[0])


def _dispersion(
    text: str, position: int, value_kind: str = ""
) -> tuple[int, float | str, str, tuple[int, int], str] | None:
    match = _PLUS.match(text, position)
    if match:
        kind = "CV%" if match["pct"] else ""
        return match.end(), float(match["d"]), kind, match.span("d"), "plus"
    bare = _BARE_CV.match(text, position)
    if value_kind and bare and re.search(r"\bg?CVs?\b", text[:position]):
        return bare.end(), float(bare["d"]), "CV%", bare.span("d"), "after"
    match = _INSIDE.match(text, position)
    style = "brackets"
    if not match:
        match = _AFTER.match(text, position)
        style = "after"
    if not match:
        return None
    kind = label_kind(match["label"])
    if style == "brackets":
        kind = kind or label_kind(match["label2"])
        rest = match["unit"].strip()
        if rest and scan_unit(rest) is None and not re.fullmatch(r"[a-z*†‡]", rest):
            return None
        inner = scan_unit(rest)[1].kind if rest and scan_unit(rest) else ""
        if inner in ("mass", "mass/weight") or (
            value_kind and inner not in ("", "percent", value_kind)
        ):
            return None  # `52.7 ng·h/mL (49.8 ng/mL)`: the bracket holds another quantity
    if match["b"]:
        if match["pa"] or match["pb"]:
            return None
        value: float | str = f"{match['a']}-{match['b']}"
        if float(match["a"]) > float(match["b"]):
            return None
        return match.end(), value, kind, (match.start("a"), match.end("b")), style
    if match["pa"] and not kind:
        kind = "CV%"
    return match.end(), float(match["a"]), kind, match.span("a"), style


def find_values(text: str, blocked: list[tuple[int, int]]) -> list[Value]:
    """All values in normalized `text` outside the `blocked` spans (names of parameters)."""
    values: list[Value] = []
    position = 0
    while match := _START.search(text, position):
        begin = match.start("num")
        position = match.end()
        inside = next((b for a, b in blocked if a <= begin < b), None)
        if inside is not None:
            position = max(position, inside)
            continue
        if _NOT_A_VALUE_BEFORE.search(
            text[max(0, match.start() - 24) : match.start()].rstrip("(") or ""
        ):
            continue
        if re.compile(r"\s?-\s?[A-Za-z]|\s?(?:of|out of)\s\d").match(text, match.end()):
            continue  # 10-mg, 24-h; 5 of 24 subjects
        value = _read(text, match)
        values.append(value)
        position = max(position, value.end)
    return values


def _read(text: str, match: re.Match[str]) -> Value:
    value = Value(float(match["num"]), match.start("num"), match.end())
    cursor = match.end()
    plain = re.compile(rf"\s?(?:-|to)\s?{_NUM}").match(text, cursor)
    if plain and not match["open"]:
        return replace(value, end=plain.end(), style="interval")
    for _ in range(3):
        if value.unit is None:
            unit = _unit_at(text, cursor)
            if unit:
                value = replace(value, unit=unit[1], unit_span=unit[2], end=unit[0])
                cursor = unit[0]
                continue
        if value.dispersion is None:
            spread = _dispersion(text, cursor, value.kind)
            if spread:
                value = replace(
                    value,
                    dispersion=spread[1],
                    dispersion_kind=spread[2],
                    dispersion_span=spread[3],
                    end=spread[0],
                    style=spread[4],
                )
                cursor = spread[0]
                continue
        closing = re.compile(r"\s?[)\]]").match(text, cursor)
        if match["open"] and closing and value.style in ("plus", ""):
            cursor = closing.end()
            value = replace(value, end=cursor)
    return value
