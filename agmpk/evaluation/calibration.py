"""Are the intervals right?  Coverage, CRPS and PIT of forecasts, by length of the prefix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm import tqdm

from agmpk.evaluation.leave_one_out import REFUSED, answer, cases, score_points
from agmpk.evaluation.people import people
from agmpk.evaluation.pit import pit, pit_distance
from agmpk.evaluation.resample import cluster_mean
from agmpk.forecasting.forecaster import Forecaster
from agmpk.studies import Study

LEVELS = (0.5, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Points:
    """points: one row a held-out observation, as ``score_points`` with ``prefix`` in front and a
    randomized PIT.  refused: model, compound, individual, prefix, reason; one row a refusal."""

    points: pd.DataFrame
    refused: pd.DataFrame


def calibrate(
    forecaster: Forecaster,
    studies: Mapping[str, Study],
    prefixes: Iterable[int] = range(9),
    n_samples: int = 200,
    seed: int = 0,
) -> Points:
    """Forecast every left-out individual from each prefix length and score its unseen points.

    An individual with nothing left after a prefix is left out of that prefix's rows; a refused
    case is a row of ``refused`` and the others go on.
    """
    questions = [
        case
        for p in prefixes
        for compound, study in studies.items()
        for case in cases(compound, study, p)
        # A shorter record would stand under a prefix it does not have.
        if len(case.times) and len(case.prefix) == p
    ]
    found, refused = [], []
    asked = tqdm(questions, desc=forecaster.name, unit="forecast", disable=None)
    for scored in answer(forecaster, asked, n_samples, seed):
        case, forecast = scored.case, scored.forecast
        if forecast is None:
            refused.append(scored.refused_row(forecaster.name))
            continue
        rows = score_points(forecaster.name, scored)
        rows["pit"] = pit(forecast.samples, case.observed, case.seed(seed + 1))
        rows["log_error"] = np.abs(np.log(rows["PRED"]) - np.log(rows["DV"]))
        rows.insert(3, "prefix", len(case.prefix))
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
