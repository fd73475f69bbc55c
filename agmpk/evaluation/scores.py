"""Scores of forecasts against what was observed, each computed here and nowhere else.

Shapes: S samples; ``...`` any axes of observations.  An observation below the limit of
quantification is known to be smaller than its limit, and only that:

* PIT: uniform between 0 and the forecast's probability of being below the limit;
* coverage: the share of that probability which lies inside the interval, so that an exact
  forecast covers as promised with any share of samples below the limit (to call every such
  observation covered whose interval reaches below the limit would flatter the model);
* log-RMSE and CRPS: missing; such samples are counted instead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

LEVELS = (0.5, 0.8, 0.9, 0.95)


def log_rmse(predicted: Array, observed: Array) -> float:
    """sqrt(mean((ln predicted - ln observed)**2)); 0 where there is nothing to predict, as
    published."""
    errors = np.log(predicted) - np.log(observed)
    return float(np.sqrt(np.mean(np.square(errors)))) if len(observed) else 0.0


def crps(samples: Array, observed: Array) -> Array:
    """Unbiased continuous ranked probability score [...] of samples [S, ...]; NaN if S < 2.

    E|X - y| - E|X - X'| / 2 (Gneiting & Raftery 2007); in the units of its arguments.
    """
    n = len(samples)
    if n < 2:
        return np.full(np.shape(observed), np.nan)
    ordered = np.sort(samples, axis=0)
    rank = np.arange(1, n + 1).reshape(-1, *[1] * (samples.ndim - 1))
    pairs = (ordered * (2 * rank - n - 1)).sum(0) / (n * (n - 1))
    return np.abs(samples - observed).mean(0) - pairs


def points_outside(samples: Array, observed: Array, level: float = 0.9) -> Array:
    """1.0 above, -1.0 below the central interval of probability ``level``, 0.0 inside, [...].

    A right model leaves (1 - ``level``) / 2 of the points on each side, whatever S.
    """
    # Weibull's plotting position: a new draw of the same law is inside with exactly ``level``,
    # however few the samples (the default position makes 200 samples cover 89.1 % for 90 %).
    ends = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(samples, ends, axis=0, method="weibull")
    return np.where(observed > high, 1.0, np.where(observed < low, -1.0, 0.0))


def covered(samples: Array, observed: Array, level: float) -> NDArray[np.bool_]:
    """Whether the central interval of probability ``level`` holds the observation, [...]."""
    return points_outside(samples, observed, level) == 0


def probability_below(samples: Array, limits: Array) -> Array:
    """Forecast probability [...] of being below ``limits`` [...], (number below + 1) / (S + 1)."""
    return ((samples < limits).sum(0) + 1) / (len(samples) + 1)


def covered_below(samples: Array, limits: Array, level: float) -> Array:
    """Expected coverage [...] of observations known to be below ``limits`` [...]: the share of
    the forecast's probability below the limit that lies inside the central interval."""
    mass = probability_below(samples, limits)
    low, high = (1 - level) / 2, (1 + level) / 2
    return np.clip(np.minimum(mass, high) - low, 0.0, None) / mass


def pit(samples: Array, observed: Array, seed: int = 0, below: ArrayLike = False) -> Array:
    """Randomized probability integral transform [...] in (0, 1) of ``observed`` [...].

    (number below + U (number equal + 1)) / (S + 1) with U uniform: exactly uniform where
    observation and samples are draws of one law, however few the samples and also with ties
    (Smith 1985; Czado, Gneiting & Held 2009).  Any increasing transform gives the same value.
    Below 0.5 on average: the observations are lower than forecast.  Too narrow a forecast piles
    the values up at 0 and 1, too wide a one in the middle (Gneiting, Balabdaoui & Raftery 2007).

    Args:
        below: bool [...], where ``observed`` is a limit that the observation is below.
    """
    smaller = (samples < observed).sum(0)
    equal = (samples == observed).sum(0)
    u = np.random.default_rng(seed).random(np.shape(observed))
    known = (smaller + u * (equal + 1)) / (len(samples) + 1)
    return np.where(below, u * probability_below(samples, observed), known)


def scores(
    samples: Array,
    observed: Array,
    below: ArrayLike = False,
    seed: int = 0,
    reported: Array | None = None,
) -> dict[str, NDArray]:
    """All scores of observations [...] from samples [S, ...], both in **ln** concentration.

    Args:
        below: bool [...], where ``observed`` is the ln of a limit that the sample is below.
        seed: of the randomized PIT.
        reported: samples [S, ...] given that a value is reported, of which CRPS is taken, where
            they are not the same.

    Returns: ``in_50`` ... ``in_95`` (inside the central interval; bool, or the expected share
        where any is ``below``), ``crps``, missing where ``below``, and ``pit``; each [...].
    """
    found: dict[str, NDArray] = {}
    for level in LEVELS:
        inside = covered(samples, observed, level)
        if np.any(below):
            inside = np.where(below, covered_below(samples, observed, level), inside)
        found[f"in_{100 * level:g}"] = inside
    values = samples if reported is None else reported
    found["crps"] = np.where(below, np.nan, crps(values, observed))
    found["pit"] = pit(samples, observed, seed, below)
    return found


def mean_scores(samples: Array, observed: Array, owner: ArrayLike) -> dict[str, float]:
    """Mean over individuals of their mean scores, from ln concentrations of N points.

    Args:
        samples: float[S, N]; observed: float[N].
        owner: int[N], whose point it is.  Of arrays with a mask: ``samples[:, mask]``,
            ``observed[mask]`` and ``np.nonzero(mask)[0]`` (or any other label of an individual).

    Returns: log_rmse of the mean of the samples, crps (NaN of one sample), coverage_90.
    """
    found = {
        "log_rmse": np.square(samples.mean(0) - observed),
        "crps": crps(samples, observed),
        "coverage_90": covered(samples, observed, 0.9),
    }
    whose, number = np.unique(owner, return_inverse=True, return_counts=True)[1:]
    # Not pandas' means, which leave NaN out: a network that diverged must not look well.
    means = {k: np.bincount(whose, v) / number for k, v in found.items()}
    means["log_rmse"] = np.sqrt(means["log_rmse"])
    return {name: float(values.mean()) for name, values in means.items()}
