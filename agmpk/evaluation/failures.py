"""What a badly forecast individual looks like: readings by rule, from the record itself.

Each rule compares the individual's whole record (shown and held out) with its context and cites
the numbers that made it apply.  A reading is a hint for somebody who knows the drug, no diagnosis.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from agmpk.evaluation.exposure import nca
from agmpk.evaluation.protocol import Case
from agmpk.studies.study import Array, Individual

FAR = 1.5  # a quantity is far outside the context beyond this multiple of its extremes
LATER = 1.05  # nominal sampling times differ by a few minutes between individuals
LITTLE = 0.2  # of its peak: absorption has hardly begun
NEAR_LIMIT = 3.0  # multiples of the smallest reported concentration

REMEDIES = {
    "delayed absorption": "show samples until the peak has passed; longer and more variable lag "
    "and transit times in the prior",
    "slow elimination": "a genotype or another covariate in the study; clearances drawn from a "
    "mixture in the prior",
    "low exposure": "a genotype or another covariate in the study; bioavailability and formation "
    "drawn from a mixture in the prior",
    "assay limit": "the samples below the limit in the data, marked as such (CENS, LLOQ)",
    "unexplained": "a look at the individual's record by somebody who knows the study",
}
KINDS = tuple(REMEDIES)
Curve = tuple[Array, Array]


class Reading(NamedTuple):
    """One of ``KINDS``, and the numbers behind it in words."""

    kind: str
    evidence: str


def readings(case: Case) -> list[Reading]:
    """All rules that apply to a left-out individual, most telling first; never empty.

    * delayed absorption: its Tmax is later than that of anybody in the context; or what was shown
      of it reaches less than ``LITTLE`` of its peak, at a time by which half of the others had
      reached half of theirs.
    * slow elimination (as in a poor metaboliser): its terminal half-life is ``FAR`` times the
      context's longest, or its level ``FAR`` times the context's highest.
    * low exposure (as in a fast metaboliser, or poor formation of a metabolite): its level is
      below the context's lowest by ``FAR``.
    * assay limit: half of its held-out samples or more are below the limit, or within
      ``NEAR_LIMIT`` of the smallest concentration that the study reports.
    * unexplained: none of these.

    Level: geometric mean of its dose-normalized concentrations over the context's mean log-curve.
    """
    seen = case.prefix.quantifiable()
    own = np.r_[seen.times, case.times], np.r_[seen.concentrations, case.observed]
    others = [one for one in case.context.after_dose() if len(one) >= 2]
    if not others or len(own[0]) < 2:
        return [Reading("unexplained", "too few samples to compare")]
    curves = [own, *((one.times, one.concentrations) for one in others)]
    doses = [one.doses[0].amount for one in (case.prefix, *others)]
    analyses = pd.DataFrame([nca(*curve) for curve in curves])
    found = {
        "delayed absorption": _late(case.prefix, curves, analyses["Tmax"]),
        **_level(curves, doses, analyses["t_half"]),
        "assay limit": _limit(case, others),
    }
    usual = "peak, level, half-life and distance from the assay limit are usual"
    return [Reading(*one) for one in found.items() if one[1]] or [Reading("unexplained", usual)]


# Curves, as (times [h], concentrations), and numbers hold the individual first, then the others.
# Evidence is in words, '' where there is none.


def _late(prefix: Individual, curves: list[Curve], tmax: pd.Series) -> str:
    own, latest = tmax[0], tmax[1:].max()
    if own > LATER * latest:
        return f"peak at {own:.3g} h, the others' latest at {latest:.3g} h"
    if not len(prefix):
        return ""
    end = prefix.times[-1]
    # The share of its peak that each curve has reached by then.
    reached, *rest = (float(y[t <= end].max(initial=0.0) / y.max()) for t, y in curves)
    half = float(np.median(rest))
    if reached >= LITTLE or half < 0.5:
        return ""
    return f"{reached:.0%} of its peak reached after {end:.3g} h, half of the others {half:.0%}"


def _level(curves: list[Curve], doses: list[float], half_lives: pd.Series) -> dict[str, str]:
    level, *levels = _levels([(t, np.log(y / d)) for (t, y), d in zip(curves, doses, strict=True)])
    if level < min(levels) / FAR:
        low = f"level {level:.2g} of the others' mean curve, their lowest {min(levels):.2g}"
        return {"low exposure": low}
    slow, (own, longest) = "", (half_lives[0], half_lives[1:].max())  # NaN compares with nothing
    if level > max(levels) * FAR:
        slow = f"level {level:.2g} times the others' mean curve, their highest {max(levels):.2g}"
    elif own > FAR * longest:
        slow = f"half-life {own:.3g} h, the others' longest {longest:.3g} h"
    return {"slow elimination": slow}


def _levels(logs: list[Curve]) -> list[float]:
    """Each one's level against the mean curve of the others, without the individual itself."""
    found = []
    for k, (t, y) in enumerate(logs):
        rest = [one for j, one in enumerate(logs) if j not in (0, k)] or logs[1:]
        mean = np.mean([np.interp(t, *one) for one in rest], axis=0)
        found.append(float(np.exp(np.mean(y - mean))))
    return found


def _limit(case: Case, others: list[Individual]) -> str:
    if not case.held_out:
        return ""
    seen = np.concatenate([*(one.concentrations for one in others), case.observed, case.limits])
    limit = case.context.lloq or float(seen.min())
    near = (np.sum(case.observed <= NEAR_LIMIT * limit) + len(case.below)) / case.held_out
    if near < 0.5:
        return ""
    return (
        f"{near:.0%} of the held-out samples below {NEAR_LIMIT:g} times the smallest "
        f"concentration reported ({limit:.2g} {case.context.units.concentration})"
    )
