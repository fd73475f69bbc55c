"""Does it survive?  Faults, mutated input, repetition and growth, tried many times and counted.

``agmpk paper proof NAME`` writes ``data/proof/NAME.csv``; the tests try a few of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pandas as pd

from agmpk.paths import data_path

PROOFS = ("faults", "fuzz", "repeats", "growth")
COLUMNS = ["proof", "what", "tried", "survived", "first_failure"]


@dataclass
class Tally:
    """How often something was tried, and survived; the first failures in words."""

    proof: str
    what: str
    tried: int = 0
    failures: list[str] = field(default_factory=list)

    def count(self, failure: str = "") -> None:
        """One more try; ``failure`` says what went wrong, if anything did."""
        self.tried += 1
        if failure:
            self.failures.append(failure)

    def run(self, tries: Iterable[Callable[[], str]]) -> Tally:
        """Count each of ``tries``, which return what went wrong."""
        for one in tries:
            self.count(one())
        return self

    def row(self) -> dict[str, object]:
        """The row of ``COLUMNS``."""
        first = " ".join(self.failures[0].split())[:200] if self.failures else ""
        survived = self.tried - len(self.failures)
        return dict(zip(COLUMNS, (self.proof, self.what, self.tried, survived, first), strict=True))


def proof_table() -> pd.DataFrame:
    """What was tried and what survived, as stored in ``data/proof`` by the last full runs: columns
    proof, what, tried, survived, first_failure; without the curves of ``growth``."""
    files = [data_path("proof", f"{name}.csv", must_exist=False) for name in PROOFS[:-1]]
    found = [pd.read_csv(file, keep_default_na=False) for file in files if file.is_file()]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=COLUMNS)


def growth_table() -> pd.DataFrame:
    """Time and memory against size, as stored by ``agmpk paper proof growth``: columns of
    :func:`agmpk.paper.proof.growth.growth`."""
    file = data_path("proof", "growth.csv", must_exist=False)
    return pd.read_csv(file) if file.is_file() else pd.DataFrame()
