"""The manifest: what was asked, when, what was found, under which licence. It is also the state
to resume from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from agmpk.errors import AgmpkError
from agmpk.files import atomic_path

NAME = "manifest.json"


@dataclass
class Entry:
    """One article: `status` is `kept`, `refused` (licence), `no full text`, or `unreadable`."""

    pmcid: str
    status: str
    licence: str = ""
    pmid: str = ""
    year: int | None = None
    title: str = ""
    sha256: str = ""
    note: str = ""


@dataclass
class Manifest:
    """A retrieval: query, date (ISO), how many articles match, which ids were asked for, and
    their entries."""

    query: str
    date: str
    service: str
    total: int
    ids: list[str]
    entries: dict[str, Entry] = field(default_factory=dict)

    @property
    def open(self) -> list[str]:
        """Ids that have not been fetched yet."""
        return [i for i in self.ids if i not in self.entries]

    def counts(self) -> dict[str, int]:
        """How many articles have each status."""
        found: dict[str, int] = {}
        for entry in self.entries.values():
            found[entry.status] = found.get(entry.status, 0) + 1
        return found

    def save(self, folder: Path) -> None:
        """Write `manifest.json`, whole or not at all."""
        content = {**asdict(self), "entries": [asdict(e) for e in self.entries.values()]}
        with atomic_path(folder / NAME) as temporary:
            temporary.write_text(
                json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
            )


def load_manifest(folder: Path) -> Manifest | None:
    """The manifest in `folder`, or None where there is none. Raises AgmpkError where it cannot
    be read."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        entries = {e["pmcid"]: Entry(**e) for e in content.pop("entries")}
        return Manifest(**content, entries=entries)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise AgmpkError(
            f"{path}: not a manifest of this program; remove it or use another folder"
        ) from error
