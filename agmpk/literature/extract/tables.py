"""Values out of tables: what the labels of row, column and caption say, they say of the cell."""

from __future__ import annotations

import re
from dataclasses import replace

from agmpk.literature.document import Table
from agmpk.literature.extract.products import Products
from agmpk.literature.extract.prose import Reading
from agmpk.literature.extract.tokens import KINDS, find_names, find_values
from agmpk.literature.text import normalize
from agmpk.literature.units import Unit, scan_unit

_SKIP = re.compile(
    r"\bratios?\b|\bCI\b|confidence|\bp[- ]?values?\b|^\s?p\s?$|within-?subject|intra-?subject"
    r"|\bpower\b"
    r"|\bGMR\b|point estimate|\blower\b|\bupper\b|\bT/R\b|differ|\bANOVA\b|ISCV"
    r"|test/reference|A/B\b|\b(?:ln|log)\b",
    re.I,
)
_SPREAD = re.compile(
    r"(?P<SD>\bSD\b|\bs\.d\.|standard deviation)|(?P<CV>CV\b|coefficient of variation)"
    r"|(?P<SEM>\bSEM?\b|standard error)"
    r"|(?P<range>\brange\b|\bmin\w*\s?[-–,]\s?max|\bminimum\b|\bmaximum\b)",
    re.I,
)
_CENTER = re.compile(r"(?P<median>\bmedian\b)|(?P<geo>geometric|\bGM\b)|(?P<mean>\bmeans?\b)", re.I)
_POWER = re.compile(r"[×x*]\s?10(?:\^|-|\d|\b)|\b10\^")


def read_table(table: Table, source: str, products: Products, analytes) -> list[Reading]:
    """The readings of one table; positions refer to `table.text()`, which is not normalized."""
    grid = [[normalize(c).text for c in row] for row in (*table.header, *table.rows)]
    if len(grid) < 2:
        return []
    caption = normalize(f"{table.label} {table.caption}").text
    notes = normalize(" ".join(table.footnotes)).text
    heads = max(len(table.header), 1)
    heads += all(scan_unit(c) for c in grid[heads][1:] if c.strip()) if len(grid) > heads + 1 else 0
    result: list[Reading] = []
    spreads: dict[tuple, tuple[float, str]] = {}
    section = ""
    for r in range(heads, len(grid)):
        row = grid[r]
        if len({c for c in row if c.strip()}) == 1 and not re.search(r"\d\s?[±(]|^\d", row[0]):
            section = row[0]
            continue
        if re.match(
            r"\s*(?:subject|volunteer|no\.?|id)\b", grid[heads - 1][0], re.I
        ) and re.fullmatch(r"\s*\w?\d+\s*", row[0]):
            continue  # the values of one subject
        width = 1 + (len(row) > 2 and bool(row[1].strip()) and not re.search(r"\d", row[1]))
        left = " ; ".join(dict.fromkeys(row[:width]))
        for c in range(width, len(row)):
            top = " ; ".join(dict.fromkeys(grid[h][c] for h in range(heads)))
            read = _read_cell(row[c], left, top, section, caption, notes, products, analytes)
            if read is None:
                continue
            reading, spread = read
            key = (reading.name, reading.arm, reading.group, reading.horizon)
            if spread:
                spreads.setdefault(key, (reading.value.number, spread))
                continue
            normal, at = normalize((*table.header, *table.rows)[r][c]), table.offset(r, c)
            a, b = normal.span(reading.start, reading.stop)
            result.append(replace(reading, source=source, start=at + a, stop=at + b))
    return [_with_spread(r, spreads.get((r.name, r.arm, r.group, r.horizon))) for r in result]


def _with_spread(reading: Reading, spread: tuple[float, str] | None) -> Reading:
    if spread is None or reading.value.dispersion is not None:
        return reading
    value = replace(reading.value, dispersion=spread[0], dispersion_type=spread[1])
    return replace(reading, value=value)


def _read_cell(
    cell, left, top, section, caption, notes, products, analytes
) -> tuple[Reading, str] | None:
    """The reading of a cell, and the kind of spread it is (empty for a central value)."""
    if not re.match(r"[\s(]*\d", cell) or _SKIP.search(f"{left} ; {top}"):
        return None
    named = [(n, label) for label in (left, top) for n in find_names(label) if n.name != "poison"][
        :1
    ]
    if not named or named[0][0].name not in ("cmax", "tmax", "auc0_t", "auc0_inf"):
        return None
    name, label = named[0]
    if _POWER.search(f"{left} {top} {caption}"):
        return None  # `(×10³ ng/mL)`: what the factor belongs to is not clear
    announced = f"{label} {left} {top} ({caption}) {notes}"
    values = find_values(cell, [], announced)
    if not values or values[0].void:
        return None
    value = values[0]
    unit = value.unit or _unit(KINDS[name.name], left, top, caption)
    if unit is None or unit.kind != KINDS[name.name]:
        return None
    arms = next(
        (
            a
            for t in (left, top, section, caption)
            if (a := {x for m in products.find(t) for x in m.arms})
        ),
        set(),
    )
    arm = next(iter(arms)) if len(arms) == 1 else None
    stats = [
        m for m in _SPREAD.finditer(f"{left} ; {top}".replace(label[name.start : name.end], " "))
    ]
    centers = [m.lastgroup for t in (left, top, caption) for m in _CENTER.finditer(t)]
    spread = (
        ""
        if centers or not stats
        else {"CV": "CV%"}.get(stats[0].lastgroup or "", stats[0].lastgroup or "")
    )
    if spread == "range":
        return None
    center = {"geo": "geometric mean", None: None}.get(
        centers[0] if centers else None, centers[0] if centers else None
    )
    context = f"{section} ; {left} ; {top}"
    states = {
        "fed" if re.match("fed|high", m, re.I) else "fasted"
        for m in re.findall(r"\b(?:fast\w*|fed|high-fat)\b", context, re.I)
    }
    named_analytes = [a for t in (left, top, section, caption) for _, a in analytes.find(t)]
    group = (
        named_analytes[0] if named_analytes else "",
        next(iter(states)) if len(states) == 1 else "",
        False,
    )
    horizon = label[name.start : name.end] if name.name == "auc0_t" else ""
    value = replace(value, unit=unit)
    reading = Reading(
        name.name,
        value,
        arm,
        "label" if arm else "unsaid",
        "",
        value.start,
        value.stop,
        horizon,
        center,
        group,
    )
    return reading, spread


def _unit(kind: str, *labels: str) -> Unit | None:
    for label in labels:
        for match in re.finditer(r"[(\[,;|]\s?|^\s?|\s", label):
            found = scan_unit(label, match.end())
            if found and found[1].kind == kind:
                return found[1]
    return None
