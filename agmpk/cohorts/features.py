"""A curve as numbers, relative to its context, so that individuals of all compounds compare.

Shapes: n curves, T times, G grid points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agmpk.cohorts.exposure import QUANTITIES, exposures
from agmpk.errors import AgmpkError
from agmpk.studies import Individual, Study

GRID = 8


def amount(individual: Individual) -> float:
    """Amount of one of its (equal) doses, by which concentrations are normalized."""
    return individual.doses[0].amount


@dataclass(frozen=True)
class ContextFrame:
    """What a curve is measured against: statistics of the context's ln (y / dose).

    grid [G] h: quantiles of the context's sampling times; centre [G]: mean log-curve there;
    shape: root mean square departure of the context's curves from it; exposure: mean log of each
    noncompartmental quantity; last: the last sampling time [h]; level, spread: mean and SD of all
    ln (y / dose).
    """

    grid: NDArray[np.float64]
    centre: NDArray[np.float64]
    shape: float
    exposure: dict[str, float]
    last: float
    level: float
    spread: float


def context_frame(context: Study, points: int = GRID) -> ContextFrame:
    """The frame of a study's context.

    Raises:
        AgmpkError: fewer than two context individuals with two positive observations.
    """
    people = [one for one in context.after_dose() if len(one) >= 2]
    if len(people) < 2:
        raise AgmpkError(
            f"The context of {context.compound} has {len(people)} individuals with two positive "
            "observations; comparing cohorts needs two such individuals or more."
        )
    logs = [np.log(one.concentrations / amount(one)) for one in people]
    times = np.concatenate([one.times for one in people])
    grid = np.quantile(times, np.linspace(0, 1, points))
    curves = np.array([np.interp(grid, p.times, y) for p, y in zip(people, logs, strict=True)])
    centre = curves.mean(0)
    found = [exposures(p.times, np.exp(y)[None]) for p, y in zip(people, logs, strict=True)]
    means = {}
    for name in QUANTITIES:
        values = np.log([one[name][0] for one in found])
        known = values[np.isfinite(values)]
        means[name] = float(known.mean()) if len(known) else 0.0
    pooled = np.concatenate(logs)
    return ContextFrame(
        grid,
        centre,
        float(np.sqrt(np.mean((curves - centre) ** 2))) or 1.0,
        means,
        float(times.max()),
        float(pooled.mean()),
        float(pooled.std()) or 1.0,
    )


def curve_features(
    frame: ContextFrame, times: NDArray[np.float64], normalized: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Features [n, G + 4] of dose-normalized concentrations [n, T] at ``times`` [T] h: departure
    from the context's mean log-curve on the common grid (linear interpolation of ln y, constant
    beyond the range), in units of the context's own departures; and ln Cmax, Tmax, AUC0_t and
    t_half relative to the context's geometric means (NaN where there is no half-life)."""
    logs = np.log(normalized)
    curves = np.array([np.interp(frame.grid, times, row) for row in logs])
    exposure = exposures(times, normalized)
    columns = [np.log(exposure[name]) - frame.exposure[name] for name in QUANTITIES]
    return np.column_stack([(curves - frame.centre) / frame.shape, *columns])
