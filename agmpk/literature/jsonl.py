"""JSON lines: read with errors that name file and line, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from agmpk.errors import AgmpkError
from agmpk.files import atomic_path


def read_jsonl(path: str | Path) -> list[dict[str, Any]]:
    """The objects of a JSON-lines file, blank lines skipped.

    Raises AgmpkError naming the file and the line for a missing file, wrong encoding, or a line
    that
    is not a JSON object.
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
