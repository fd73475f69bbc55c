"""Values out of tables: each cell is read with the labels of its row, its column and the caption.

Which of the labels name the parameter, the arm, the statistic, the food state or the analyte
differs
from table to table, so every layout (parameters down or across, mean and SD in one cell or two) is
read by the same rule: whatever a label says, it says of the cell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from agmpk.literature.document import Table
from agmpk.literature.extract.rules.arms import ArmFinder
from agmpk.literature.extract.rules.compound import AnalyteFinder
from agmpk.literature.extract.rules.context import FASTED, FED, center_type, dispersion_hint, states
from agmpk.literature.extract.rules.mentions import Mention
from agmpk.literature.extract.rules.parameters import Parameter, find_parameters
from agmpk.literature.extract.rules.values import Value, find_values
from agmpk.literature.text import normalize
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
_SKIP = re.compile(
    r"\bratios?\b|\bCI\b|confidence|\bp[- ]?values?\b|^\s?p\s?$|within-?subject|intra-?subject"
    r"|\bpower\b|\bGMR\b|point estimate|\blower\b|\bupper\b|\bT/R\b|difference|\bANOVA\b|ISCV"
    r"|test/reference|A/B\b",
    re.I,
)
_SUBJECT = re.compile(r"^\s*(?:subject|volunteer|patient|no\.?|id)\b", re.I)


@dataclass(frozen=True)
class _Cell:
    row: int
    column: int
    text: str
    labels: str


def table_mentions(
    table: Table, source: str, arms: ArmFinder, analytes: AnalyteFinder, start_order: int
) -> list[Mention]:
    """The mentions of one table; positions refer to `table.text()` (not normalized)."""
    caption = normalize(f"{table.label} {table.caption}").text
    notes = normalize(" ".join(table.footnotes)).text
    grid = [[normalize(c).text for c in row] for row in (*table.header, *table.rows)]
    if not grid or not grid[0] or len(grid) < 2:
        return []
    header_rows = max(len(table.header), 1)
    header_rows += _unit_row(grid, header_rows)
    result: list[Mention] = []
    spread: dict[tuple, tuple[float, str, tuple[int, int]]] = {}
    section = ""
    for r in range(header_rows, len(grid)):
        row = grid[r]
        filled = {c for c in row if c.strip()}
        if len(filled) == 1 and not find_values(row[0], _blocked(row[0])):
            section = row[0]
            continue
        label_columns = _label_columns(row, grid[:header_rows])
        left = " ; ".join(dict.fromkeys(row[c] for c in label_columns))
        if _SUBJECT.match(grid[header_rows - 1][0]) and re.fullmatch(r"\s*[A-Z]?\d+\s*", row[0]):
            continue  # the values of one subject
        for c in range(len(row)):
            if c in label_columns or not re.search(r"\d", row[c]):
                continue
            top = " ; ".join(dict.fromkeys(grid[h][c] for h in range(header_rows)))
            cell = _Cell(r, c, row[c], f"{left} ;; {top} ;; {section}")
            item = _read(
                cell,
                left,
                top,
                section,
                caption,
                notes,
                table,
                source,
                arms,
                analytes,
                start_order + len(result),
            )
            if item is None:
                continue
            mention, role = item
            key = (mention.name, mention.arm, mention.state, mention.analyte, mention.horizon)
            if role in ("SD", "CV%", "SEM"):
                if key not in spread or (role == "SD" and spread[key][1] != "SD"):
                    spread[key] = (mention.number, role, mention.spans[0])
            else:
                result.append(mention)
    return [_with_spread(m, spread) for m in result]


def _with_spread(mention: Mention, spread) -> Mention:
    key = (mention.name, mention.arm, mention.state, mention.analyte, mention.horizon)
    if mention.dispersion is not None or key not in spread:
        return mention
    value, kind, span = spread[key]
    return replace(mention, dispersion=value, dispersion_type=kind, spans=(*mention.spans, span))


def _blocked(text: str) -> list[tuple[int, int]]:
    return [(p.start, p.end) for p in find_parameters(text)]


def _unit_row(grid: list[list[str]], start: int) -> int:
    """1 where the first row after the header holds units only (`mg/L | h | mg·h/L`)."""
    if start >= len(grid):
        return 0
    cells = [c for c in grid[start][1:] if c.strip()]
    good = [c for c in cells if (u := scan_unit(c)) and u[0] >= len(c.rstrip(" )]"))]
    return 1 if cells and len(good) == len(cells) else 0


def _label_columns(row: list[str], header: list[list[str]]) -> list[int]:
    columns = [0]
    for c in range(1, len(row) - 1):
        heading = " ".join(h[c] for h in header)
        numeric = re.match(r"\s*[<>~]?\d", row[c])
        if c == columns[-1] + 1 and (
            re.search(
                r"\bunits?\b|statistic|formulation|product|treatment|parameter|analyte|condition",
                heading,
                re.I,
            )
            and not find_parameters(heading)
            and not numeric
            or (not numeric and row[c].strip() and row[c] == row[0])
        ):
            columns.append(c)
    return columns


def _read(cell, left, top, section, caption, notes, table, source, arms, analytes, order):
    if _SKIP.search(left) or _SKIP.search(top):
        return None
    parameter, where = _parameter(left, top)
    if parameter is None or not parameter.kind or parameter.name == "auc":
        return None
    values = [v for v in find_values(cell.text, []) if v.style != "interval"]
    if not values:
        return None
    value = values[0]
    if value.start > 3:
        return None
    unit = _unit(value, parameter, left, top, caption)
    if unit is None or unit.kind != parameter.kind:
        return None
    arm = _arm(left, top, section, caption, arms)
    role, center = _statistic(left, top, where, caption)
    if role in ("range",):
        return None
    context = f"{section} {left} {top}"
    state = _state(context) or _state(caption)
    analyte = _analyte((left, top, section, caption), analytes)
    begin = table.offset(cell.row, cell.column)
    raw = (*table.header, *table.rows)[cell.row][cell.column]
    normal = normalize(raw)
    spans = [
        _raw(
            normal,
            begin,
            value.start,
            value.start + len(re.match(r"[\d.]+", cell.text[value.start :]).group()),
        )
    ]
    kind = None
    if value.dispersion is not None and role is None:
        kind = _dispersion_type(value, parameter, f"{left} {top}", caption, notes)
        if value.dispersion_span:
            spans.append(_raw(normal, begin, *value.dispersion_span))
    mention = Mention(
        parameter.name,
        value.number,
        unit,
        value.dispersion if role is None else None,
        kind,
        center,
        arm,
        state,
        analyte,
        None,
        parameter.horizon,
        source,
        tuple(spans),
        order,
        rank=0,
    )
    return mention, role


def _raw(normal, begin: int, start: int, stop: int) -> tuple[int, int]:
    a, b = normal.span(start, stop)
    return begin + a, begin + b


def _parameter(left: str, top: str) -> tuple[Parameter | None, str]:
    for label in (left, top):
        if re.search(r"\b(?:ln|log)\b|\bln(?=[A-Z])|\blog(?=[A-Z])", label):
            continue
        found = [p for p in find_parameters(label)]
        if found:
            return found[0], label
    return None, ""


def _unit(value: Value, parameter: Parameter, left: str, top: str, caption: str) -> Unit | None:
    if value.unit is not None and value.unit.kind == parameter.kind:
        return value.unit
    for label in (left, top, caption):
        spans = _blocked(label)
        for match in re.finditer(r"[(\[,;|]\s?|^\s?|\s", label):
            if any(a <= match.end() < b for a, b in spans):
                continue
            found = scan_unit(label, match.end())
            if found and found[1].kind == parameter.kind:
                return found[1]
    return None


def _arm(left: str, top: str, section: str, caption: str, arms: ArmFinder) -> str | None:
    for label in (left, top, section, caption):
        found = {a.label for a in arms.find(label)}
        if len(found) == 1:
            return next(iter(found))
    return None


def _statistic(
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


def _dispersion_type(
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


def _state(label: str) -> str | None:
    found = {s for _, s in states(label)}
    return next(iter(found)) if len(found) == 1 else None


def _analyte(labels: tuple[str, ...], analytes: AnalyteFinder) -> str:
    for label in labels:
        found = list(dict.fromkeys(a for _, _, a in analytes.find(_without_names(label))))
        if len(found) == 1:
            return found[0]
        if found and "" in found:
            return ""
    return ""


__all__ = ["FASTED", "FED", "table_mentions"]
