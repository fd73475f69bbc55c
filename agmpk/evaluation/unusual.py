"""How unusual a study's statistics are among those of simulated studies.

Each statistic is turned into its normal score among simulated studies of the same kind. Three
distances follow: the largest score; Mahalanobis' distance of all of them; and the largest
projection on the directions in which known mistakes move the scores. The smallest of their three
ranks among simulated studies is ranked once more: its place is the p-value, uniform for a study
that was simulated too.

Shapes: J statistics, R simulated studies, N other ones, M known mistakes.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]

FEWEST = 40  # simulated studies of a kind in which a statistic is known; below, all kinds
FOLDS = 5
CUT = 4.0  # largest score in Mahalanobis' distance


class Score:
    """The normal score of a statistic among simulated ones: ranks, and beyond them a line."""

    def __init__(self, values: Array) -> None:
        self.at, counts = np.unique(values, return_counts=True)
        middle = np.cumsum(counts) - 0.5 * counts  # ties share their middle rank
        self.z = ndtri(middle / counts.sum())
        inner = np.quantile(values, [0.05, 0.95])
        spread = 1e-3 + 0.02 * (inner[1] - inner[0])
        self.slopes = [
            (abs(self.z[k]) - 1.64) / max(abs(self.at[k] - inner[k]), spread) for k in (0, -1)
        ]

    def __call__(self, x: Array) -> Array:
        inside = np.interp(x, self.at, self.z)
        below, above = (self.at[0] - x).clip(0), (x - self.at[-1]).clip(0)
        return inside - below * abs(self.slopes[0]) + above * abs(self.slopes[1])


class Ruler:
    """Measures how far studies lie out, against R simulated ones.

    A statistic is centred on the median of its kind of study and divided by the distance from
    there to the 5 or 95 % quantile, whichever side it is on; then the kinds are pooled, so that
    the tails rest on all R studies.

    Args:
        values: [R, J] statistics; NaN where unknown.
        kinds: [R] number of the kind of each study.
        shifts: [M, J] what each of M known mistakes does to the scores.
    """

    def __init__(self, values: Array, kinds: NDArray[np.int64], shifts: Array) -> None:
        overall = _quantiles(values)
        quantiles = []
        for kind in range(kinds.max() + 1):
            part = values[kinds == kind]
            few = np.isfinite(part).sum(0) < FEWEST
            quantiles.append(np.where(few, overall, _quantiles(part)))
        low, self.middle, high = np.array(quantiles).transpose(1, 0, 2)
        # A statistic that a kind hardly moves (dips of most curves are 0) keeps a width.
        floor = 0.1 * (overall[2] - overall[0]) + 1e-3
        self.below = np.fmax(self.middle - low, floor)
        self.above = np.fmax(high - self.middle, floor)
        centred = self.centred(values, kinds)
        self.scores = [Score(column[np.isfinite(column)]) for column in centred.T]
        cut = np.nan_to_num(self.scaled(values, kinds)).clip(-CUT, CUT)
        covariance = cut.T @ cut / len(cut) + 0.05 * np.eye(cut.shape[1])
        self.inverse = np.linalg.inv(covariance)
        # Fisher's discriminants, of unit variance over simulated studies.
        directions = shifts @ self.inverse
        length = np.sqrt(np.einsum("mj,jk,mk->m", directions, covariance, directions))
        self.directions = directions / length[:, None]

    def centred(self, values: Array, kinds: NDArray[np.int64]) -> Array:
        """Distances of statistics [N, J] from the median of their kind, in its widths."""
        away = values - self.middle[kinds]
        return away / np.where(away < 0, self.below[kinds], self.above[kinds])

    def scaled(self, values: Array, kinds: NDArray[np.int64]) -> Array:
        """Normal scores of statistics [N, J]; NaN where unknown."""
        centred = self.centred(values, kinds)
        return np.column_stack([f(x) for f, x in zip(self.scores, centred.T, strict=True)])

    def distances(self, values: Array, kinds: NDArray[np.int64]) -> Array:
        """The largest score, Mahalanobis' distance, and the largest projection, [N, 3]."""
        z = np.nan_to_num(self.scaled(values, kinds))
        cut = z.clip(-CUT, CUT)
        joint = np.einsum("nj,jk,nk->n", cut, self.inverse, cut)
        likely = (cut @ self.directions.T).max(1, initial=0.0)
        return np.column_stack([np.abs(z).max(1), joint, likely])


def _quantiles(values: Array, levels: tuple[float, ...] = (0.05, 0.5, 0.95)) -> Array:
    """Quantiles of each column, [levels, J]; NaN of an empty one."""
    return pd.DataFrame(values).quantile(list(levels)).to_numpy()


class Law:
    """The distances of R simulated studies, each from a ruler that is made of the others.

    A study lies further out for a ruler that it has not helped to make, and a new study has not:
    only such distances are comparable with those of a new one.
    """

    def __init__(self, table: pd.DataFrame, kinds: NDArray[np.int64], shifts: pd.DataFrame) -> None:
        self.names, self.values, self.kinds = list(table), table.to_numpy(float), kinds
        self.mistakes, moves, values = list(shifts.index), shifts.to_numpy(float), self.values
        self.ruler = Ruler(values, kinds, moves)
        fold, found = np.arange(len(values)) % FOLDS, np.empty((len(values), 3))
        for k in range(FOLDS):
            ruler, mine = Ruler(values[fold != k], kinds[fold != k], moves), fold == k
            found[mine] = ruler.distances(values[mine], kinds[mine])
        self.far = np.sort(found, axis=0)
        self.unusual = np.sort(self.smaller_rank(found))

    def likely(self, values: Array, kind: int) -> str:
        """The known mistake in whose direction the study lies furthest out."""
        z = np.nan_to_num(self.ruler.scaled(values[None], np.array([kind]))).clip(-CUT, CUT)
        along = (z @ self.ruler.directions.T)[0]
        return self.mistakes[int(along.argmax())] if len(along) else "nothing known"

    def smaller_rank(self, found: Array) -> Array:
        """The smaller share of simulated studies that lie as far out by any distance, [N]."""
        less = [
            np.searchsorted(law, x, side="left") for law, x in zip(self.far.T, found.T, strict=True)
        ]
        return 1 - np.max(less, axis=0) / len(self.far)

    def p_value(self, values: Array, kind: int) -> float:
        """Share of the simulated studies that are at least as unusual, itself counted."""
        (rank,) = self.smaller_rank(self.ruler.distances(values[None], np.array([kind])))
        more = np.searchsorted(self.unusual, rank, side="right")
        return float((more + 1) / (len(self.unusual) + 1))

    def worst(self, values: Array, kind: int, n: int = 3) -> list[tuple[int, float, float, float]]:
        """The ``n`` statistics furthest from the middle of simulated studies of the kind: number,
        the central 95 % of these studies, normal score."""
        (z,) = np.nan_to_num(self.ruler.scaled(values[None], np.array([kind])))
        low, high = self.central(kind)
        order = np.argsort(-np.abs(z), kind="stable")[:n].tolist()
        return [(j, float(low[j]), float(high[j]), float(z[j])) for j in order]

    def central(self, kind: int) -> Array:
        """The ends [2, J] of the central 95 % of simulated studies of the kind."""
        same = self.values[self.kinds == kind]
        return _quantiles(same if len(same) >= FEWEST else self.values, (0.025, 0.975))
