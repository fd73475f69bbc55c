"""Does it survive?  Faults, mutated input and repetition, tried many times and counted; growth.

``agmpk paper proof NAME`` writes ``data/proof/NAME.csv``; the tests try a few of each.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from tqdm import tqdm

from agmpk.errors import AgmpkError
from agmpk.files import data_path

PROOFS = ("faults", "fuzz", "repeats")
COLUMNS = ["proof", "what", "tried", "survived", "first_failure"]
Attempt = Callable[[int], str]
"""Tries for the k-th time, and returns what went wrong, '' where nothing did."""
Kinds = dict[str, tuple[int, Callable[[np.random.Generator], Attempt]]]
"""By what is tried: how often in full, and what makes it ready."""
Command = Callable[[list[str]], int]
"""Runs a line of arguments as the command line does, and returns its status."""


def tried(
    proof: str, kinds: Kinds, scale: float = 1.0, seed: int = 0, only: str = ""
) -> Iterator[tuple[dict[str, object], list[str]]]:
    """A row of ``COLUMNS`` and all failures of each kind, or of those whose name holds ``only``.

    Each is tried ``scale`` times its full number, at least once, in a folder that is removed.

    Raises:
        AgmpkError: no name holds ``only``.
    """
    chosen = {what: kind for what, kind in kinds.items() if only in what}
    if not chosen:
        raise AgmpkError(f"There is nothing called {only!r} to try: {', '.join(kinds)}.")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for what, (full, prepare) in chosen.items():
            attempt = prepare(np.random.default_rng([seed, len(what)]))
            count = max(1, round(scale * full))
            found = [attempt(k) for k in tqdm(range(count), desc=what, disable=None)]
            failures = [one for one in found if one]
            first = " ".join(failures[0].split())[:200] if failures else ""
            row = (proof, what, count, count - len(failures), first)
            yield dict(zip(COLUMNS, row, strict=True)), failures


def proof_table() -> pd.DataFrame:
    """What was tried and what survived, as stored in ``data/proof`` by the last full runs: columns
    proof, what, tried, survived, first_failure; without the curves of ``growth``."""
    files = [data_path("proof", f"{name}.csv") for name in PROOFS]
    return pd.concat([pd.read_csv(f, keep_default_na=False) for f in files], ignore_index=True)


def growth_table() -> pd.DataFrame:
    """Time and memory against size, as stored by ``agmpk paper proof growth``: columns of
    :func:`agmpk.paper.proof.growth.growth`."""
    return pd.read_csv(data_path("proof", "growth.csv"))
