"""Where the project's data lies."""

from __future__ import annotations

import os
from pathlib import Path

from agmpk.errors import AgmpkError

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
