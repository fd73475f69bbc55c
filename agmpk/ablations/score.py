"""The scores of one forecaster on a list of questions, one row an individual."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import pandas as pd

from agmpk.evaluation import Case, Scored, score, score_points
from agmpk.forecasting.forecaster import Forecaster
from agmpk.forecasting.naive import NaiveForecaster

MEASURES = ("log_rmse", "crps", "coverage_90")
COLUMNS = ("studies", "compound", "individual", "n_target", *MEASURES, "log_rmse_naive", "seconds")


def score_individuals(
    forecaster: Forecaster, questions: Sequence[Case], studies: str, scoring: Mapping[str, int]
) -> pd.DataFrame:
    """Columns ``COLUMNS``: log-RMSE of the point forecast and of the naive one, mean over the
    unseen points of CRPS of ln concentration and of being inside the central 90 % interval, and
    the processor seconds that the forecast took."""
    naive = NaiveForecaster()
    rows = []
    for case in questions:
        asked = (case.context, case.prefix, case.times, scoring["samples"])
        began = time.process_time()
        forecast = forecaster.forecast(*asked, case.seed(scoring["seed"]))
        seconds = time.process_time() - began
        row = score(forecaster.name, Scored(case, forecast))
        points = score_points(forecaster.name, Scored(case, forecast))
        plain = score("naive", Scored(case, naive.forecast(*asked, 0)))
        row |= {
            "studies": studies,
            "crps": points["crps"].mean(),
            "coverage_90": row["covered_90"],
            "log_rmse_naive": plain["log_rmse"],
            "seconds": seconds,
        }
        rows.append({column: row[column] for column in COLUMNS})
    return pd.DataFrame(rows, columns=list(COLUMNS)).round(6)
