"""Dispersion of any kind as a coefficient of variation, by the published rules."""

from __future__ import annotations

import math

from agmpk.literature.harmonize.notes import Notes

SMALL_CV = 5.0  # percent; below, an SD is more likely a standard error: flagged
MAX_CV = 300.0  # percent; larger values in this literature are misread columns, not variability
IQR_IN_SD = 1.349  # width of the interquartile range of a normal distribution, in SD
_KINDS = {
    "sd": "SD",
    "s.d.": "SD",
    "standard deviation": "SD",
    "cv": "CV",
    "cv%": "CV",
    "%cv": "CV",
    "gcv%": "CV",
    "geometric cv%": "CV",
    "range": "range",
    "min-max": "range",
    "iqr": "IQR",
    "sem": "SEM",
    "se": "SEM",
}


def cv_percent(
    center: float,
    dispersion: float | tuple[float, float] | None,
    kind: object,
    unit_is_percent: bool,
    n: int | None,
    name: str,
    notes: Notes,
) -> float | None:
    """%CV from a central value and its dispersion (both in one unit), or None.

    Published rules: SD / center (mean and median interchangeable), CV as it stands, range / 4 as
    SD.
    Added here: IQR / 1.349 as SD, SEM * sqrt(n) as SD. A CV above 300 % is erased.
    """
    if dispersion is None:
        return None
    known = _KINDS.get(str(kind).strip().lower())
    if isinstance(dispersion, tuple):
        low, high = dispersion
        if not low <= center <= high:
            notes.erased(name, f"{low:g}-{high:g}", "the central value lies outside its own range")
            return None
        width = IQR_IN_SD if known == "IQR" else 4.0
        if known not in ("range", "IQR"):
            notes.corrected(name, kind, "range", "two limits were given, so the kind is a range")
        cv = 100.0 * (high - low) / width / center
    elif known == "CV" or (known is None and unit_is_percent):
        cv = dispersion
    elif known == "SD":
        cv = 100.0 * dispersion / center
    elif known == "SEM":
        if n is None:
            notes.erased(name, dispersion, "a standard error needs the number of subjects")
            return None
        cv = 100.0 * dispersion * math.sqrt(n) / center
    else:
        notes.erased(name, dispersion, "kind of dispersion not stated")
        return None
    if cv > MAX_CV:
        notes.erased(name, f"{cv:.0f}%", f"a CV above {MAX_CV:g} % is taken as a misreading")
        return None
    if cv == 0:
        notes.erased(name, "0", "no spread at all stands for a missing value")
        return None
    if known == "SD" and cv < SMALL_CV:
        notes.flagged(name, f"{cv:.1f}%", "so small that the SD may be a standard error")
    return cv
