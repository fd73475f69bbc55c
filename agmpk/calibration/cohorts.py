"""Simulated studies beside the real development cohorts, feature by feature.

A cohort is compared with simulated studies of its kind: oral or intravenous, drug or metabolite,
single dose.  The 20 compounds of the benchmark take no part in it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from agmpk.calibration.curves import FEATURES, curve_features
from agmpk.calibration.designs import DESIGN_FEATURES, design_features
from agmpk.calibration.trials import known
from agmpk.evaluation import development_studies
from agmpk.paths import data_path
from agmpk.prior import PriorConfig, simulate
from agmpk.prior.table import to_studies
from agmpk.studies import Study

ALL_FEATURES = {**FEATURES, **DESIGN_FEATURES}
KINDS = {
    "oral": {"oral": True, "metabolite": False},
    "oral metabolite": {"oral": True, "metabolite": True},
    "intravenous": {"oral": False, "metabolite": False},
}


def features(study: Study) -> dict[str, float]:
    """Curve and design features of one study."""
    return curve_features(study) | design_features(study)


def cohort_table() -> pd.DataFrame:
    """One row a development cohort: ``cohort``, ``kind`` (see ``KINDS``) and its features."""
    catalogue = pd.read_csv(data_path("development", "cohorts.csv"), index_col="cohort")
    rows = []
    for name, study in development_studies().items():
        oral = catalogue.loc[name, "route"] == "oral"
        metabolite = catalogue.loc[name, "kind"] == "metabolite"
        kind = "intravenous" if not oral else "oral metabolite" if metabolite else "oral"
        rows.append({"cohort": name, "kind": kind} | features(study))
    return pd.DataFrame(rows)


def simulated_table(
    priors: Mapping[str, PriorConfig], studies: int = 256, seed: int = 2026
) -> pd.DataFrame:
    """One row a simulated study: ``prior``, ``kind`` and its features; ``studies`` of each kind."""
    rows = []
    for name, config in priors.items():
        for kind, is_a in KINDS.items():
            if is_a["metabolite"] and not config.metabolite.probability:
                continue
            only = known(
                config,
                dosing={
                    "oral_probability": float(is_a["oral"]),
                    "repeated_probability": 0.0,
                },
                metabolite={"probability": float(is_a["metabolite"])},
            )
            for study in to_studies(simulate(only, studies, seed)):
                rows.append({"prior": name, "kind": kind} | features(study))
    return pd.DataFrame(rows)


def rank_table(real: pd.DataFrame, simulated: pd.DataFrame) -> pd.DataFrame:
    """The place of every cohort in every prior, one row a cohort, prior and feature.

    Columns: cohort, kind, prior, feature, meaning, real, q5, q50, q95 and ``rank``: the share of
    simulated studies of that kind below the real value (ties count half).
    """
    rows = []
    for (prior, kind), group in simulated.groupby(["prior", "kind"], sort=False):
        for _, cohort in real[real["kind"] == kind].iterrows():
            for feature, meaning in ALL_FEATURES.items():
                values, value = group[feature].dropna().to_numpy(float), cohort[feature]
                if not len(values) or not np.isfinite(value):
                    continue
                low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
                rows.append(
                    {
                        "cohort": cohort["cohort"],
                        "kind": kind,
                        "prior": prior,
                        "feature": feature,
                        "meaning": meaning,
                        "real": float(value),
                        "q5": low,
                        "q50": middle,
                        "q95": high,
                        "rank": float(np.mean(values < value) + 0.5 * np.mean(values == value)),
                    }
                )
    return pd.DataFrame(rows)


def edge_table(ranks: pd.DataFrame) -> pd.DataFrame:
    """How often real cohorts lie at the edge, one row a feature and prior.

    Columns: cohorts, ``outside`` (number outside the central 90 %), ``low`` and ``high`` (of
    these, below and above) and ``mean_rank``, 0.5 where the prior is centred on the cohorts.
    """
    frame = ranks.assign(low=ranks["rank"] < 0.05, high=ranks["rank"] > 0.95)
    table = frame.groupby(["feature", "meaning", "prior"], sort=False).agg(
        cohorts=("rank", "size"),
        low=("low", "sum"),
        high=("high", "sum"),
        mean_rank=("rank", "mean"),
    )
    table.insert(1, "outside", table["low"] + table["high"])
    return table.reset_index()
