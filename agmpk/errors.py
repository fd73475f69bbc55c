"""The errors of the package: each message is one plain sentence that names the remedy."""

from __future__ import annotations

from collections.abc import Sequence


class AgmpkError(ValueError):
    """Input that cannot be used; the message says what is wrong, where, and what to do."""


class TableError(AgmpkError):
    """Faults of one table, one sentence each.

    ``faults`` holds all of them; the message shows the first ``SHOWN``, one a line.
    """

    SHOWN = 10

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults: tuple[str, ...] = tuple(faults)
        lines = list(self.faults[: self.SHOWN])
        hidden = len(self.faults) - len(lines)
        if hidden:
            lines.append(f"... and {hidden} more")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple:
        return TableError, (self.faults,)  # so that it survives the way back from a worker
