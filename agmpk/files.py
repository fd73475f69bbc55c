"""Files that are written whole or not at all, and digests of files."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agmpk.errors import AgmpkError

if TYPE_CHECKING:
    import pandas as pd

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block succeeds.

    The temporary name keeps the suffix, because many writers choose their format by it. When the
    block raises, the temporary file is removed and an existing ``path`` stays as it was.

    Raises:
        AgmpkError: the folder does not exist, ``path`` is a folder, or it cannot be written.
    """
    check_writable(path)
    target = Path(path)
    temporary = target.with_name(f".{target.stem}-{secrets.token_hex(6)}{target.suffix}")
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Fail before long work starts if its result could not be written to ``path``.

    Raises:
        AgmpkError: the folder does not exist, ``path`` is a folder, or it cannot be written.
    """
    target = Path(path)
    if target.is_dir():
        raise AgmpkError(f"{target} is a folder; name a file to write.")
    if not target.parent.is_dir():
        raise AgmpkError(
            f"{target} cannot be written because the folder {target.parent} does not exist; "
            "create it first."
        )
    if not os.access(target.parent, os.W_OK):
        raise AgmpkError(
            f"{target} cannot be written because the folder {target.parent} is read-only; "
            "choose another folder."
        )


def sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 digest of a file's bytes as 64 hexadecimal digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_csv(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a frame as UTF-8 CSV without its index, whole or not at all.

    Numbers are written with as many digits as reading them back exactly needs.
    """
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")


@contextmanager
def only_one(folder: str | os.PathLike[str], what: str) -> Iterator[None]:
    """Hold ``folder`` for this process while the block runs; ``what`` is going on, in a message.

    The operating system lets go of it when the process ends, however it ends.

    Raises:
        AgmpkError: another process holds it.
    """
    with open(Path(folder, ".lock"), "a") as lock:
        if fcntl is not None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise AgmpkError(
                    f"In {folder} {what} by another process: wait until it has ended."
                ) from error
        yield
