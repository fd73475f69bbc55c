"""How many observations lie outside what was generated for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from agmpk.evaluation.people import people
from agmpk.evaluation.resample import cluster_mean


def outside_table(
    points: pd.DataFrame, by: Sequence[str] = ("model",), level: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """Shares of observations below, above and outside the central 90 % of the generated ones (5 %,
    5 % and 10 % are right) and mean PIT (0.5 is right), with bootstrap intervals over people.

    ``points`` as in :class:`agmpk.cohorts.CohortEvaluation`; ``by`` names columns of it.
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
