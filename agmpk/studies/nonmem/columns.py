"""The columns of a NONMEM-style table, and the text of a number."""

from __future__ import annotations

import re

REQUIRED = ("ID", "TIME", "DV", "AMT")
NUMERIC = ("TIME", "DV", "AMT", "EVID", "MDV", "RATE", "DUR", "ADDL", "II", "SS", "CENS", "LLOQ")
ANALYTE = ("ANALYTE", "DRUG", "DVID")  # the first one present counts

# What others call the required columns: named in the remedy, never taken silently.
SYNONYMS = {
    "ID": ("SUBJECT", "SUBJ", "SUBJID", "USUBJID", "PATIENT", "#ID"),
    "TIME": ("T", "HOURS", "HOUR", "TIME_H", "TAD", "TAFD"),
    "DV": ("CONC", "CONCENTRATION", "Y", "OBS", "CP"),
    "AMT": ("DOSE", "AMOUNT"),
}

ROUTE_NAMES = {
    "oral": "oral",
    "po": "oral",
    "p.o.": "oral",
    "iv": "iv",
    "i.v.": "iv",
    "intravenous": "iv",
    "iv_bolus": "iv_bolus",
    "bolus": "iv_bolus",
    "iv_infusion": "iv_infusion",
    "infusion": "iv_infusion",
}

# Fortran writes exponents with D, too.
NUMBERS = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?", re.ASCII)
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eEdD][+-]?\d+)?", re.ASCII)
NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)


def to_number(text: str) -> float:
    """Return the number a cell holds (NaN unless it is written as one)."""
    if NUMBERS.fullmatch(text):
        return float(text.upper().replace("D", "E"))
    return float("nan")
