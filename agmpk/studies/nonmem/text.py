"""From bytes to lines: encodings, and what is not a text file at all."""

from __future__ import annotations

import os
import re
from pathlib import Path

from agmpk.errors import TableError
from agmpk.studies.nonmem.faults import Fault, refuse

_SAVE_AS = "save it as CSV in UTF-8"


def read_lines(path: str | os.PathLike[str]) -> list[str]:
    """Return the lines of a UTF-8 text file, without line ends and byte-order mark.

    Raises:
        TableError: no such file, a folder, unreadable, or not UTF-8 text.
    """
    name = str(path)
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise TableError([f"{name}: there is no such file; check the path."]) from None
    except IsADirectoryError:
        raise TableError([f"{name}: this is a folder; name a file in it."]) from None
    except OSError as error:
        raise TableError(
            [f"{name}: the file cannot be opened ({error.strerror}); check its permissions."]
        ) from None
    refuse(name, _not_text(content))
    # Only what editors count as line ends; str.splitlines knows a dozen more.
    return re.split(r"\r\n|\n|\r", content.decode("utf-8-sig"))


def _not_text(content: bytes) -> list[Fault]:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or _looks_like_utf16(content):
        return [Fault(0, "", "the file is encoded as UTF-16", _SAVE_AS)]
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return [Fault(0, "", "this is a workbook or an archive, not a text file", _SAVE_AS)]
    if b"\0" in content:
        return [Fault(0, "", "this is not a text file", "export the table as CSV in UTF-8")]
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        row = len(re.findall(rb"\r\n|\n|\r", before)) + 1
        byte = content[error.start]
        return [Fault(row, "", f"the byte 0x{byte:02X} is not UTF-8 text", _SAVE_AS)]
    return []


def _looks_like_utf16(content: bytes) -> bool:
    """Every other byte of western text in UTF-16 is zero."""
    start = content[:400]
    return len(start) >= 4 and (set(start[::2]) == {0} or set(start[1::2]) == {0})
