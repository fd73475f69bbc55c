"""From bytes to rows of text: encodings, comments, header, separator, field counts, faults."""

from __future__ import annotations

import csv
import os
import re
import shlex
import stat
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agmpk.errors import TableError
from agmpk.studies.units import NUMBER, is_missing

UNITS_LINE = "# agmpk units:"
SETTINGS = ("time", "concentration", "dose", "compound", "lloq")
HEADER_REMEDY = "begin with a header that names at least ID, TIME, DV, AMT"

MAX_BYTES = 500_000_000
"""Larger files are refused: about ten million rows."""

_SAVE_AS = "save it as CSV in UTF-8"
_TABLE_LINE = re.compile(r"\s*TABLE NO\.?\s*(\d+)", re.IGNORECASE)
_SEARCHED = 1000  # lines in which the header is looked for


@dataclass(frozen=True, order=True)
class Fault:
    """What is wrong in one place. ``row`` is the file's line number as an editor shows it (0: the
    file as a whole); ``problem`` and ``remedy`` are halves of one sentence."""

    row: int
    column: str
    problem: str
    remedy: str

    def sentence(self, path: str) -> str:
        """Return the sentence for a reader who has the file open."""
        row, column = f", row {self.row}", f", column {self.column}"
        place = path + (row if self.row else "") + (column if self.column else "")
        return printable(f"{place}: {self.problem}; {self.remedy}.")


def refuse(path: str, faults: Iterable[Fault]) -> None:
    """Raise TableError with all faults in the order of the file, if there are any."""
    if found := sorted(set(faults)):
        places = [(one.row, one.column, one.problem, one.remedy) for one in found]
        raise TableError([one.sentence(path) for one in found], places)


def printable(text: str) -> str:
    """Return ``text`` with control characters written as \\x1b, so that no terminal obeys them."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Cells(NamedTuple):
    """A column of N records: which text (without blanks around) stands in which of them."""

    codes: NDArray[np.int64]
    texts: list[str]

    @classmethod
    def of(cls, cells: Sequence[str]) -> Cells:
        """A column whose equal cells are looked at once."""
        index = {one: code for code, one in enumerate(dict.fromkeys(cells))}
        codes = np.fromiter(map(index.__getitem__, cells), np.int64, len(cells))
        return cls(codes, [one.strip() for one in index])

    def pick(self, chosen: NDArray) -> Cells:
        """The same of some records: a mask bool[N], or their places."""
        return Cells(self.codes[chosen], self.texts)

    def text(self, n: int) -> str:
        """The cell of record ``n``, for a sentence."""
        return textwrap.shorten(self.texts[self.codes[n]], 40, placeholder="...")

    def which(self, test: Callable[[str], bool]) -> NDArray[np.bool_]:
        """Which records have a cell of that kind, bool[N]."""
        return np.array([test(text) for text in self.texts], bool)[self.codes]

    def known(self) -> NDArray[np.object_]:
        """The texts of all records, '' where they mean 'no value'."""
        texts = ["" if is_missing(text) else text for text in self.texts]
        return np.array(texts, object)[self.codes]


@dataclass
class Layout:
    """A table as rows of text.

    Attributes:
        path: as given, for messages.
        header: names of the columns as written, without quotes; '.' for a first one without a name.
        header_row: line number of the header.
        nonmem: whether NONMEM wrote the table (a ``TABLE NO.`` line).
        decimal_comma: whether 1,5 may mean 1.5 (the separator is not a comma).
        rows: one list of fields a record, not yet stripped; each as long as ``header``.
        lines: the file's line number of each row.
        blocks: number of the ``TABLE NO.`` block of each row; empty when there is only one.
        commented: (line number, fields) of comments that have as many fields as a record.
        settings: of the units line, by name; ``settings_row`` is its line number, or 0.
        notes: what was left out, for the reader.
    """

    path: str
    header: list[str]
    header_row: int
    nonmem: bool
    decimal_comma: bool
    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    blocks: list[int] = field(default_factory=list)
    commented: list[tuple[int, list[str]]] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    settings_row: int = 0
    notes: list[str] = field(default_factory=list)

    def column(self, place: int) -> Cells:
        """Return one column."""
        return Cells.of([row[place] for row in self.rows])


def read_layout(path: str | os.PathLike[str], wanted: Sequence[str]) -> Layout:
    """Read a delimited text file as rows of text; linear in its size.

    Args:
        path: the file.
        wanted: names by which the header is recognized.

    Raises:
        TableError: not a text file, empty, too large, no header, or a row with too many or too few
            fields.
    """
    name = str(path)
    lines = _read_lines(path)
    header_row, nonmem = _find_header(name, lines, {one.upper() for one in wanted})
    header_line = lines[header_row - 1].lstrip().lstrip("#@").lstrip()
    separator = _separator(header_line)
    header = [_unquoted(one) for one in _fields(header_line, separator)]
    full = len(header)
    while header and not header[-1]:
        header.pop()
    named = {one.upper() for one in header} & {"ID", "TIME", "DV", "AMT", *wanted}
    if not named and any(NUMBER.fullmatch(one) or one == "." for one in header):
        refuse(name, [Fault(header_row, "", "the file has no header line", HEADER_REMEDY)])
    table = Layout(name, header, header_row, nonmem, decimal_comma=separator in (";", "\t"))
    _take_settings(table, lines)
    if _take_rows(table, lines, separator):
        _fit_rows(table, full, separator)
    if header and not header[0]:
        header[0] = "."
        table.notes.append("the first column has no name (row names?) and is not used")
    if "" in header:
        problem = f"field {header.index('') + 1} of the header is empty"
        refuse(name, [Fault(header_row, "", problem, "name the column")])
    return table


# ------------------------------------------------------------------------------------------ lines


def _read_lines(path: str | os.PathLike[str]) -> list[str]:
    """Return the lines of a UTF-8 text file, without line ends and byte-order mark."""
    wrong = ""
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            wrong = "this is a folder; name a file in it."
        elif not stat.S_ISREG(status.st_mode):
            wrong = "this is a device or a pipe; save the table to a file."
        elif status.st_size > MAX_BYTES:
            wrong = f"the file has {status.st_size:,} bytes, more than {MAX_BYTES:,}; split it."
        else:
            content = Path(path).read_bytes()
    except FileNotFoundError:
        wrong = "there is no such file; check the path."
    except OSError as error:
        wrong = f"the file cannot be opened ({error.strerror}); check its permissions."
    except ValueError as error:
        wrong = f"this is no path ({error}); check it."
    name = printable(str(path))
    if wrong:
        raise TableError([f"{name}: {wrong}"])
    refuse(name, _not_text(content))
    text = content.decode("utf-8-sig")
    # Only what editors count as line ends; str.splitlines knows a dozen more.
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _not_text(content: bytes) -> list[Fault]:
    start = content[:400]  # every other byte of western text in UTF-16 is zero
    utf16 = len(start) >= 4 and {0} in (set(start[::2]), set(start[1::2]))
    if utf16 or content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return [Fault(0, "", "the file is encoded as UTF-16", _SAVE_AS)]
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return [Fault(0, "", "this is a workbook or an archive, not a text file", _SAVE_AS)]
    if b"\0" in content:
        return [Fault(0, "", "this is not a text file", "export the table as CSV in UTF-8")]
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        row = len(re.findall(rb"\r\n|\n|\r", content[: error.start])) + 1
        problem = f"the byte 0x{content[error.start]:02X} is not UTF-8 text"
        return [Fault(row, "", problem, _SAVE_AS)]
    return []


# ----------------------------------------------------------------------------------------- header


def _find_header(name: str, lines: list[str], wanted: set[str]) -> tuple[int, bool]:
    """The line number of the header, and whether a ``TABLE NO.`` line stands before it.

    It is the first line that holds the wanted names (one that is no comment, if possible), else
    the first that is no comment.
    """
    plain, comments, nonmem = [], [], False
    for number, line in enumerate(lines, start=1):
        if _TABLE_LINE.match(line):
            nonmem = True
        elif line.strip():
            (comments if line.lstrip()[0] in "#@" else plain).append(number)
            if len(plain) + len(comments) >= _SEARCHED:
                break
    if not plain and not comments:
        refuse(name, [Fault(0, "", "the file is empty", HEADER_REMEDY)])
    for number in plain + comments:
        bare = lines[number - 1].lstrip().lstrip("#@").lstrip()
        if not NUMBER.match(bare):
            names = {_unquoted(one).upper() for one in _fields(bare, _separator(bare))}
            if wanted <= names | ({"ID"} if "CID" in names else set()):
                return number, nonmem
    return (plain or comments)[0], nonmem


def _separator(header: str) -> str | None:
    """The separator of the header line; None means blanks."""
    for separator in (";", ",", "\t"):
        if separator in header:
            names = [one.strip() for one in header.rstrip().split(separator)]
            if separator != "\t" or all(names) and not any(" " in one for one in names):
                return separator
    return None


def _fields(line: str, separator: str | None) -> list[str]:
    if '"' not in line:
        return line.split(separator)
    text = line if separator else " ".join(line.split())
    reader = csv.reader([text], delimiter=separator or " ", skipinitialspace=separator != "\t")
    try:
        return next(reader)
    except (csv.Error, StopIteration):  # a field beyond csv's own limit of 131,072 characters
        return line.split(separator)


def _unquoted(text: str) -> str:
    return text.strip().strip("\"'").strip()


def _take_settings(table: Layout, lines: list[str]) -> None:
    """Take the units line before the header, if there is one."""
    for number, line in enumerate(lines[: table.header_row - 1], start=1):
        if not line.lower().startswith(UNITS_LINE):
            continue
        if table.settings_row:
            refuse(table.path, [Fault(number, "", "this is a second units line", "remove one")])
        try:
            try:
                words = shlex.split(line[len(UNITS_LINE) :])
            except ValueError:  # an open quotation mark
                raise ValueError("is not understood") from None
            table.settings = parse_settings(words)
        except ValueError as error:
            example = f"write it like {UNITS_LINE[2:]} time=h concentration=ng/mL dose=mg"
            refuse(table.path, [Fault(number, "", f"the units line {error}", example)])
        table.settings_row = number


def parse_settings(words: Iterable[str]) -> dict[str, str]:
    """Return the entries of words like ``time=h``.

    Raises:
        ValueError: a word is no pair, unknown, or there twice; the text goes on "the units line".
    """
    settings: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        key = key.strip().lower()
        if not equals:
            raise ValueError("is not understood")
        if key not in SETTINGS:
            raise ValueError(f"has the unknown entry {key!r}")
        if key in settings:
            raise ValueError(f"gives {key} twice")
        settings[key] = value
    return settings


# ------------------------------------------------------------------------------------------- rows


def _take_rows(table: Layout, lines: list[str], separator: str | None) -> bool:
    """Collect the records after the header; return whether some have another length than it."""
    names, width = [one.upper() for one in table.header], len(table.header)
    # Lines that begin with anything else, hold no quotes and fit are records without further ado.
    first = names[0][:1] if names else ""
    special = {*"#@CcTt\"' \t", first, first.lower()}
    marks_ids = names[:1] == ["CID"]
    count, block, blocks = Counter[str](), 1, []
    for number, line in enumerate(lines[table.header_row :], start=table.header_row + 1):
        kind, fields = "record", line.split(separator)
        usual = line and line[0] not in special and '"' not in line
        if not (usual and len(fields) == width and fields[0]):
            kind, fields = _kind(line, separator, names)
            count[kind] += 1
        if kind == "record":
            table.rows.append(fields)
            table.lines.append(number)
            blocks.append(block)
        elif kind == "title":
            block = int(_TABLE_LINE.match(line)[1])
        elif kind == "comment" or (kind == "marked" and marks_ids and len(fields) == width):
            table.commented.append((number, fields))
    if count["marked"]:
        table.notes.append(f"{count['marked']} row(s) marked by C are comments and not used")
    if count["header"]:
        table.notes.append(f"the header stands {count['header']} more time(s) between the rows")
    if len(set(blocks)) > 1:
        table.blocks = blocks
    return any(len(row) != width for row in table.rows)


def _kind(line: str, separator: str | None, names: list[str]) -> tuple[str, list[str]]:
    """What a line is, and its fields: the "title" of a block, a "comment" that could be a record, a
    row "marked" as one by C, the "header" again, a "record", or "" for what says nothing."""
    start, width = line.lstrip()[:1], len(names)
    if not start:
        return "", []
    if start in "#@":
        bare = _fields(line.lstrip().lstrip("#@"), separator)
        like = len(bare) == width and [_unquoted(one).upper() for one in bare] != names
        return "comment" if like else "", _fields(line.lstrip(), separator)
    fields = _fields(line, separator)
    if _TABLE_LINE.match(line):
        return "title", fields
    if start in "Cc" and _is_commented(fields, names[0] if names else "", width):
        return "marked", fields
    while len(fields) > width and not fields[-1].strip():
        fields.pop()
    if not any(one.strip() for one in fields) and (separator or len(fields) == width):
        return "", fields  # a spreadsheet's empty row
    again = [_unquoted(one).upper() for one in fields] == names
    return "header" if again else "record", fields


def _is_commented(fields: list[str], first_name: str, width: int) -> bool:
    """Whether a row is marked by C: in a column C, before its ID (CID), or before its fields."""
    first = fields[0].strip()
    if first_name in ("C", "CID"):
        # NONMEM's habit of IGNORE=C: the header CID is skipped by its own C.
        return (first if first_name == "C" else first[:1]).upper() == "C"
    alone = first == "C" and (len(fields) < width or len(fields) == width + 1)
    return alone or (first.startswith("C ") and len(fields) == 1)


def _fit_rows(table: Layout, full: int, separator: str | None) -> None:
    """Bring rows of another length than the header into line, or refuse them."""
    width = len(table.header)
    if set(map(len, table.rows)) == {width + 1} and full == width:
        firsts = [row[0].strip() for row in table.rows]
        if len(set(firsts)) == len(firsts) and all(firsts):
            table.rows = [row[1:] for row in table.rows]
            table.notes.append("the rows begin with row names, which are not used")
            return
    if any(width < len(row) <= full for row in table.rows):
        table.rows = [row[:width] if len(row) <= full else row for row in table.rows]
        table.notes.append(f"{full - width} column(s) without a name at the end are not used")
    extra = "remove the extra fields, or R's row names (row.names=FALSE)"
    if separator == ",":
        extra = (
            "remove the extra commas; if commas are decimal marks, write points instead; if the "
            "rows begin with row names, write the table without them (R: row.names=FALSE)"
        )
    faults = []
    for number, row in zip(table.lines, table.rows, strict=True):
        if len(row) != width:
            problem = f"the row has {len(row)} fields where the header has {width}"
            remedy = "write . for a missing value" if len(row) < width else extra
            faults.append(Fault(number, "", problem, remedy))
    refuse(table.path, faults)
