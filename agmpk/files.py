"""Where the project's data lies; files that are written whole or not at all; digests of files."""

from __future__ import annotations

import errno
import hashlib
import math
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agmpk.errors import AgmpkError

if TYPE_CHECKING:
    import pandas as pd

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

# What a place says that cannot take the file; other errors are faults of the program.
_NO_ROOM = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EFBIG", "EACCES", "EPERM", "EROFS", "EIO", "ENAMETOOLONG")
    if hasattr(errno, name)
}


PROJECT = Path(__file__).resolve().parents[1]
"""The root of the clone this package is imported from."""

_BROUGHT = Path(__file__).with_name("_shipped")

HOME = _BROUGHT if _BROUGHT.is_dir() else PROJECT
"""Where ``data`` and ``notebooks`` lie: in a wheel what it brought along (see setup.py), else in
the clone."""


def data_path(*parts: str, must_exist: bool = True) -> Path:
    """Return ``data/<parts>``: under ``$AGMPK_DATA`` if that is set, else under ``HOME``.

    Raises:
        AgmpkError: the data folder, or (``must_exist``) the path in it, does not exist.
    """
    override = os.environ.get("AGMPK_DATA")
    root = Path(override) if override else HOME / "data"
    if not root.is_dir():
        origin = "AGMPK_DATA names it" if override else "the package is not run from a clone"
        raise AgmpkError(
            f"The data folder {root} does not exist ({origin}); "
            "set AGMPK_DATA to the data folder of a clone."
        )
    path = root.joinpath(*parts)
    if must_exist and not path.exists():
        raise AgmpkError(
            f"{path} does not exist; restore it from the repository or set AGMPK_DATA to a "
            "complete data folder."
        )
    return path


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block succeeds.

    The temporary name keeps the suffix, because many writers choose their format by it. When the
    block raises, the temporary file is removed and an existing ``path`` stays as it was. A link
    stays a link (the file that it names is replaced), and a file keeps its permissions.

    Raises:
        AgmpkError: the folder does not exist, ``path`` is a folder or a device, it cannot be
            written, or the disk is full.
    """
    check_writable(path)
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.stem[:80]}-{secrets.token_hex(6)}{target.suffix}")
    try:
        yield temporary
        if target.exists():
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise AgmpkError(
            f"{path} cannot be written ({error.strerror}); make room or choose another place."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: str | os.PathLike[str], *inputs: str | os.PathLike[str]) -> None:
    """Fail before long work starts if its result could not be written to the file ``path``;
    ``inputs`` are files that are read for it and must not be written over.

    Raises:
        AgmpkError: the folder does not exist, ``path`` is a folder, a device or one of the inputs,
            or it cannot be written.
    """
    target = Path(path)
    try:
        folder, there = Path(os.path.realpath(target)).parent, target.exists()
        read = there and any(os.path.samefile(target, o) for o in inputs if os.path.exists(o))
    except (OSError, ValueError) as error:
        raise AgmpkError(f"{str(target)!r} cannot be written ({error}); check the path.") from None
    nowhere = f"cannot be written because the folder {folder}"
    for refused, why in (
        (target.is_dir(), "is a folder; name a file to write."),
        (there and not target.is_file(), "is a device or a pipe; name a file to write."),
        (read, "is what is read; name another file to write."),
        (not folder.is_dir(), f"{nowhere} does not exist; create it first."),
        (not os.access(folder, os.W_OK), f"{nowhere} is read-only; choose another folder."),
        (
            there and not os.access(target, os.W_OK),
            "is read-only; choose another file, or allow writing it.",
        ),
    ):
        if refused:
            raise AgmpkError(f"{target} {why}")


def sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 digest of a file's bytes as 64 hexadecimal digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write text as UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, "utf-8")


def write_csv(frame: pd.DataFrame, path: str | os.PathLike[str], missing: str = "") -> None:
    """Write a frame as UTF-8 CSV without its index, whole or not at all.

    Numbers are written with as many digits as reading them back exactly needs; ``missing`` stands
    where there is no value.
    """
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8", na_rep=missing)


def jsonable(value: Any) -> Any:
    """The same as JSON has it: arrays are lists, paths are text, what is no finite number None."""
    if isinstance(value, dict):
        return {str(key): jsonable(one) for key, one in value.items()}
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, list | tuple):
        return [jsonable(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


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
