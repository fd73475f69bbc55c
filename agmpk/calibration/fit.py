"""Fit the ranges of the ``calibrated`` preset to the literature.

The procedure:

1. start from ``extended`` with the changes that the development cohorts ask for
   (:mod:`agmpk.calibration.changes`);
2. stretch the ranges that the literature can speak about to their outer limits, and simulate a
   pool of bioequivalence trials from that broad prior, with the hyper-parameters of each trial;
3. weight the pool for any candidate in place of simulating it, and move one end of one range at a
   time while that lowers the objective: the sum of the Wasserstein distances of all quantities in
   units of the literature's standard deviation, plus ``PENALTY`` times the share by which the
   literature inside the prior's 95 % range falls short of 95 %;
4. an end moves inwards by no more than a quarter of its range, and some do not at all
   (:mod:`agmpk.calibration.ranges`): the prior must also serve what the literature does not show.

The 20 compounds of the benchmark take no part in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agmpk.calibration.distances import distances
from agmpk.calibration.literature import horizons
from agmpk.calibration.pool import trial_pool
from agmpk.calibration.ranges import RANGES, SWITCHES, Limits, broadened, get, put, rounded
from agmpk.calibration.reweight import effective_size, importance_weights
from agmpk.calibration.search import Candidate, coordinate_search
from agmpk.calibration.summaries import QUANTITIES, comparable
from agmpk.calibration.trials import be_trials
from agmpk.errors import AgmpkError
from agmpk.prior import PriorConfig
from agmpk.prior.laws import Law

COVERAGE, PENALTY = 0.95, 4.0
"""Share of the literature that the prior's 95 % range should hold, and a shortfall's price."""

THINNEST, FEWEST = 0.01, 20.0
"""A candidate is trusted with this share of the pool's trials in effect, and this many of them."""


@dataclass(frozen=True)
class FitResult:
    """The fitted prior; the objective and the effective number of trials at start and end."""

    config: PriorConfig
    objective: tuple[float, float]
    effective: tuple[float, float]


def fit(
    start: PriorConfig,
    articles: pd.DataFrame,
    seed: int,
    folder: Path,
    blocks: int = 224,
    ranges: Mapping[str, Limits] = RANGES,
    switches: Sequence[str] = SWITCHES,
    progress: bool = False,
) -> FitResult:
    """The prior ``calibrated`` from ``start``, by the procedure above.

    ``articles`` is the table of :func:`agmpk.calibration.literature.literature`; ``blocks`` blocks
    of 64 trials make the pool, which is kept in ``folder``, so that an interrupted fit goes on
    where it was.  The same seed gives the same ranges.

    Raises
    ------
    AgmpkError
        If the pool leaves too few effective trials for the starting prior.
    """
    broad = be_trials(broadened(start, ranges), horizons(articles))
    chances = {path: float(get(start, path)) for path in switches}
    pool = trial_pool(broad, chances, seed, blocks, folder, progress)
    objective = Objective(pool, articles, chances)
    unmoved = {path: get(start, path) for path in (*ranges, *switches)}
    before = objective(unmoved)
    if not np.isfinite(before):
        raise AgmpkError(
            f"{len(pool)} simulated trials leave too few effective ones for the starting "
            "prior; simulate more blocks."
        )
    found, after = coordinate_search(start, objective, ranges, switches)
    config = put(start, {k: _rounded(v) for k, v in found.items()}).replace(name="calibrated")
    effective = tuple(effective_size(objective.weights(c)) for c in (unmoved, found))
    return FitResult(config, (before, after), effective)


class Objective:
    """The summed distances of a candidate, see step 3; infinite where the pool is too thin."""

    def __init__(
        self,
        pool: pd.DataFrame,
        articles: pd.DataFrame,
        chances: Mapping[str, float],
    ) -> None:
        values = comparable(pool)
        keep = values.notna().all(axis=1)
        self.pool, self.values = pool[keep], values[keep].to_numpy(float).T
        self.chances, self.smallest = chances, max(FEWEST, THINNEST * len(pool))
        real = [comparable(articles)[q].dropna().to_numpy(float) for q in QUANTITIES]
        self.units = [one.std(ddof=1) for one in real]
        self.real = [one / unit for one, unit in zip(real, self.units, strict=True)]

    def weights(self, candidate: Candidate) -> NDArray[np.float64]:
        """Importance weights of the pool's trials."""
        return importance_weights(self.pool, candidate, self.chances)

    def __call__(self, candidate: Candidate) -> float:
        weights = self.weights(candidate)
        if effective_size(weights) < self.smallest:
            return np.inf
        chosen = weights > 0
        total = 0.0
        for real, values, unit in zip(self.real, self.values, self.units, strict=True):
            found = distances(real, values[chosen] / unit, weights[chosen])
            total += found["wasserstein"] + PENALTY * max(0.0, COVERAGE - found["inside_95"])
        return total


def _rounded(value: Law | float) -> Law | float:
    return rounded(value) if isinstance(value, Law) else round(value, 3)
