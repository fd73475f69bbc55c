"""What a badly forecast individual looks like: readings by rule, from the record itself.

Each rule compares the individual's whole record (shown and held out) with its context and cites
the numbers that made it apply.  A reading is a hint for somebody who knows the drug, no diagnosis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agmpk.evaluation.nca import nca
from agmpk.evaluation.protocol import Case
from agmpk.studies import Individual

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
    "assay limit": "the limit of the assay in the data, and censored points in the training",
    "unexplained": "a look at the individual's record by somebody who knows the study",
}
KINDS = tuple(REMEDIES)


@dataclass(frozen=True)
class Reading:
    """One of ``KINDS``, and the numbers behind it in words."""

    kind: str
    evidence: str

    @property
    def remedy(self) -> str:
        """What would help."""
        return REMEDIES[self.kind]


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
    times = np.concatenate([seen.times, case.times])
    values = np.concatenate([seen.concentrations, case.observed])
    others = [one for one in case.context.after_dose() if len(one) >= 2]
    if not others or len(times) < 2:
        return [Reading("unexplained", "too few samples to compare")]
    rules = (_late(case, times, values, others), _level(case, times, values, others))
    found = [one for one in (*rules, _limit(case, others)) if one is not None]
    return found or [
        Reading("unexplained", "peak, level, half-life and distance from the assay limit are usual")
    ]


def _late(case: Case, times: NDArray, values: NDArray, others: list[Individual]) -> Reading | None:
    own = nca(times, values)["Tmax"]
    latest = max(nca(one.times, one.concentrations)["Tmax"] for one in others)
    if own > LATER * latest:
        return Reading(
            "delayed absorption", f"peak at {own:.3g} h, the others' latest at {latest:.3g} h"
        )
    if not len(case.prefix):
        return None
    end = case.prefix.times[-1]
    reached = _reached(times, values, end)
    half = float(np.median([_reached(one.times, one.concentrations, end) for one in others]))
    if reached >= LITTLE or half < 0.5:
        return None
    return Reading(
        "delayed absorption",
        f"{reached:.0%} of its peak reached after {end:.3g} h, half of the others {half:.0%}",
    )


def _reached(times: NDArray, values: NDArray, end: float) -> float:
    """Share of its peak that a curve has reached by ``end`` h."""
    return float(values[times <= end].max(initial=0.0) / values.max())


def _level(case: Case, times: NDArray, values: NDArray, others: list[Individual]) -> Reading | None:
    level, levels = _levels(case, times, values, others)
    if level < min(levels) / FAR:
        return Reading(
            "low exposure",
            f"level {level:.2g} of the others' mean curve, their lowest {min(levels):.2g}",
        )
    if level > max(levels) * FAR:
        return Reading(
            "slow elimination",
            f"level {level:.2g} times the others' mean curve, their highest {max(levels):.2g}",
        )
    own = nca(times, values)["t_half"]
    half_lives = np.array([nca(one.times, one.concentrations)["t_half"] for one in others])
    known = half_lives[np.isfinite(half_lives)]
    if np.isfinite(own) and len(known) and own > FAR * known.max():
        return Reading(
            "slow elimination",
            f"half-life {own:.3g} h, the others' longest {known.max():.3g} h",
        )
    return None


def _levels(
    case: Case, times: NDArray, values: NDArray, others: list[Individual]
) -> tuple[float, list[float]]:
    """The individual's level, and each other's against the rest of them."""
    records = [(times, np.log(values / case.prefix.doses[0].amount))]
    records += [(o.times, np.log(o.concentrations / o.doses[0].amount)) for o in others]

    def level(k: int) -> float:
        t, y = records[k]
        rest = [r for j, r in enumerate(records) if j not in (0, k)] or records[1:]
        mean = np.mean([np.interp(t, *record) for record in rest], axis=0)
        return float(np.exp(np.mean(y - mean)))

    return level(0), [level(k) for k in range(1, len(records))]


def _limit(case: Case, others: list[Individual]) -> Reading | None:
    if not case.held_out:
        return None
    seen = np.concatenate([*(one.concentrations for one in others), case.observed, case.limits])
    limit = case.context.lloq or float(seen.min())
    near = (np.sum(case.observed <= NEAR_LIMIT * limit) + len(case.below)) / case.held_out
    if near < 0.5:
        return None
    return Reading(
        "assay limit",
        f"{near:.0%} of the held-out samples below {NEAR_LIMIT:g} times the smallest "
        f"concentration reported ({limit:.2g} {case.context.units.concentration})",
    )
