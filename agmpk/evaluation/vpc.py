"""Predictive checks: the visual one (Holford 2005), also prediction-corrected (Bergstrand et al.
2011), and normalized prediction distribution errors (Comets, Brendel & Mentre 2008).

Shapes: N observations of a study (all individuals, one below the other), T of one individual; K
simulated replicates: row k holds one simulated value for each observation.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.stats import chi2, norm, shapiro, wilcoxon

from agmpk.errors import AgmpkError
from agmpk.evaluation.scores import Array, pit

PERCENTILES = (5.0, 50.0, 95.0)
BAND = [0.025, 0.5, 0.975]
FEWEST = 5  # points of a bin
CLOSEST = 0.05  # samples nearer than this, relative to their time, are of one nominal time
# Fewer simulations than these: the estimated correlations are so rough that the exact law is
# rejected far too often (of its variance in 45 % of cohorts with 40 simulations, in 8 % with 200,
# where 5 % are right; 1000 are recommended).
LEAST = 200


def time_bins(times: Array, minimum: int = FEWEST) -> NDArray[np.int64]:
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
    bins[order] = np.repeat(np.arange(len(cuts) - 1), np.diff(cuts))
    return bins


def _each(bins: NDArray[np.int64], times: Array) -> Iterator[tuple[NDArray[np.bool_], tuple]]:
    """Of each bin: who is in it; its number, median, first and last time, number of points."""
    for number in np.unique(bins):
        here = bins == number
        t = times[here]
        yield here, (int(number), float(np.median(t)), float(t.min()), float(t.max()), len(t))


def vpc(
    times: Array, observed: Array, simulated: Array, bins: NDArray[np.int64] | None = None
) -> pd.DataFrame:
    """Percentiles of observed and simulated concentrations in bins of time, one row each.

    Args:
        times: [N] h after the dose.
        observed: [N] in any unit.
        simulated: [K, N] in the same unit; each row one replicate of the study with its own
            design, so that a percentile's 95 % band is what chance gives for that many individuals.
        bins: [N] bin of each observation; by default :func:`time_bins`.

    Returns: bin, time (median of the bin), start, end (first and last time), n, percentile,
        observed, simulated (median over replicates), low, high, outside (observed beyond its band).
    """
    rows = []
    for here, about in _each(time_bins(times) if bins is None else bins, times):
        seen = np.percentile(observed[here], PERCENTILES)
        drawn = np.percentile(simulated[:, here], PERCENTILES, axis=1)  # [percentiles, K]
        ends = np.quantile(drawn, BAND, axis=1, method="weibull")
        for percentile, y, low, middle, high in zip(PERCENTILES, seen, *ends, strict=True):
            outside = bool(not low <= y <= high)
            rows.append((*about, percentile, y, middle, low, high, outside))
    columns = ["bin", "time", "start", "end", "n", "percentile"]
    columns += ["observed", "simulated", "low", "high", "outside"]
    return pd.DataFrame(rows, columns=columns)


def share_below(
    times: Array, below: NDArray[np.bool_], limits: Array, simulated: Array
) -> pd.DataFrame:
    """Share of samples below the limit of quantification in bins of time, observed and simulated:
    the panel that a VPC of quantified samples needs beside it (Bergstrand & Karlsson 2009).

    Args:
        times, below: [N] of all samples, h after the dose and whether below.
        limits: [N] > 0 the limit that holds for each; simulated: [K, N] in the same unit.

    Returns: bin, time, n, observed, simulated (median over replicates), low, high; one row a bin.
    """
    rows = []
    for here, (number, time, _, _, n) in _each(time_bins(times), times):
        drawn = (simulated[:, here] < limits[here]).mean(1)
        low, middle, high = np.quantile(drawn, BAND)
        rows.append((number, time, n, float(below[here].mean()), middle, low, high))
    columns = ["bin", "time", "n", "observed", "simulated", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def prediction_correct(
    observed: Array, simulated: Array, bins: NDArray[np.int64]
) -> tuple[Array, Array]:
    """Prediction-corrected observations [N] and simulations [K, N], for :func:`vpc`.

    y times (median prediction of its bin) / (its prediction), eq. 1 of Bergstrand et al. 2011
    with a lower bound of 0: what dose, schedule and time in the bin explain is taken out.  The
    prediction of an observation is the median of its simulations, since a generative model has no
    typical individual.
    """
    predicted = pd.Series(np.median(simulated, axis=0))
    factor = (predicted.groupby(bins).transform("median") / predicted).to_numpy()
    return observed * factor, simulated * factor


def decorrelate(observed: Array, simulated: Array) -> tuple[Array, Array]:
    """Observed [T] and simulated [K, T] centred and whitened by the simulations' mean and
    Cholesky factor L of their covariance: L^-1 (y - mean).

    Raises:
        AgmpkError: the covariance has no full rank (fewer distinct simulated curves than
            observations, as in a bootstrap of a small context).
    """
    mean = simulated.mean(0)
    covariance = np.atleast_2d(np.cov(simulated, rowvar=False))
    sd = np.sqrt(np.diag(covariance))
    degenerate = not np.all(sd > 0)
    if not degenerate:
        spectrum = np.linalg.eigvalsh(covariance / np.outer(sd, sd))
        degenerate = spectrum[0] < 1e-10 * spectrum[-1]
    if degenerate:
        raise AgmpkError(
            f"npde of {len(mean)} observations need a full-rank covariance of the simulations: "
            "use more simulations, or a generator with as many distinct curves."
        )
    root = np.linalg.cholesky(covariance)
    whiten = solve_triangular(root, np.vstack([observed, simulated]).T - mean[:, None], lower=True)
    return whiten[:, 0], whiten[:, 1:].T


def npde(observed: Array, simulated: Array, seed: int = 0, least: int = LEAST) -> Array:
    """npde [T] of one individual: N(0, 1) and uncorrelated where the model is right.

    Give ln concentrations: the decorrelation is linear, and exact for normal laws only.  Ranks
    are randomized within their step, so neither ties nor an observation beyond all simulations
    give an infinite value.  Without the decorrelation, the normal scores of :func:`pit` are npd.

    Args:
        observed: [T]; individuals may have different times, they are handled one by one.
        simulated: [K, T] at the same times, K >= 1000 recommended.
        least: number of simulations that the decorrelation needs.

    Raises:
        AgmpkError: fewer simulations than ``least``, or see :func:`decorrelate`.
    """
    if len(simulated) < least:
        raise AgmpkError(
            f"npde need {least} simulations of an individual, not {len(simulated)}: with so "
            "few, an exact model would be rejected far too often."
        )
    observed, simulated = decorrelate(observed, simulated)
    return norm.ppf(pit(simulated, observed, seed))


def npde_tests(values: Array) -> pd.DataFrame:
    """Are the npde [n] of a study N(0, 1)?  One row a test: test, statistic, p, n.

    ``wilcoxon``: signed ranks, mean 0.  ``fisher``: variance 1, (n - 1) s^2 against chi-square.
    ``shapiro``: normality.  ``global``: the smallest of the three p times three (Bonferroni), as
    in Comets et al. 2008.  NaN with fewer than three values.  The npde of an individual are
    uncorrelated, not independent, so p is somewhat too small where individuals have many points.
    """
    n = len(values)
    found = dict.fromkeys(("wilcoxon", "fisher", "shapiro", "global"), (np.nan, np.nan))
    if n >= 3:
        variance = np.var(values, ddof=1)
        tail = chi2.cdf((n - 1) * variance, n - 1)
        found = {
            "wilcoxon": (np.mean(values), wilcoxon(values).pvalue),
            "fisher": (variance, 2 * min(tail, 1 - tail)),
            "shapiro": tuple(shapiro(values)),
        }
        found["global"] = (np.nan, min(1.0, 3 * min(p for _, p in found.values())))
    rows = [(test, float(value), float(p), n) for test, (value, p) in found.items()]
    return pd.DataFrame(rows, columns=["test", "statistic", "p", "n"])
