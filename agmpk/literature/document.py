"""The input of the extraction: a document with title, abstract, body and tables, and JSON lines.

Files are read with errors that name file and line, and written whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agmpk.errors import AgmpkError
from agmpk.files import atomic_path


@dataclass(frozen=True)
class Table:
    """A table as a grid: spanning cells are repeated, so `rows[r][c]` always exists.

    `header` and `rows` hold equally long rows of cell texts (plain text, sub/superscripts inline).
    """

    label: str = ""
    caption: str = ""
    header: tuple[tuple[str, ...], ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    footnotes: tuple[str, ...] = ()

    def text(self) -> str:
        """The table as one text: caption, one line a row with ` | ` between cells, footnotes."""
        lines = [" ".join(part for part in (self.label, self.caption) if part)]
        lines += [" | ".join(row) for row in (*self.header, *self.rows)]
        return "\n".join([*lines, *self.footnotes])

    def offset(self, row: int, column: int) -> int:
        """Where cell (`row`, `column`) starts in `text()`; rows are counted from the first
        header row."""
        grid = (*self.header, *self.rows)
        position = len(" ".join(part for part in (self.label, self.caption) if part)) + 1
        position += sum(len(" | ".join(r)) + 1 for r in grid[:row])
        return position + sum(len(cell) + 3 for cell in grid[row][:column])


@dataclass(frozen=True)
class Document:
    """One article, or as much of it as is known."""

    id: str
    title: str = ""
    abstract: str = ""
    body: str = ""
    tables: tuple[Table, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)

    def sources(self) -> dict[str, str]:
        """Every text a value may be taken from, by the name that evidence uses."""
        texts = {"title": self.title, "abstract": self.abstract, "body": self.body}
        texts.update({f"tables[{i}]": table.text() for i, table in enumerate(self.tables)})
        return {name: text for name, text in texts.items() if text}


def document_from_record(record: Mapping[str, Any], where: str = "input") -> Document:
    """A Document from one JSON line (`id`, `title`, `abstract`, optional `body`, `tables`).

    Raises AgmpkError naming `where` and the key for missing ids and wrong types.
    """
    identifier = record.get("id")
    if isinstance(identifier, bool) or not isinstance(identifier, (str, int)) or identifier == "":
        raise AgmpkError(f"{where}: no 'id'; every document needs one (a string or a number)")
    texts = {}
    for key in ("title", "abstract", "body"):
        value = record.get(key)
        if value is not None and not isinstance(value, str):
            raise AgmpkError(f"{where}: '{key}' must be a string, not {type(value).__name__}")
        texts[key] = value or ""
    tables = record.get("tables") or []
    if not isinstance(tables, list):
        raise AgmpkError(f"{where}: 'tables' must be a list of tables")
    if not any(texts.values()) and not tables:
        raise AgmpkError(f"{where}: document {identifier} has no title, abstract, body or tables")
    meta = {key: record[key] for key in ("pmid", "pmcid", "year") if record.get(key) is not None}
    read = tuple(_table(t, f"{where}: tables[{i}]") for i, t in enumerate(tables))
    return Document(str(identifier), **texts, meta=meta, tables=read)


def _table(record: Any, where: str) -> Table:
    if isinstance(record, list):
        record = {"header": record[:1], "rows": record[1:]}
    if not isinstance(record, Mapping):
        raise AgmpkError(f"{where}: must be an object with 'rows' or a list of rows")
    grids = {}
    for key in ("header", "rows"):
        grid = record.get(key) or []
        if isinstance(grid, list) and grid and not any(isinstance(row, list) for row in grid):
            grid = [grid]  # one row given flat
        if not isinstance(grid, list) or not all(isinstance(row, list) for row in grid):
            raise AgmpkError(f"{where}: '{key}' must be a list of rows")
        grids[key] = [["" if c is None else str(c) for c in row] for row in grid]
    width = max((len(row) for grid in grids.values() for row in grid), default=0)
    header, rows = (
        tuple(tuple(row + [""] * (width - len(row))) for row in grids[key])
        for key in ("header", "rows")
    )
    notes = record.get("footnotes") or ()
    notes = (notes,) if isinstance(notes, str) else notes
    label, caption = (str(record.get(key) or "") for key in ("label", "caption"))
    return Table(label, caption, header, rows, tuple(map(str, notes)))


def document_to_record(document: Document) -> dict[str, Any]:
    """The JSON line of a document: `document_from_record` reads it back."""
    record = {k: v for k, v in asdict(document).items() if v or k in ("id", "title", "abstract")}
    return record | dict(record.pop("meta", {}))


def read_jsonl(path: str | Path) -> list[dict[str, Any]]:
    """The objects of a JSON-lines file, blank lines skipped.

    Raises:
        AgmpkError: a missing file, wrong encoding, or (by number) a line that is no JSON object.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise AgmpkError(f"{path}: no such file; give the path of a JSON-lines file") from error
    except UnicodeDecodeError as error:
        raise AgmpkError(
            f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8"
        ) from error
    except OSError as error:
        raise AgmpkError(f"{path}: cannot be read ({error.strerror})") from error
    records = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise AgmpkError(
                f"{path}, line {number}: not valid JSON ({error}); "
                "each line must hold one JSON object"
            ) from error
        if not isinstance(record, dict):
            raise AgmpkError(
                f"{path}, line {number}: holds a {type(record).__name__}, "
                "but each line must hold one JSON object"
            )
        records.append(record)
    return records


def write_jsonl(records: Iterable[Mapping[str, Any]], path: str | Path) -> None:
    """Write one JSON object a line (UTF-8); nothing is left half-written."""
    with atomic_path(Path(path)) as temporary, open(temporary, "w", encoding="utf-8") as stream:
        for record in records:
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
