"""Is a study inside what the prior can draw?

A network trained on simulated studies answers any other as well, without a word. So a study's
context, and the samples that its target has shown, are summarized by some thirty statistics
(:mod:`agmpk.evaluation.study_statistics`) and compared with those of studies that the prior has
drawn (``data/calibration/familiar.csv.gz``, made by ``agmpk paper prior-fit familiar``). No
simulator is needed to ask.

Each statistic is turned into its normal score among simulated studies of the same kind (oral or
not, one dose or more, rich or sparse). Three distances follow: the largest score; Mahalanobis'
distance of all of them; and the largest projection on the directions in which known mistakes (wrong
units, ten-fold doses, time that runs backwards, ...; ``familiar_stresses.csv``) move the scores.
The smallest of their three ranks among simulated studies is ranked once more: its place is the
p-value, uniform for a study that was simulated too.

Shapes: J statistics, R simulated studies, N other ones, M known mistakes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from agmpk.errors import AgmpkError
from agmpk.evaluation.study_statistics import KIND, OWN, STATISTICS, kind_number, statistics
from agmpk.files import data_path
from agmpk.studies.study import Array, Individual, Study

ALARM = 0.04
"""A smaller p-value raises the alarm: below 5 % of simulated studies with room for noise."""

FEWEST = 40  # simulated studies of a kind in which a statistic is known; below, all kinds
FOLDS = 5
CUT = 4.0  # largest score in Mahalanobis' distance


@dataclass(frozen=True)
class Familiarity:
    """How a study lies among those that the prior draws.

    Attributes:
        p_value: share of simulated studies of its kind that are at least as unusual.
        familiar: whether the p-value is at least ``ALARM``.
        sentence: one sentence for a reader.
        likely: the known mistake that it resembles most, "" where it is familiar.
        worst: the statistics that are furthest out: name, meaning, value, low and high (the
            central 95 % of simulated studies), score (normal, 0 in the middle).
        compared: number of simulated studies that it was compared with.
    """

    p_value: float
    familiar: bool
    sentence: str
    likely: str
    worst: tuple[dict[str, object], ...]
    compared: int


def familiarity(study: Study, prefix: Individual | None = None) -> Familiarity:
    """Compare a context, and the samples shown of its target, with studies drawn by the prior.

    Args:
        study: the context: the study's other people, with all their samples.
        prefix: the target with its doses and the samples that it has shown; None asks about the
            context alone.

    Raises:
        AgmpkError: the reference table is missing, or nothing in the study can be compared.
    """
    found = statistics(study, prefix)
    if np.isnan(found["last_time"]):
        raise AgmpkError(
            f"The study of {study.compound} has no quantified sample after a dose; "
            "there is nothing to compare with the prior."
        )
    law, kind = reference_law(prefix is not None), kind_number(found)
    values = np.array([found[name] for name in law.names])
    scores, p = np.nan_to_num(law.ruler.scaled(values, kind)), law.p_value(values, kind)
    usual, worst = law.central(kind), []
    for j in np.argsort(-np.abs(scores), kind="stable")[:3].tolist():
        meaning, unit, scale = STATISTICS[law.names[j]]
        texts = (_written(x, unit, scale) for x in (values[j], *usual[:, j]))
        row = dict(zip(("value", "low", "high"), texts, strict=True))
        about = {"statistic": law.names[j], "meaning": meaning}
        worst.append(about | row | {"score": float(scores[j])})
    likely = "" if p >= ALARM else law.likely(scores)
    sentence = _sentence(study.compound, p, likely, worst[0])
    return Familiarity(p, p >= ALARM, sentence, likely, tuple(worst), len(law.unusual))


def _written(value: float, unit: str, scale: str) -> str:
    if not np.isfinite(value):
        return "unknown"
    if scale == "share":
        return f"{100 * value:.0f} %"
    return f"{np.exp(value) if scale == 'log' else value:.2g} {unit}".strip()


def _sentence(compound: str, p: float, likely: str, worst: Mapping[str, object]) -> str:
    if p >= ALARM:
        return f"The study of {compound} lies within what the prior draws (p = {p:.2g})."
    # No mistake of units or doses makes curves smoother or rougher.
    like = "" if worst["statistic"] == "roughness" else f", most like {likely}"
    return (
        f"The study of {compound} lies outside of what the prior draws (p = {p:.2g}): "
        f"{worst['meaning']} is {worst['value']} where simulated studies of its kind have "
        f"{worst['low']} to {worst['high']}{like}; check units, doses and times before using the "
        "forecast."
    )


class Score:
    """The normal score of a statistic among simulated ones: ranks, and beyond them a line."""

    def __init__(self, values: Array) -> None:
        self.at, counts = np.unique(values, return_counts=True)
        middle = np.cumsum(counts) - 0.5 * counts  # ties share their middle rank
        self.z = ndtri(middle / counts.sum())
        inner = np.quantile(values, [0.05, 0.95])
        spread = 1e-3 + 0.02 * (inner[1] - inner[0])
        self.slopes = [
            abs((abs(self.z[k]) - 1.64) / max(abs(self.at[k] - inner[k]), spread)) for k in (0, -1)
        ]

    def __call__(self, x: Array) -> Array:
        below, above = np.maximum(self.at[0] - x, 0), np.maximum(x - self.at[-1], 0)
        return np.interp(x, self.at, self.z) - below * self.slopes[0] + above * self.slopes[1]


class Ruler:
    """Measures how far studies lie out, against R simulated ones.

    A statistic is centred on the median of its kind of study and divided by the distance from
    there to the 5 or 95 % quantile, whichever side it is on; then the kinds are pooled, so that
    the tails rest on all R studies.

    Args:
        values: [R, J] statistics; NaN where unknown.
        kinds: [R] number of the kind of each study.
        shifts: [M, J] what each of M known mistakes does to the scores.

    The methods take statistics [N, J] of kinds [N], or [J] of one study of a kind.
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

    def centred(self, values: Array, kinds: NDArray[np.int64] | int) -> Array:
        """Distances of statistics from the median of their kind, in its widths."""
        away = values - self.middle[kinds]
        return away / np.where(away < 0, self.below[kinds], self.above[kinds])

    def scaled(self, values: Array, kinds: NDArray[np.int64] | int) -> Array:
        """Normal scores of statistics; NaN where unknown."""
        centred = self.centred(values, kinds)
        return np.array([f(x) for f, x in zip(self.scores, centred.T, strict=True)]).T

    def distances(self, values: Array, kinds: NDArray[np.int64] | int) -> Array:
        """The largest score, Mahalanobis' distance, and the largest projection, [N, 3]."""
        z = np.nan_to_num(self.scaled(values, kinds))
        cut = z.clip(-CUT, CUT)
        joint = np.einsum("...j,jk,...k->...", cut, self.inverse, cut)
        likely = (cut @ self.directions.T).max(-1, initial=0.0)
        return np.stack([np.abs(z).max(-1), joint, likely], axis=-1)


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

    def likely(self, scores: Array) -> str:
        """The known mistake in whose direction a study of these scores [J] lies furthest out."""
        along = self.ruler.directions @ scores.clip(-CUT, CUT)
        return self.mistakes[int(along.argmax())] if len(along) else "nothing known"

    def smaller_rank(self, found: Array) -> Array:
        """The smaller share of simulated studies that lie as far out by any distance, [N]."""
        less = [np.searchsorted(law, x) for law, x in zip(self.far.T, found.T, strict=True)]
        return 1 - np.max(less, axis=0) / len(self.far)

    def p_value(self, values: Array, kind: int) -> float:
        """Share of the simulated studies that are at least as unusual, itself counted."""
        rank = self.smaller_rank(self.ruler.distances(values, kind))
        more = np.searchsorted(self.unusual, rank, side="right")
        return float((more + 1) / (len(self.unusual) + 1))

    def central(self, kind: int) -> Array:
        """The ends [2, J] of the central 95 % of simulated studies of the kind."""
        same = self.values[self.kinds == kind]
        return _quantiles(same if len(same) >= FEWEST else self.values, (0.025, 0.975))


def law_of(table: pd.DataFrame, stresses: pd.DataFrame, with_target: bool = True) -> Law:
    """The law of how unusual simulated studies are.

    Args:
        table: one row a simulated study, columns ``STATISTICS`` and ``KIND``.
        stresses: one row a known mistake, column ``stress`` and its mean change of the normal
            scores of the ``STATISTICS``; may be empty.
        with_target: whether the statistics of a target's own samples count.
    """
    missing = [name for name in (*STATISTICS, *KIND) if name not in table]
    if missing:
        raise AgmpkError(
            f"The reference of simulated studies lacks {', '.join(missing)}; make it again."
        )
    names = [name for name in STATISTICS if with_target or name not in OWN]
    return Law(table[names], kind_number(table).to_numpy(), stresses.set_index("stress")[names])


@lru_cache(maxsize=2)
def reference_law(with_target: bool) -> Law:
    """The law of simulated studies that :func:`familiarity` asks, with a target's samples or
    without."""
    folder = data_path("calibration", "familiar.csv.gz").parent
    files = folder / "familiar.csv.gz", folder / "familiar_stresses.csv"
    return law_of(*map(pd.read_csv, files), with_target)
