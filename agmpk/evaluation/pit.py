"""Probability integral transform of a forecast: uniform where the forecast is right.

Below 0.5 on average: the observations are lower than forecast.  Too narrow a forecast piles the
values up at 0 and 1, too wide a one in the middle (Gneiting, Balabdaoui & Raftery 2007).
Shapes: S samples, N observations.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kstest

from agmpk.evaluation.resample import cluster_mean


def pit(
    samples: NDArray[np.float64], observed: NDArray[np.float64], seed: int = 0
) -> NDArray[np.float64]:
    """Randomized PIT [...] in (0, 1) of ``observed`` [...] among ``samples`` [S, ...].

    (number below + U (number equal + 1)) / (S + 1) with U uniform: exactly uniform where
    observation and samples are draws of one law, however few the samples and also with ties
    (Smith 1985; Czado, Gneiting & Held 2009).  Any increasing transform gives the same value.
    """
    below = (samples < observed).sum(0)
    equal = (samples == observed).sum(0)
    u = np.random.default_rng(seed).random(np.shape(observed))
    return (below + u * (equal + 1)) / (len(samples) + 1)


def pit_histogram(
    pits: ArrayLike, clusters: ArrayLike, bins: int = 10, level: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """Density of PIT values per bin, with an interval by bootstrap of ``clusters`` [N].

    Columns: left, right, density (1 is right), low, high.
    """
    pits = np.asarray(pits, dtype=float)
    edges = np.linspace(0, 1, bins + 1)
    member = np.clip(np.searchsorted(edges, pits, side="right") - 1, 0, bins - 1)
    inside = np.eye(bins)[member] * bins
    density, low, high = cluster_mean(inside, clusters, level=level, seed=seed)
    return pd.DataFrame(
        {"left": edges[:-1], "right": edges[1:], "density": density, "low": low, "high": high}
    )


def pit_distance(pits: ArrayLike) -> float:
    """Kolmogorov-Smirnov distance of PIT values [N] from the uniform law.

    No p-value: the points of an individual depend on each other.
    """
    pits = np.asarray(pits, dtype=float)
    return float(kstest(pits, "uniform").statistic) if len(pits) else np.nan
