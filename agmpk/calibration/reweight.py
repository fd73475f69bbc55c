"""Trials of any candidate prior from one pool: importance weights instead of new simulations.

The pool is drawn from the broad prior, whose laws are uniform (or log-uniform).  A candidate has
the same laws on shorter ranges and other probabilities of the switches, so a trial's weight is the
product of 1/width where its draws lie within the candidate's ranges (0 where one does not), and of
the candidate's probabilities of its switches over those of the pool.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agmpk.prior.laws import Law


def importance_weights(
    pool: pd.DataFrame, candidate: Mapping[str, Law | float], chances: Mapping[str, float]
) -> NDArray[np.float64]:
    """Weights float64[S] of the pool's trials under the candidate's laws and probabilities.

    ``chances`` are the probabilities of the switches in the pool, see
    :func:`agmpk.calibration.pool.trial_pool`.  A constant factor of all weights (the widths) is
    left out.
    """
    weights = np.ones(len(pool))
    for path, value in candidate.items():
        drawn = pool[path].to_numpy()
        if isinstance(value, Law):
            weights *= (drawn >= value.low) & (drawn <= value.high)
        else:
            chance = chances[path]
            weights *= np.where(drawn > 0.5, value / chance, (1.0 - value) / (1.0 - chance))
    return weights


def effective_size(weights: NDArray[np.float64]) -> float:
    """Kish's effective sample size, (sum w)^2 / sum w^2; 0 where all weights are 0."""
    square = float(np.square(weights).sum())
    return float(weights.sum()) ** 2 / square if square > 0 else 0.0
