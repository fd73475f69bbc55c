"""Are the intervals right?  Coverage, CRPS and PIT of forecasts, by length of the prefix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import kstest
from tqdm import tqdm

from agmpk.evaluation.compare import score_points
from agmpk.evaluation.intervals import cluster_mean, people
from agmpk.evaluation.protocol import REFUSED, answer, cases
from agmpk.evaluation.scores import LEVELS
from agmpk.forecasting import Forecaster
from agmpk.studies import Study


@dataclass(frozen=True)
class Points:
    """points: one row a held-out observation, as ``score_points`` with ``prefix``, the number of
    quantified samples that were shown.  refused: model, compound, individual, prefix, reason; one
    row a refusal."""

    points: pd.DataFrame
    refused: pd.DataFrame


def calibrate(
    forecaster: Forecaster,
    studies: Mapping[str, Study],
    prefixes: Iterable[int] = range(9),
    n_samples: int = 200,
    seed: int = 0,
    protocol: str = "study",
) -> Points:
    """Forecast every left-out individual from each prefix length and score its unseen points.

    An individual with nothing left after a prefix is left out of that prefix's rows; a refused
    case is a row of ``refused`` and the others go on.
    """
    questions = [
        case
        for p in prefixes
        for compound, study in studies.items()
        for case in cases(compound, study, p, protocol)
        # A shorter record would stand under a prefix it does not have.
        if case.held_out and len(case.prefix.quantifiable()) == p
    ]
    found, refused = [], []
    asked = tqdm(questions, desc=forecaster.name, unit="forecast", disable=None)
    for scored in answer(forecaster, asked, n_samples, seed):
        if scored.answer is None:
            refused.append(scored.refused_row(forecaster.name))
            continue
        rows = score_points(forecaster.name, scored, seed)
        rows.insert(3, "prefix", len(scored.case.prefix.quantifiable()))
        found.append(rows)
    points = pd.concat(found, ignore_index=True) if found else pd.DataFrame()
    return Points(points, pd.DataFrame(refused, columns=REFUSED))


def calibration_table(
    points: pd.DataFrame,
    by: Sequence[str] = ("model",),
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Tidy table of calibration per group: one row a quantity, intervals by bootstrap of people.

    ``by`` names columns of ``points``, e.g. ``("model", "prefix")`` or ``("model", "compound")``.
    Quantities: ``in_50`` ... ``in_95`` (share of points inside the central interval), ``crps``
    (of ln concentration), ``log_error`` (|ln PRED - ln DV|), ``pit_mean`` (0.5 is right, below
    means forecasts too high), ``pit_spread`` (12 x mean (PIT - 0.5)^2: 1 is right, above 1 too
    narrow or off, below 1 too wide), ``pit_ks`` (distance from uniform, no interval).
    Columns: by..., quantity, nominal, value, low, high, n_points, n_people.
    """
    rows = []
    for key, group in points.groupby(list(by), sort=False):
        person = people(group)
        values = {f"in_{100 * one:g}": (one, group[f"in_{100 * one:g}"]) for one in LEVELS}
        values |= {
            "crps": (np.nan, group["crps"]),
            "log_error": (np.nan, group["log_error"]),
            "pit_mean": (0.5, group["pit"]),
            "pit_spread": (1.0, 12 * (group["pit"] - 0.5) ** 2),
        }
        common = dict(zip(by, key, strict=True))
        size = {"n_points": len(group), "n_people": person.nunique()}
        table = np.column_stack([column.to_numpy(float) for _, column in values.values()])
        found = zip(*cluster_mean(table, person, level, draws, seed), strict=True)
        for (name, (nominal, _)), (value, low, high) in zip(values.items(), found, strict=True):
            rows.append(
                common
                | {"quantity": name, "nominal": nominal, "value": value, "low": low, "high": high}
                | size
            )
        rows.append(
            common
            | {"quantity": "pit_ks", "nominal": 0.0, "value": pit_distance(group["pit"])}
            | size
        )
    return pd.DataFrame(rows)


def pit_histogram(
    pits: ArrayLike, clusters: ArrayLike, bins: int = 10, level: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """Density of PIT values [N] per bin, with an interval by bootstrap of ``clusters`` [N].

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


def outside_table(
    points: pd.DataFrame, by: Sequence[str] = ("model",), level: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """Shares of observations below, above and outside the central 90 % of the generated ones (5 %,
    5 % and 10 % are right) and mean PIT (0.5 is right), with bootstrap intervals over people.

    ``points`` as in :class:`agmpk.evaluation.cohorts.CohortEvaluation`; ``by`` names columns of it.
    Columns: by..., measure, value, low, high, n.
    """
    rows = []
    for key, group in points.groupby(list(by), sort=False):
        values = {
            "below": group["outside"] < 0,
            "above": group["outside"] > 0,
            "outside": group["outside"] != 0,
            "pit_mean": group["pit"],
        }
        table = np.column_stack([column.to_numpy(float) for column in values.values()])
        found = cluster_mean(table, people(group), level, seed=seed)
        for measure, value, low, high in zip(values, *found, strict=True):
            rows.append(
                dict(zip(by, key, strict=True))
                | {"measure": measure, "value": value, "low": low, "high": high, "n": len(group)}
            )
    return pd.DataFrame(rows)
