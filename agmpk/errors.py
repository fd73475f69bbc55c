"""The errors of the package: each message is one plain sentence that names the remedy."""

from __future__ import annotations

from collections.abc import Sequence


class AgmpkError(ValueError):
    """Input that cannot be used; the message says what is wrong, where, and what to do."""


class TableError(AgmpkError):
    """Faults of one table, one sentence each; the message shows the first ``SHOWN``, one a line.

    ``faults``: all sentences; ``places``: (row, column, problem, remedy) of each, where known;
    ``listed_in``: the file that lists all of them, '' when none was written.
    """

    SHOWN = 3

    def __init__(
        self, faults: Sequence[str], places: Sequence[tuple] = (), listed_in: str = ""
    ) -> None:
        self.faults: tuple[str, ...] = tuple(faults)
        self.places = tuple(places)
        self.listed_in = listed_in
        lines = list(self.faults[: self.SHOWN])
        hidden = len(self.faults) - len(lines)
        if hidden:
            lines.append(f"... and {hidden} more" + (f" (all in {listed_in})" if listed_in else ""))
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple:
        # so that it survives the way back from a worker
        return TableError, (self.faults, self.places, self.listed_in)
