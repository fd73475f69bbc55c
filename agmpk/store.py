"""Results that take long, kept on disk: found again by their settings, never by bytes of source.

A stored result answers to what it was made from (plain values in full) and to the version of the
method that made it, which its author raises by hand when a change of the code changes results::

    store = Store(data_path("nlme", "fits"), version=1, remedy="run 'agmpk paper nlme-fits fit'")
    found = store.load("caffeine", {"seed": 0, "context": "f87a65cb"})   # Entry or None
    store.save("caffeine", {"seed": 0, "context": "f87a65cb"}, {"aic": 12.3})

``<name>.json`` holds the entries of a name, one for each settings; each with digests of its result
and, where it has one, of its table ``<name>.csv``, so that a damaged or edited file is noticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agmpk.errors import AgmpkError
from agmpk.files import atomic_path, sha256, write_csv

if TYPE_CHECKING:
    import pandas as pd


def digest(values: Any) -> str:
    """16 hexadecimal digits that name plain values, whatever the order of their keys."""
    text = json.dumps(values, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Entry:
    """A stored result: the settings and the version it was made with, plain values, and the CSV
    file of its table (None without one)."""

    version: int
    settings: dict[str, Any]
    result: Any
    table: Path | None = None


class Store:
    """Results by name and settings in one ``folder``, which is made when the first one is saved;
    those of another ``version`` of the method are not found. ``remedy`` is what to do about a
    damaged file, after "delete it and"; ``{name}`` is its name.
    """

    def __init__(self, folder: Path, version: int, remedy: str = "make it again") -> None:
        self.folder, self.version, self.remedy = folder, version, remedy
        self._read: dict[str, dict[str, Entry]] = {}

    def load(self, name: str, settings: Mapping[str, Any]) -> Entry | None:
        """The entry of these settings and this version, or None where there is none.

        Raises:
            AgmpkError: the file is damaged or was edited.
        """
        found = self.entries(name).get(digest(settings))
        return found if found is not None and found.version == self.version else None

    def entries(self, name: str) -> dict[str, Entry]:
        """All entries of a name by the digest of their settings, of whatever version.

        Raises:
            AgmpkError: the file is damaged or was edited.
        """
        if name not in self._read:
            self._read[name] = self._from_disk(name)
        return self._read[name]

    def save(
        self, name: str, settings: Mapping[str, Any], result: Any, table: pd.DataFrame | None = None
    ) -> None:
        """Keep a result (plain values) beside the other entries of its name.

        A ``table`` goes to ``<name>.csv``; a name that has one holds one entry.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        entries, rows = dict(self.entries(name)) if table is None else {}, None
        if table is not None:
            # Rows without a record are an unfinished result, which is made again.
            self._file(name).unlink(missing_ok=True)
            rows = self._file(name, ".csv")
            write_csv(table, rows)
        # As it will be read: tuples become lists, keys become text.
        settings, result = json.loads(json.dumps([settings, result]))
        entries[digest(settings)] = Entry(self.version, settings, result, rows)
        content = {
            key: {
                "version": entry.version,
                "settings": entry.settings,
                "result": entry.result,
                "digest": _digest_of(entry),
                "table": entry.table and sha256(entry.table),
            }
            for key, entry in entries.items()
        }
        with atomic_path(self._file(name)) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        self._read[name] = entries

    def _from_disk(self, name: str) -> dict[str, Entry]:
        file = self._file(name)
        if not file.is_file():
            return {}
        found = {}
        try:
            for key, values in json.loads(file.read_text("utf-8")).items():
                table = self._file(name, ".csv") if values["table"] else None
                entry = Entry(values["version"], values["settings"], values["result"], table)
                if key != digest(entry.settings) or _digest_of(entry) != values["digest"]:
                    raise ValueError
                if table is not None and not (table.is_file() and sha256(table) == values["table"]):
                    file = table
                    raise ValueError
                found[key] = entry
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            remedy = self.remedy.format(name=name)
            raise AgmpkError(f"{file} is damaged or was edited: delete it and {remedy}.") from error
        return found

    def _file(self, name: str, suffix: str = ".json") -> Path:
        return self.folder / f"{name.replace(' ', '-')}{suffix}"


def _digest_of(entry: Entry) -> str:
    return digest([entry.version, entry.settings, entry.result])
