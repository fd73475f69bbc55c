"""From dirty extraction records to one tidy reference dataset.

The rules are the published ones (Ojeda et al. 2026, arXiv 2604.17670): oral only, units harmonized,
incomplete or impossible records dropped, Cmax and AUC divided by dose, dispersion as %CV with mean
and median interchangeable and a range taken as four standard deviations. What the published text
leaves open is decided here, and every change is listed with its reason.
"""

from agmpk.literature.harmonize.dataset import (
    Harmonized,
    data_dictionary,
    harmonize_file,
    harmonize_records,
    write_harmonized,
)

__all__ = [
    "Harmonized",
    "data_dictionary",
    "harmonize_file",
    "harmonize_records",
    "write_harmonized",
]
