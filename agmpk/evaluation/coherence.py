"""Do the points of a generated individual belong together as those of a real one do?

Each point of a curve becomes a normal score, its rank among all curves generated for the same
individual and time.  If a curve runs high at one sample, how high is it at the next?  The
correlation of consecutive scores answers: 0 for points drawn one by one, near 1 for parallel
curves, and the same for generated and real individuals where the model is right.

Shapes: n individuals, S curves generated for each, T times (of its own).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata

from agmpk.errors import AgmpkError
from agmpk.evaluation.scores import pit


def coherence(
    observed: Sequence[NDArray[np.float64]],
    generated: Sequence[NDArray[np.float64]],
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Correlation of consecutive scores of observed and generated curves, and their difference.

    Args:
        observed: per individual, concentrations [T]; those with T < 2 do not count.
        generated: per individual, concentrations [S, T] at the same times, S >= 2.
        clusters: [n] person of each individual; by default everybody is somebody else.

    Returns: which (``observed``, ``generated``, ``gap`` = generated - observed), value, low, high
        (bootstrap over people), n (individuals).

    Raises:
        AgmpkError: no individual has two points.
    """
    n = len(observed)
    clusters = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    keep = [k for k in range(n) if len(observed[k]) > 1]
    if not keep:
        raise AgmpkError("Coherence needs individuals with two observations or more.")
    rows = []
    for k in keep:
        made = generated[k]
        scores = norm.ppf((rankdata(made, axis=0) - 0.5) / len(made))
        real = norm.ppf(pit(made, observed[k], seed + k))[None]
        rows.append(np.concatenate([_sums(real), _sums(scores)]))
    sums = np.array(rows)  # [n, 6]
    size = int(clusters.max()) + 1
    by_person = np.zeros((size, 6))
    np.add.at(by_person, clusters[keep], sums)
    times = np.random.default_rng(seed).multinomial(size, np.full(size, 1 / size), size=draws)
    value, drawn = _correlations(sums.sum(0)), _correlations(times @ by_person)
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return pd.DataFrame(
        {
            "which": ["observed", "generated", "gap"],
            "value": value,
            "low": low,
            "high": high,
            "n": len(keep),
        }
    )


def _sums(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over curves [S, T] of the sums of products and squares of consecutive scores, [3]."""
    a, b = scores[:, :-1], scores[:, 1:]
    return np.array([(a * b).sum(), (a * a).sum(), (b * b).sum()]) / len(scores)


def _correlations(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """observed, generated and gap [..., 3] from sums [..., 6]; scores have mean 0 by right."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found = [sums[..., k] / np.sqrt(sums[..., k + 1] * sums[..., k + 2]) for k in (0, 3)]
    return np.stack([*found, found[1] - found[0]], axis=-1)
