"""Coordinate search over the ends of the ranges and the probabilities of the switches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from agmpk.calibration.ranges import GAINED, KEPT, Limits, get, moved
from agmpk.prior import PriorConfig
from agmpk.prior.laws import Law

Candidate = Mapping[str, Law | float]

STEPS = (0.2, 0.1, 0.05)
"""Step sizes, as shares of the starting widths (and of 1 for a probability), tried in turn."""

GAIN = 0.02
"""A move has to lower the objective by this much: what the data do not ask for stays put."""


def coordinate_search(
    start: PriorConfig,
    objective: Callable[[Candidate], float],
    ranges: Mapping[str, Limits],
    switches: Sequence[str],
) -> tuple[dict[str, Law | float], float]:
    """The candidate of the lowest objective that single moves of one end at a time lead to.

    Coordinates are visited in a fixed order, and the first improving direction of each is taken,
    so the result is the same on every machine.  Returns the candidate and its objective.
    """
    moves = {(path, side): 0.0 for path in ranges for side in ("low", "high")}
    moves |= {(path, "probability"): 0.0 for path in switches}
    best = objective(candidate(start, moves))
    for step in STEPS:
        improved = True
        while improved:
            improved = False
            for key in moves:
                for shift in (step, -step):
                    trial = {**moves, key: moves[key] + shift}
                    if not allowed(start, key, trial[key], ranges):
                        continue
                    value = objective(candidate(start, trial))
                    if value < best - GAIN:
                        moves, best, improved = trial, value, True
                        break
    return candidate(start, moves), best


def candidate(start: PriorConfig, moves: Mapping[tuple[str, str], float]) -> dict[str, Law | float]:
    """Laws and probabilities after the given moves (outwards positive)."""
    found: dict[str, Law | float] = {}
    for path, side in moves:
        value = get(start, path)
        if side == "probability":
            found[path] = value + moves[path, side]
        elif isinstance(value, Law):
            found[path] = moved(value, moves[path, "low"], moves[path, "high"])
    return found


def allowed(
    start: PriorConfig, key: tuple[str, str], move: float, ranges: Mapping[str, Limits]
) -> bool:
    """Whether a move stays within the limits of its range or switch."""
    path, side = key
    tiny = 1e-9
    if side == "probability":
        p = get(start, path)
        return KEPT * p - tiny <= p + move <= min(1.0, p + GAINED) + tiny
    limits = ranges[path]
    trim = limits.trim_low if side == "low" else limits.trim_high
    return -trim - tiny <= move <= limits.reach + tiny
