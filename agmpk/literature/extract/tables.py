"""Values out of tables: what the labels of row, column and caption say, they say of the cell."""

from __future__ import annotations

import re
from dataclasses import replace

from agmpk.literature.document import Table
from agmpk.literature.extract.design import find_analytes
from agmpk.literature.extract.lexicon import any_of
from agmpk.literature.extract.products import Products
from agmpk.literature.extract.prose import Reading
from agmpk.literature.extract.tokens import KINDS, find_names, find_values
from agmpk.literature.schema import QUANTITIES, center_type, dispersion_type
from agmpk.literature.text import normalize
from agmpk.literature.units import Unit, scan_unit

_SKIP = re.compile(any_of("skip"), re.I)
_SPREAD = re.compile(
    r"\bSD\b|\bs\.d\.|standard deviation|CV\b|coefficient of variation|\bSEM?\b|standard error"
    r"|\brange\b|\bmin\w*\s?[-–,]\s?max|\bminimum\b|\bmaximum\b",
    re.I,
)
_POWER = re.compile(r"[×x*]\s?10(?:\^|-|\d|\b)|\b10\^")
_CHANGED = re.compile(
    r"\bANOVA\b|\b(?:ln|log)\b|transformed|analysis of variance|\bdifferences?\b", re.I
)
_ONE_SUBJECT = re.compile(r"\s*(?:subject|volunteer|no\.?|id)\b", re.I)


def read_table(table: Table, source: str, products: Products, analytes) -> list[Reading]:
    """The readings of one table; positions refer to `table.text()`, which is not normalized."""
    untouched = (*table.header, *table.rows)
    grid = [[normalize(c).text for c in row] for row in untouched]
    around = (normalize(f"{table.label} {table.caption}").text, " ".join(table.footnotes))
    heads = max(len(table.header), 1)
    if len(grid) > heads + 1:  # a row of units below the headings
        units = [scan_unit(c) for c in grid[heads][1:] if c.strip()]
        heads += bool(units) and all(units)
    result: list[Reading] = []
    spreads: dict[tuple, tuple[float, str]] = {}
    section = ""
    for r in range(heads, len(grid)):
        row = grid[r]
        if len({c for c in row if c.strip()}) == 1 and not re.search(r"\d\s?[±(]|^\d", row[0]):
            section = row[0]
            continue
        if _ONE_SUBJECT.match(grid[heads - 1][0]) and re.fullmatch(r"\s*\w?\d+\s*", row[0]):
            continue
        width = 1 + (len(row) > 2 and bool(row[1].strip()) and not re.search(r"\d", row[1]))
        left = " ; ".join(dict.fromkeys(row[:width]))
        for c in range(width, len(row)):
            top = " ; ".join(dict.fromkeys(grid[h][c] for h in range(heads)))
            labels = (left, top, section, around[0])
            read = _read_cell(row[c], labels, around[1], products, analytes)
            if read is None:
                continue
            reading, spread = read
            if spread:
                spreads.setdefault(_key(reading), (reading.value.number, spread))
                continue
            a, b = normalize(untouched[r][c]).span(reading.start, reading.stop)
            at = table.offset(r, c)
            result.append(replace(reading, source=source, start=at + a, stop=at + b))
    for i, reading in enumerate(result):
        spread = spreads.get(_key(reading))
        if spread and reading.value.dispersion is None:
            value = replace(reading.value, dispersion=spread[0], dispersion_type=spread[1])
            result[i] = replace(reading, value=value)
    return result


def _key(reading: Reading) -> tuple:
    return reading.name, reading.arm, reading.group, reading.horizon


def _read_cell(
    cell: str, labels: tuple[str, ...], notes: str, products: Products, analytes
) -> tuple[Reading, str] | None:
    """The reading of a cell, and the kind of spread that it is (empty for a central value).

    `labels` are those of the row, the column, the section and the caption, the nearest first."""
    left, top, section, caption = labels
    if not re.match(r"[\s(]*\d", cell) or _SKIP.search(f"{left} ; {top} ; {section}"):
        return None
    if _POWER.search(" ".join(labels)) or _CHANGED.search(caption):
        return None  # `(×10³ ng/mL)`: what the factor belongs to is not clear
    named = [(n, t) for t in labels[:3] for n in find_names(t) if n.name != "poison"]
    if not named or named[0][0].name not in QUANTITIES:
        return None
    name, label = named[0]
    values = find_values(cell, [], f"{label} {left} {top} ({caption}) {notes}")
    if not values or values[0].void:
        return None
    value = values[0]
    unit = value.unit or _unit(KINDS[name.name], *labels)
    if unit is None or unit.kind != KINDS[name.name]:
        return None
    said = [{arm for mark in products.find(t) for arm in mark.arms} for t in labels]
    if any(len(arms) == 2 for arms in said[:2]):
        return None  # `Test - Reference`
    arms = next(filter(None, said), set())
    arm = arms.pop() if len(arms) == 1 else None
    words = " ; ".join(labels[:3]).replace(label[name.start : name.end], " ")
    center = next(filter(None, map(center_type, (words, caption))), None)
    spread = None if center_type(words) or value.dispersion is not None else _SPREAD.search(words)
    kind = dispersion_type(spread.group()) if spread else ""
    if kind in ("range", None):
        return None
    food = re.findall(r"\b(?:fast\w*|fed|high-fat)\b", f"{section} ; {left} ; {top}", re.I)
    states = {"fasted" if word.lower().startswith("fast") else "fed" for word in food}
    analyte = next((a for t in labels for _, a in find_analytes(t, analytes)), "")
    group = (analyte, states.pop() if len(states) == 1 else "", False)
    horizon = label[name.start : name.end] if name.name == "auc0_t" else ""
    value, how = replace(value, unit=unit), "label" if arm else "unsaid"
    place = ("", value.start, value.stop)
    return Reading(name.name, value, arm, how, *place, horizon, center, group), kind


def _unit(kind: str, *labels: str) -> Unit | None:
    for label in labels:
        for match in re.finditer(r"[(\[,;|]\s?|^\s?|\s", label):
            found = scan_unit(label, match.end())
            if found and found[1].kind == kind:
                return found[1]
    return None
