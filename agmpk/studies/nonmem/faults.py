"""A fault of a table, as one sentence with its place and its remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agmpk.errors import TableError


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
        place = [path]
        if self.row:
            place.append(f"row {self.row}")
        if self.column:
            place.append(f"column {self.column}")
        return f"{', '.join(place)}: {self.problem}; {self.remedy}."


def refuse(path: str, faults: Iterable[Fault]) -> None:
    """Raise TableError with all faults in the order of the file, if there are any."""
    found = sorted(set(faults))
    if found:
        raise TableError([fault.sentence(path) for fault in found])
