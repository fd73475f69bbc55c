"""The real studies that ship with the project."""

from __future__ import annotations

from agmpk.paths import data_path
from agmpk.studies import Study, load_catalogue


def benchmark_studies() -> dict[str, Study]:
    """The 20 compounds by name, in the order of the published table; for reporting only."""
    return load_catalogue(data_path("benchmark", "compounds.csv"))


def development_studies() -> dict[str, Study]:
    """Real cohorts outside the 20 compounds: for every choice of prior, model and setting."""
    return load_catalogue(data_path("development", "cohorts.csv"))
