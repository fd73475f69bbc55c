"""Who is the same human being under several compounds or cohorts."""

from __future__ import annotations

import functools

import pandas as pd

from agmpk.paths import data_path

# The one source of the benchmark whose subjects took all drugs as one cocktail.
SHARED = "lenuzza2016"


def people(frame: pd.DataFrame) -> pd.Series:
    """One label per person from the columns ``compound`` and ``individual``, on the same index.

    Subjects of the cocktail are the same under each of its compounds (the benchmark's list names
    the source), and so are those of development cohorts that the catalogue gives the same
    ``people``; everybody else, simulated individuals too, is a person of one study.
    """
    shared = _shared()
    study = frame["compound"].map(lambda name: shared.get(str(name), str(name)))
    return study + "/" + frame["individual"].astype(str)


@functools.cache
def _shared() -> dict[str, str]:
    """The name of the group of people behind a compound or cohort."""
    table = pd.read_csv(data_path("benchmark", "compounds.csv"))
    groups = dict.fromkeys(table.loc[table["source"] == SHARED, "compound"], "cocktail")
    cohorts = pd.read_csv(data_path("development", "cohorts.csv"))
    return groups | dict(zip(cohorts["cohort"], cohorts["people"], strict=True))
