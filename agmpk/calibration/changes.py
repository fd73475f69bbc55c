"""What the development cohorts ask of the prior before the literature is fitted.

Found by :mod:`agmpk.calibration.cohorts`: the features in which the real cohorts lie at the edge of
``extended``, and the ranges that move them.  Each change is an interval that the starting range is
stretched to contain, or a number that takes its place; with the reason, for the book.
"""

from __future__ import annotations

from dataclasses import dataclass

from agmpk.calibration.ranges import get, put
from agmpk.prior import PriorConfig
from agmpk.prior.laws import Law


@dataclass(frozen=True)
class Change:
    """One change: the quantity "group.quantity", its new value, and why."""

    quantity: str
    value: tuple[float, float] | tuple[float, ...] | float
    reason: str


CHANGES = (
    Change(
        "disposition.half_lives_in_horizon",
        (0.35, 25.0),
        "log-curves of seven of eight cohorts fall by 3 to 6 units, which extended rarely reaches",
    ),
    Change(
        "assay.lloq",
        (0.0001, 0.15),
        "and their assays follow them: last concentrations down to 1/300 of Cmax are quantified",
    ),
    Change(
        "disposition.log_k_out",
        (-4.0, 1.5),
        "intravenous curves fall steeply within the first hour: distribution faster than 1/h",
    ),
    Change(
        "disposition.log_k_in",
        (-4.0, 0.5),
        "and the tissues give back as fast",
    ),
    Change(
        "variability.sd_ke",
        (0.07, 0.7),
        "without bioavailability, intravenous cohorts show that clearances differ by 20 to 45 %",
    ),
    Change(
        "variability.sd_V",
        (0.06, 0.6),
        "intravenous cohorts: early partial AUC and level at the upper edge",
    ),
    Change(
        "variability.sd_k",
        (0.05, 0.7),
        "intravenous cohorts: shape of the log-curves differs more than extended believes",
    ),
    Change(
        "variability.sd_F",
        (0.03, 0.6),
        "oral cohorts are less parallel than extended: less of the spread is the level alone",
    ),
    Change(
        "design.deviation_probability",
        0.35,
        "all cohorts report times that individuals share",
    ),
)


def changed(start: PriorConfig) -> PriorConfig:
    """The starting prior with every change made."""
    values = {}
    for change in CHANGES:
        old, new = get(start, change.quantity), change.value
        values[change.quantity] = Law(*new, log=old.log) if isinstance(old, Law) else new
    horizons = start.design.horizons
    # Two cohorts end at four hours, which is earlier than any horizon of extended.
    values["design.horizons"] = horizons if min(horizons) <= 4 else (4.0, *horizons)
    return put(start, values)
