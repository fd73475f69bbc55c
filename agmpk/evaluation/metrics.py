"""Scores of a forecast against what was observed.  S samples, T times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def log_rmse(predicted: NDArray[np.float64], observed: NDArray[np.float64]) -> float:
    """sqrt(mean((ln predicted - ln observed)**2)); 0 where there is nothing to predict, as
    published."""
    if not len(observed):
        return 0.0
    return float(np.sqrt(np.mean(np.square(np.log(predicted) - np.log(observed)))))


def crps(samples: NDArray[np.float64], observed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unbiased continuous ranked probability score [...] of samples [S, ...].

    E|X - y| - E|X - X'| / 2 (Gneiting & Raftery 2007); in the units of its arguments.
    """
    n = len(samples)
    ordered = np.sort(samples, axis=0)
    rank = np.arange(1, n + 1).reshape(-1, *[1] * (samples.ndim - 1))
    pairs = (ordered * (2 * rank - n - 1)).sum(0) / (n * (n - 1))
    return np.abs(samples - observed).mean(0) - pairs


def covered(
    samples: NDArray[np.float64],
    observed: NDArray[np.float64],
    level: float,
) -> NDArray[np.bool_]:
    """Whether the central interval of probability ``level`` holds the observation, [...]."""
    # Weibull's plotting position: a new draw of the same law is inside with exactly ``level``,
    # however few the samples (the default position makes 200 samples cover 89.1 % for 90 %).
    ends = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(samples, ends, axis=0, method="weibull")
    return (observed >= low) & (observed <= high)
