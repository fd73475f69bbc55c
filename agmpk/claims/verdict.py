"""From a claim and a number to one of four words."""

from __future__ import annotations

import math

from agmpk.claims.claim import Claim
from agmpk.claims.evidence import Evidence

REPRODUCED, BETTER, FAILED, OPEN = "reproduced", "better", "not reproduced", "not checkable"
ROUNDING = 1e-9  # figures are decimal, so a difference of two of them may be off by this
VERDICTS = (BETTER, REPRODUCED, FAILED, OPEN)


def verdict(claim: Claim, found: Evidence | None) -> tuple[str, str]:
    """The verdict, and the reason where it is "not checkable" (else "").

    With the loss l (``lower``: the value; ``higher``: minus the value; ``target``: its distance
    from the ideal), the published loss p and its spread s:

    * better: all of our interval has l < p - s;
    * reproduced: some of our interval has l <= p + s;
    * not reproduced: otherwise.

    Without a published figure, ``within`` is reproduced where our value is inside the range, and
    ``holds`` where our whole interval is above 0.  Without evidence, with too little of it, or
    where the numbers do not compare: not checkable.
    """
    if claim.direction == "none":
        return OPEN, claim.why
    if found is None or not math.isfinite(found.value):
        return OPEN, (found.note if found and found.note else "no such result in this run")
    if found.n < claim.needs:
        return OPEN, f"rests on {found.n} of the {claim.needs} {claim.unit} it needs".replace(
            "  ", " "
        )
    if claim.direction == "within":
        low, high = claim.range
        return (REPRODUCED if low <= found.value <= high else FAILED), ""
    if claim.direction == "holds":
        return (REPRODUCED if found.low > 0 else FAILED), ""
    best, worst = _losses(claim, found.low, found.high)
    published = _losses(claim, claim.figure, claim.figure)[0]
    if worst < published - claim.spread - ROUNDING:
        return BETTER, ""
    reached = best <= published + claim.spread + ROUNDING
    return (REPRODUCED if reached else FAILED), ""


def _losses(claim: Claim, low: float, high: float) -> tuple[float, float]:
    """Smallest and largest loss of an interval."""
    if claim.direction == "lower":
        return low, high
    if claim.direction == "higher":
        return -high, -low
    ends = sorted((abs(low - claim.ideal), abs(high - claim.ideal)))
    return (0.0 if low <= claim.ideal <= high else ends[0]), ends[1]
