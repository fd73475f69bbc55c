"""Who is the same human being under several compounds."""

from __future__ import annotations

import functools

import pandas as pd

from agmpk.paths import data_path

# The one source of the benchmark whose subjects took all drugs as one cocktail.
SHARED = "lenuzza2016"


def people(frame: pd.DataFrame) -> pd.Series:
    """One label per person from the columns ``compound`` and ``individual``, on the same index.

    Subjects of the cocktail are the same under each of its compounds (the benchmark's list names
    the source); everybody else, simulated individuals too, is a person of one study.
    """
    cocktail = _cocktail()
    study = frame["compound"].map(lambda name: "cocktail" if name in cocktail else str(name))
    return study + "/" + frame["individual"].astype(str)


@functools.cache
def _cocktail() -> frozenset[str]:
    table = pd.read_csv(data_path("benchmark", "compounds.csv"))
    return frozenset(table.loc[table["source"] == SHARED, "compound"])
