"""Reading numbers and units out of printed prose: normalization, numbers, units."""

from agmpk.literature.text.normal import NormalText, normalize
from agmpk.literature.text.numbers import parse_number, parse_range, word_number
from agmpk.literature.text.units import Unit, convert, parse_unit, scan_unit

__all__ = [
    "NormalText",
    "Unit",
    "convert",
    "normalize",
    "parse_number",
    "parse_range",
    "parse_unit",
    "scan_unit",
    "word_number",
]
