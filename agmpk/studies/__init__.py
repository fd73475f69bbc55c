"""The data model: a study is a set of individuals with observations and doses.

Tables come in and go out in NONMEM style, see :mod:`agmpk.studies.nonmem`.
"""

from agmpk.studies.catalogue import load_catalogue
from agmpk.studies.dose import ROUTES, Dose
from agmpk.studies.individual import Individual
from agmpk.studies.nonmem import read_studies, read_study, write_study
from agmpk.studies.study import Study
from agmpk.studies.units import Units, conversion_factor

__all__ = [
    "ROUTES",
    "Dose",
    "Individual",
    "Study",
    "Units",
    "conversion_factor",
    "load_catalogue",
    "read_studies",
    "read_study",
    "write_study",
]
