"""Normalized prediction distribution errors (Brendel et al. 2006; Comets, Brendel & Mentre 2008).

Shapes: K simulations, T observations of one individual.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.stats import chi2, norm, shapiro, wilcoxon

from agmpk.errors import AgmpkError
from agmpk.evaluation.scores import pit

RECOMMENDED = 1000  # simulations, as in Comets et al. 2008
# Fewer: the estimated correlations are so rough that the exact law is rejected far too often (of
# its variance in 45 % of cohorts with 40 simulations, in 8 % with 200, where 5 % are right).
LEAST = 200
TESTS = ("wilcoxon", "fisher", "shapiro")


def decorrelate(
    observed: NDArray[np.float64], simulated: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Observed [T] and simulated [K, T] centred and whitened by the simulations' mean and
    Cholesky factor L of their covariance: L^-1 (y - mean).

    Raises:
        AgmpkError: the covariance has no full rank (fewer distinct simulated curves than
            observations, as in a bootstrap of a small context).
    """
    mean = simulated.mean(0)
    covariance = np.atleast_2d(np.cov(simulated, rowvar=False))
    sd = np.sqrt(np.diag(covariance))
    degenerate = len(simulated) < 2 or not np.all(sd > 0)
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


def npde(
    observed: NDArray[np.float64],
    simulated: NDArray[np.float64],
    seed: int = 0,
    correlated: bool = False,
    least: int = LEAST,
) -> NDArray[np.float64]:
    """npde [T] of one individual: N(0, 1) and uncorrelated where the model is right.

    Give ln concentrations: the decorrelation is linear, and exact for normal laws only.  Ranks
    are randomized within their step, so neither ties nor an observation beyond all simulations
    give an infinite value.

    Args:
        observed: [T]; individuals may have different times, they are handled one by one.
        simulated: [K, T] at the same times, K >= 1000 recommended.
        correlated: without the decorrelation (npd: prediction discrepancies as normal scores),
            for any number of simulations.
        least: number of simulations that the decorrelation needs.

    Raises:
        AgmpkError: fewer simulations than ``least``, or see :func:`decorrelate`.
    """
    if not correlated:
        if len(simulated) < least:
            raise AgmpkError(
                f"npde need {least} simulations of an individual, not {len(simulated)}: with so "
                "few, an exact model would be rejected far too often."
            )
        observed, simulated = decorrelate(observed, simulated)
    return norm.ppf(pit(simulated, observed, seed))


def npde_tests(values: NDArray[np.float64]) -> pd.DataFrame:
    """Are the npde [n] of a study N(0, 1)?  One row a test: test, statistic, p, n.

    ``wilcoxon``: signed ranks, mean 0.  ``fisher``: variance 1, (n - 1) s^2 against chi-square.
    ``shapiro``: normality.  ``global``: the smallest of the three p times three (Bonferroni), as
    in Comets et al. 2008.  NaN with fewer than three values.  The npde of an individual are
    uncorrelated, not independent, so p is somewhat too small where individuals have many points.
    """
    n = len(values)
    found = {name: (np.nan, np.nan) for name in TESTS}
    if n >= 3:
        variance = np.var(values, ddof=1)
        tail = chi2.cdf((n - 1) * variance, n - 1)
        found = {
            "wilcoxon": (np.mean(values), wilcoxon(values).pvalue),
            "fisher": (variance, 2 * min(tail, 1 - tail)),
            "shapiro": tuple(shapiro(values)),
        }
    smallest = min(p for _, p in found.values()) if n >= 3 else np.nan
    found["global"] = (np.nan, min(1.0, 3 * smallest) if n >= 3 else np.nan)
    return pd.DataFrame(
        [
            {"test": name, "statistic": float(statistic), "p": float(p), "n": n}
            for name, (statistic, p) in found.items()
        ]
    )
