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
from agmpk.literature.extract.rules.labels import (
    analyte_of,
    arm_of,
    dispersion_type_of,
    name_spans,
    parameter_of,
    state_of,
    statistic_of,
    unit_of,
)
from agmpk.literature.extract.rules.mention import Mention
from agmpk.literature.extract.rules.parameters import find_parameters
from agmpk.literature.extract.rules.values import find_values
from agmpk.literature.text import normalize
from agmpk.literature.text.units import scan_unit

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
        if len(filled) == 1 and not find_values(row[0], name_spans(row[0])):
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
    parameter, where = parameter_of(left, top)
    if parameter is None or not parameter.kind or parameter.name == "auc":
        return None
    values = [v for v in find_values(cell.text, []) if v.style != "interval"]
    if not values:
        return None
    value = values[0]
    if value.start > 3:
        return None
    unit = unit_of(value, parameter, left, top, caption)
    if unit is None or unit.kind != parameter.kind:
        return None
    arm = arm_of(left, top, section, caption, arms)
    role, center = statistic_of(left, top, where, caption)
    if role in ("range",):
        return None
    context = f"{section} {left} {top}"
    state = state_of(context) or state_of(caption)
    analyte = analyte_of((left, top, section, caption), analytes)
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
        kind = dispersion_type_of(value, parameter, f"{left} {top}", caption, notes)
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
