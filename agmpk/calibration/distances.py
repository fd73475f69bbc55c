"""How far the literature lies from a prior, one quantity at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

LEVELS = (0.025, 0.25, 0.5, 0.75, 0.975)


def distances(
    real: NDArray[np.float64],
    simulated: NDArray[np.float64],
    weights: NDArray[np.float64] | None = None,
) -> dict[str, float]:
    """``wasserstein`` (in the unit of the values), ``ks``, and the shares ``inside_50`` and
    ``inside_95`` of the real values within the central 50 and 95 % of the simulated ones.

    ``weights`` of the simulated values need not sum to 1; without them all weigh the same.
    """
    if weights is None:
        weights = np.ones(len(simulated))
    order = np.argsort(simulated)
    values, share = simulated[order], np.cumsum(weights[order]) / weights.sum()
    low95, low50, _, high50, high95 = _quantiles(values, share)
    return {
        "wasserstein": float(wasserstein_distance(real, simulated, v_weights=weights)),
        "ks": _ks(np.sort(real), values, share),
        "inside_50": float(np.mean((real >= low50) & (real <= high50))),
        "inside_95": float(np.mean((real >= low95) & (real <= high95))),
    }


def _quantiles(values: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.searchsorted(share, np.array(LEVELS) - 1e-12).clip(max=len(values) - 1)]


def _ks(
    real: NDArray[np.float64], values: NDArray[np.float64], share: NDArray[np.float64]
) -> float:
    """Largest distance between the two distribution functions, which change at these points."""
    at = np.concatenate([real, values])
    steps = np.concatenate([[0.0], share])
    simulated = steps[np.searchsorted(values, at, side="right")]
    return float(np.abs(np.searchsorted(real, at, side="right") / len(real) - simulated).max())


def bootstrap(
    real: NDArray[np.float64], simulated: NDArray[np.float64], repeats: int, seed: int
) -> dict[str, tuple[float, float]]:
    """Central 95 % of each distance when the articles are drawn again with replacement.

    The simulated sample is as large as one likes, so its own noise is left out.
    """
    rng = np.random.default_rng(seed)
    rows = [distances(rng.choice(real, len(real)), simulated) for _ in range(repeats)]
    return {
        name: tuple(float(q) for q in np.quantile([row[name] for row in rows], [0.025, 0.975]))
        for name in rows[0]
    }
