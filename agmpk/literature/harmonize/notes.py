"""What was changed in a record, and why: nothing is corrected silently."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Note:
    """One change of one field: `action` is `corrected`, `erased` or `flagged`."""

    field: str
    action: str
    before: str
    after: str
    reason: str


@dataclass
class Notes:
    """Collects the notes of one record while it is harmonized."""

    items: list[Note] = field(default_factory=list)

    def corrected(self, name: str, before: object, after: object, reason: str) -> None:
        self.items.append(Note(name, "corrected", _show(before), _show(after), reason))

    def erased(self, name: str, before: object, reason: str) -> None:
        self.items.append(Note(name, "erased", _show(before), "", reason))

    def flagged(self, name: str, value: object, reason: str) -> None:
        self.items.append(Note(name, "flagged", _show(value), _show(value), reason))


def _show(value: object) -> str:
    """A printable form; control characters are shown escaped rather than passed on."""
    text = "" if value is None else str(value)
    return text if text.isprintable() else repr(text)[1:-1]
