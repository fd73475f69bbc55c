"""Bootstrap intervals that resample clusters (people): the points of a person go together."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Estimate(NamedTuple):
    """A mean and the ends of its interval, each float or [B] where B values were averaged."""

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def cluster_mean(
    values: ArrayLike,
    clusters: ArrayLike,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Mean of ``values`` [N] or [N, B] over N with a percentile interval over clusters.

    Whole clusters are drawn with replacement (Davison & Hinkley 1997, section 3.8); the mean of
    a draw is the sum of its values over their number.  NaN ends for fewer than two clusters.

    Args:
        values: NaN marks a missing value: it counts neither in sum nor in number.
        clusters: [N] label of each value's cluster.
    """
    values = np.asarray(values, dtype=float)
    wide = values.reshape(len(values), -1)
    shape = values.shape[1:]
    if not len(wide):
        return Estimate(*[np.full(shape, np.nan)[()]] * 3)
    _, member = np.unique(np.asarray(clusters).astype(str), return_inverse=True)
    known = np.isfinite(wide)
    sums = np.zeros((member.max() + 1, wide.shape[1]))
    counts = np.zeros_like(sums)
    np.add.at(sums, member, np.where(known, wide, 0.0))
    np.add.at(counts, member, known)
    # How often each cluster is drawn, not which: a product then sums each draw.
    times = np.random.default_rng(seed).multinomial(
        len(sums), np.full(len(sums), 1 / len(sums)), size=draws
    )
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column without any value
        value = sums.sum(0) / counts.sum(0)
        drawn = (times @ sums) / (times @ counts)
        low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    if len(sums) < 2:
        low = high = np.full(len(value), np.nan)
    # [()] makes a number of an array without axes.
    return Estimate(*(part.reshape(shape)[()] for part in (value, low, high)))
