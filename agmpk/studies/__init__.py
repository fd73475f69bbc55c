"""The data model: a study is a set of individuals with observations and doses.

Tables come in and go out in NONMEM style, see :mod:`agmpk.studies.nonmem`.
"""

from typing import Any

from agmpk.studies.nonmem.read import Reading, read_studies, read_study, read_table
from agmpk.studies.study import ROUTES, Dose, Individual, Study, describe
from agmpk.studies.units import Units, conversion_factor

__all__ = [
    "ROUTES",
    "Dose",
    "Individual",
    "Reading",
    "Study",
    "Units",
    "conversion_factor",
    "describe",
    "load_catalogue",
    "read_studies",
    "read_study",
    "read_table",
    "write_study",
]

# Imported when they are asked for: a reader of one table needs none of them.
_LATER = {
    "load_catalogue": "agmpk.studies.catalogue",
    "write_study": "agmpk.studies.nonmem.write",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LATER[name]), name)
