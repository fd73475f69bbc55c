"""Values out of tables: a cell is read as the sentence that its labels and it would make."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from agmpk.literature.document import Table
from agmpk.literature.extract.prose import Reader, Reading
from agmpk.literature.extract.tokens import any_of, find_names
from agmpk.literature.schema import center_type, dispersion_type
from agmpk.literature.text import normalize
from agmpk.literature.units import scan_unit

_SKIP = re.compile(any_of("skip"), re.I)
_SPREAD = re.compile(
    r"\bSD\b|\bs\.d\.|standard deviation|CV\b|coefficient of variation|\bSEM?\b|standard error"
    r"|\brange\b|\bmin\w*\s?[-–,]\s?max|\bminimum\b|\bmaximum\b",
    re.I,
)
_POWER = re.compile(r"[×x*]\s?10(?:\^|-|\d|\b)|\b10\^")  # what the factor belongs to is not clear
_CHANGED = re.compile(
    r"\bANOVA\b|\b(?:ln|log)\b|transformed|analysis of variance|\bdifferences?\b", re.I
)
_ONE_SUBJECT = re.compile(r"\s*(?:subject|volunteer|no\.?|id)\b", re.I)


def read_table(table: Table, source: str, new_reader: Callable[[], Reader]) -> list[Reading]:
    """The readings of one table; positions refer to `table.text()`, which is not normalized."""
    about = normalize(f"{table.label} {table.caption}").text
    if _POWER.search(about) or _CHANGED.search(about):
        return []
    for name in reversed(find_names(about)):  # of all cells: none of them is this one's
        about = about[: name.start] + about[name.end :]
    untouched = (*table.header, *table.rows)
    grid = [[normalize(c).text for c in row] for row in untouched]
    heads = max(len(table.header), 1)
    if len(grid) > heads + 1:  # a row of units below the headings
        units = [scan_unit(c) for c in grid[heads][1:] if c.strip()]
        heads += bool(units) and all(units)
    result: list[Reading] = []
    spreads: dict[tuple, tuple[float, str]] = {}
    section = ""
    for r, row in enumerate(grid[heads:], start=heads):
        if len({c for c in row if c.strip()}) == 1 and not re.search(r"\d\s?[±(]|^\d", row[0]):
            section = row[0]
            continue
        if _ONE_SUBJECT.match(grid[heads - 1][0]) and re.fullmatch(r"\s*\w?\d+\s*", row[0]):
            continue
        width = 1 + (len(row) > 2 and bool(row[1].strip()) and not re.search(r"\d", row[1]))
        for c in range(width, len(row)):
            above = [grid[h][c] for h in range(heads)]
            labels = " ; ".join(dict.fromkeys([section, *row[:width], *above]))
            if not re.match(r"[\s(]*\d", row[c]) or _SKIP.search(labels) or _POWER.search(labels):
                continue
            text = f"{about} ; {labels} : {row[c]}"
            start, whole = len(text) - len(row[c]), f"{text} {' '.join(table.footnotes)}"
            spread = not center_type(labels) and _SPREAD.search(labels)
            for read in new_reader().read_sentence(text, whole, start)[:1]:
                key = (read.name, read.arm)
                if spread and read.value.dispersion is None:
                    kind = dispersion_type(spread.group())
                    spreads.setdefault(key, (read.value.number, kind))
                    continue
                cell = normalize(untouched[r][c])
                a, b = cell.span(read.start - start, read.stop - start)
                at = table.offset(r, c)
                result.append(replace(read, source=source, start=at + a, stop=at + b))
    for i, read in enumerate(result):
        number, kind = spreads.get((read.name, read.arm), (None, None))
        if read.value.dispersion is None and kind not in (None, "range"):
            value = replace(read.value, dispersion=number, dispersion_type=kind)
            result[i] = replace(read, value=value)
    return result
