"""The data model: a study is a set of individuals with observations and doses.

Tables come in and go out in NONMEM style, see :mod:`agmpk.studies.nonmem`.
"""

from typing import Any

from agmpk.studies.nonmem.read import Reading, load_catalogue, read_studies, read_study, read_table
from agmpk.studies.study import Dose, Individual, Study
from agmpk.studies.units import Units, conversion_factor

__all__ = [
    "Dose", "Individual", "Reading", "Study", "Units", "conversion_factor", "load_catalogue",
    "read_studies", "read_study", "read_table", "write_study",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name != "write_study":  # imported when it is asked for: a reader of one table needs it not
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from agmpk.studies.nonmem.write import write_study

    return write_study
