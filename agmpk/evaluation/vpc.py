"""Visual predictive check (Holford 2005), also prediction-corrected (Bergstrand et al. 2011).

Shapes: N observations of a study (all individuals, one below the other), K simulated replicates of
the whole study: row k holds one simulated value for each of the N observations.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agmpk.errors import AgmpkError

PERCENTILES = (5.0, 50.0, 95.0)
CLOSEST = 0.05  # samples nearer than this, relative to their time, are of one nominal time


def time_bins(times: NDArray[np.float64], minimum: int = 5) -> NDArray[np.int64]:
    """The bin 0, 1, ... of every observation time [N] (h, > 0), in order of time.

    The contract: bins follow the nominal times.  The sorted times are cut at their largest gaps
    of ln time first, and a cut is made only where both sides keep ``minimum`` points or more and
    the gap is wider than ``CLOSEST``.  So equal times are never separated, samples a few minutes
    off their nominal time stay with it, and no bin has fewer than ``minimum`` points (one bin
    where there are fewer than two such).

    Raises:
        AgmpkError: there is no time, or one that is not positive.
    """
    times = np.asarray(times, dtype=float)
    if not len(times) or not np.all(times > 0):
        raise AgmpkError("A visual predictive check needs observations at times after the dose.")
    order = np.argsort(times, kind="stable")
    gaps = np.diff(np.log(times[order]))
    cuts = [0, len(times)]
    for k in np.argsort(-gaps, kind="stable"):
        here = np.searchsorted(cuts, k + 1)
        inside = k + 1 - cuts[here - 1] >= minimum and cuts[here] - k - 1 >= minimum
        if gaps[k] > CLOSEST and inside:
            cuts.insert(here, int(k) + 1)
    bins = np.empty(len(times), dtype=np.int64)
    for number, (start, stop) in enumerate(zip(cuts, cuts[1:], strict=False)):
        bins[order[start:stop]] = number
    return bins


def vpc(
    times: NDArray[np.float64],
    observed: NDArray[np.float64],
    simulated: NDArray[np.float64],
    bins: NDArray[np.int64] | None = None,
    minimum: int = 5,
    level: float = 0.95,
    percentiles: Sequence[float] = PERCENTILES,
) -> pd.DataFrame:
    """Percentiles of observed and simulated concentrations in bins of time, one row each.

    Args:
        times: [N] h after the dose.
        observed: [N] in any unit.
        simulated: [K, N] in the same unit; each row one replicate of the study with its own
            design, so that a percentile's band is what chance gives for that many individuals.
        bins: [N] bin of each observation; by default :func:`time_bins` with ``minimum``.
        level: probability of the band of a simulated percentile over the replicates.
        percentiles: in percent.

    Returns: bin, time (median of the bin), start, end (first and last time), n, percentile,
        observed, simulated (median over replicates), low, high, outside (observed beyond its band).
    """
    bins = time_bins(times, minimum) if bins is None else bins
    rows = []
    for number in np.unique(bins):
        here = bins == number
        seen = np.percentile(observed[here], percentiles)
        drawn = np.percentile(simulated[:, here], percentiles, axis=1)  # [percentiles, K]
        ends = [(1 - level) / 2, 0.5, (1 + level) / 2]
        low, middle, high = np.quantile(drawn, ends, axis=1, method="weibull")
        for k, percentile in enumerate(percentiles):
            rows.append(
                {
                    "bin": int(number),
                    "time": float(np.median(times[here])),
                    "start": float(times[here].min()),
                    "end": float(times[here].max()),
                    "n": int(here.sum()),
                    "percentile": percentile,
                    "observed": seen[k],
                    "simulated": middle[k],
                    "low": low[k],
                    "high": high[k],
                    "outside": bool(not low[k] <= seen[k] <= high[k]),
                }
            )
    return pd.DataFrame(rows)


def share_below(
    times: NDArray[np.float64],
    below: NDArray[np.bool_],
    limits: NDArray[np.float64],
    simulated: NDArray[np.float64],
    minimum: int = 5,
    level: float = 0.95,
) -> pd.DataFrame:
    """Share of samples below the limit of quantification in bins of time, observed and simulated:
    the panel that a VPC of quantified samples needs beside it (Bergstrand & Karlsson 2009).

    Args:
        times, below: [N] of all samples, h after the dose and whether below.
        limits: [N] > 0 the limit that holds for each; simulated: [K, N] in the same unit.

    Returns: bin, time, n, observed, simulated (median over replicates), low, high; one row a bin.
    """
    bins = time_bins(times, minimum)
    ends = [(1 - level) / 2, 0.5, (1 + level) / 2]
    rows = []
    for number in np.unique(bins):
        here = bins == number
        drawn = (simulated[:, here] < limits[here]).mean(1)
        low, middle, high = np.quantile(drawn, ends)
        seen = float(below[here].mean())
        rows.append((int(number), float(np.median(times[here])), int(here.sum()), seen,
                     middle, low, high))  # fmt: skip
    columns = ["bin", "time", "n", "observed", "simulated", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def prediction_correct(
    observed: NDArray[np.float64],
    simulated: NDArray[np.float64],
    bins: NDArray[np.int64],
    predicted: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Prediction-corrected observations [N] and simulations [K, N], for :func:`vpc`.

    y times (median prediction of its bin) / (its prediction), eq. 1 of Bergstrand et al. 2011
    with a lower bound of 0: what dose, schedule and time in the bin explain is taken out.

    Args:
        predicted: [N] > 0, the typical prediction of each observation; by default the median of
            its simulations, since a generative model has no typical individual.
    """
    predicted = np.median(simulated, axis=0) if predicted is None else np.asarray(predicted)
    factor = np.empty(len(observed))
    for number in np.unique(bins):
        here = bins == number
        factor[here] = np.median(predicted[here]) / predicted[here]
    return observed * factor, simulated * factor
