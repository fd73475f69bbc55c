"""From lines to a frame of text cells: comments, header, separator, field counts."""

from __future__ import annotations

import csv
import os
import shlex
from dataclasses import dataclass

import pandas as pd

from agmpk.studies.nonmem.columns import NUMBERS, REQUIRED, SYNONYMS
from agmpk.studies.nonmem.faults import Fault, refuse
from agmpk.studies.nonmem.text import read_lines

UNITS_LINE = "# agmpk units:"
SETTINGS = ("time", "concentration", "dose", "compound", "lloq")


@dataclass(frozen=True)
class Table:
    """A table as text.

    Attributes:
        path: as given, for messages.
        cells: one text column per header name (upper case), stripped; the index is the file's
            line number as an editor shows it.
        header_row: line number of the header.
        settings: of the units line, by name.
        settings_row: line number of the units line, 0 without one.
    """

    path: str
    cells: pd.DataFrame
    header_row: int
    settings: dict[str, str]
    settings_row: int


def read_table(path: str | os.PathLike[str]) -> Table:
    """Read a delimited text file as a table of text.

    Raises:
        TableError: not a text file, empty, no header, a required or repeated column, a row with
            too many or too few fields.
    """
    name = str(path)
    lines = {n: line for n, line in enumerate(read_lines(path), start=1) if line.strip()}
    if not lines:
        refuse(name, [Fault(0, "", "the file is empty", _header_remedy())])
    header_row = _find_header(lines)
    header_line = lines[header_row].lstrip().lstrip("#@").lstrip()
    separator = _separator(header_line)
    header = [field.strip('"').upper() for field in _fields(header_line, separator)]
    while header and not header[-1]:
        header.pop()
    refuse(name, _header_faults(header, header_row))

    settings, settings_row = _settings(name, lines, header_row)
    rows, numbers, faults = [], [], []
    for number, line in lines.items():
        if number <= header_row or line.lstrip()[0] in "#@":
            continue
        fields = _fields(line, separator)
        if _is_commented(fields, header):
            continue
        while len(fields) > len(header) and not fields[-1]:
            fields.pop()
        if len(fields) != len(header):
            faults.append(_count_fault(number, fields, header, separator))
        rows.append(fields)
        numbers.append(number)
    refuse(name, faults)
    if not rows:
        refuse(name, [Fault(header_row, "", "no row follows the header", "add the records")])
    cells = pd.DataFrame(rows, columns=header, index=pd.Index(numbers, name="row"), dtype=object)
    return Table(name, cells, header_row, settings, settings_row)


def _find_header(lines: dict[int, str]) -> int:
    """The first line that names ID and TIME (one that is no comment, if possible), else the first
    that is no comment."""
    plain = [n for n, line in lines.items() if line.lstrip()[0] not in "#@"]
    comments = [n for n in lines if n not in set(plain)]
    for number in plain + comments:
        bare = lines[number].lstrip().lstrip("#@").lstrip()
        names = {field.strip('"').upper() for field in _fields(bare, _separator(bare))}
        if {"ID", "TIME"} <= names:
            return number
    return plain[0] if plain else comments[0]


def _separator(header: str) -> str | None:
    """The separator of the header line; None means blanks."""
    for separator in (";", ",", "\t"):
        if separator in header:
            names = [field.strip() for field in header.rstrip().split(separator)]
            if separator != "\t" or all(names) and not any(" " in name for name in names):
                return separator
    return None


def _fields(line: str, separator: str | None) -> list[str]:
    if separator is None:
        return line.split()
    reader = csv.reader([line], delimiter=separator, skipinitialspace=separator != "\t")
    return [field.strip() for field in next(reader)]


def _is_commented(fields: list[str], header: list[str]) -> bool:
    if header[0] == "C":
        return fields[0] == "C"
    if fields[0] == "C" and len(fields) == len(header) + 1:
        return True
    return fields[0].startswith("C ") and len(fields) == 1


def _header_faults(header: list[str], row: int) -> list[Fault]:
    named = any(name in REQUIRED for name in header)
    if not named and any(NUMBERS.fullmatch(name) or name == "." for name in header):
        return [Fault(row, "", "the file has no header line", _header_remedy())]
    faults = [
        Fault(row, name or "?", f"the header names {name or 'nothing'} twice", "remove one of them")
        for name in sorted({name for name in header if name and header.count(name) > 1})
    ]
    if "" in header:
        place = header.index("") + 1
        faults.append(Fault(row, "", f"field {place} of the header is empty", "name the column"))
    for name in REQUIRED:
        if name not in header:
            found = next((other for other in SYNONYMS[name] if other in header), None)
            remedy = f"rename {found} to {name}" if found else f"add it; {_header_remedy()}"
            faults.append(Fault(row, name, "the required column is missing", remedy))
    return faults


def _header_remedy() -> str:
    return f"begin with a header that names at least {', '.join(REQUIRED)}"


def _count_fault(row: int, fields: list[str], header: list[str], separator: str | None) -> Fault:
    problem = f"the row has {len(fields)} fields where the header has {len(header)}"
    if len(fields) < len(header):
        return Fault(row, "", problem, "write . for a missing value")
    if separator == ",":
        remedy = "remove the extra commas; if commas are decimal marks, write points instead"
    else:
        remedy = "remove the extra fields"
    return Fault(row, "", problem, remedy)


def _settings(name: str, lines: dict[int, str], header_row: int) -> tuple[dict[str, str], int]:
    for number, line in lines.items():
        if number >= header_row or not line.lower().startswith(UNITS_LINE):
            continue
        example = f"write it like {UNITS_LINE[2:]} time=h concentration=ng/mL dose=mg"
        try:
            pairs = [word.split("=", 1) for word in shlex.split(line[len(UNITS_LINE) :])]
            settings = {key.lower(): value for key, value in pairs}
        except ValueError:
            refuse(name, [Fault(number, "", "the units line is not understood", example)])
        unknown = [key for key in settings if key not in SETTINGS]
        if unknown:
            problem = f"the units line has the unknown entry {unknown[0]!r}"
            refuse(name, [Fault(number, "", problem, example)])
        return settings, number
    return {}, 0
