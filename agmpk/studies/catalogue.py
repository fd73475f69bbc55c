"""A catalogue: a CSV that lists the studies of a folder in order."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from agmpk.errors import AgmpkError
from agmpk.studies.nonmem.read import read_study
from agmpk.studies.study import Study

REQUIRED = ("compound", "file", "n_individuals")


def load_catalogue(path: str | os.PathLike[str]) -> dict[str, Study]:
    """Read all studies that a catalogue lists, in its order.

    The catalogue has at least the columns ``compound``, ``file`` (relative to the catalogue) and
    ``n_individuals``. The keys are its ``cohort`` column where there is one (several cohorts may
    have the same compound), else ``compound``.

    Raises:
        AgmpkError: the catalogue lacks a column or repeats a key, a study file is missing or
            faulty, or a study is not what the catalogue says it is.
    """
    folder = Path(path).parent
    try:
        listed = pd.read_csv(path, dtype={"compound": str, "file": str, "cohort": str})
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise AgmpkError(f"{path} cannot be read as a catalogue ({error}).") from error
    for column in REQUIRED:
        if column not in listed:
            raise AgmpkError(f"{path} has no column {column!r}; a catalogue needs {REQUIRED}.")
    keys = listed["cohort" if "cohort" in listed else "compound"]
    studies: dict[str, Study] = {}
    for key, row in zip(keys, listed.itertuples(), strict=True):
        if key in studies:
            raise AgmpkError(f"{path} lists {key!r} twice; remove one of the rows.")
        study = read_study(folder / row.file)
        if study.compound != row.compound or len(study) != row.n_individuals:
            raise AgmpkError(
                f"{path} says that {row.file} holds {row.n_individuals} individuals of "
                f"{row.compound}, but it holds {len(study)} of {study.compound}; "
                "rebuild the data with data/build_studies.py."
            )
        studies[key] = study
    return studies
