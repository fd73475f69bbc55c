"""Simulated studies as a NONMEM-style table, or as studies of the data model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from agmpk.prior.batch import SimulatedStudies
from agmpk.studies import Dose, Individual, Study, Units

# Units of the prior: doses and volumes carry theirs, concentrations follow.
UNITS = Units(time="h", concentration="mg/L", dose="mg")
COLUMNS = (
    "STUDY", "ID", "TIME", "DV", "AMT", "EVID", "MDV", "ROUTE", "DUR", "ADDL", "II", "CENS",
    "LLOQ", "WT",
)  # fmt: skip


def to_studies(batch: SimulatedStudies, first: int = 1) -> list[Study]:
    """One ``Study`` per simulated study, named S1, S2, ... from number ``first``.

    Samples below the LLOQ are censored observations that hold the LLOQ.
    """
    reported = _reported(batch)
    kept = (batch.quantified | batch.below).numpy()
    routes = _routes(batch)
    studies = []
    for s in range(len(batch)):
        individuals = []
        for i in batch.present[s].nonzero().flatten().tolist():
            keep = kept[s, i]
            doses = tuple(
                Dose(*one)
                for one in zip(
                    batch.dose_time[s, i, batch.dosed[s, i]].tolist(),
                    batch.dose_amount[s, i, batch.dosed[s, i]].tolist(),
                    routes[s, i, batch.dosed[s, i].numpy()].tolist(),
                    batch.dose_duration[s, i, batch.dosed[s, i]].tolist(),
                    strict=True,
                )
            )
            individuals.append(
                Individual(
                    str(i + 1),
                    batch.times[s, i].numpy()[keep],
                    reported[s, i, keep],
                    doses,
                    batch.below[s, i].numpy()[keep],
                )
            )
        lloq = float(batch.lloq[s]) or None
        studies.append(Study(f"S{first + s}", tuple(individuals), UNITS, lloq))
    return studies


def to_table(batch: SimulatedStudies, first: int = 1) -> pd.DataFrame:
    """All studies below each other: one row per dose or observation, in order of time.

    A sample at the very time of a dose stands in the row before it: a trough.

    Columns as ``nonmem.write.to_frame`` has them, with STUDY in front and the LLOQ [mg/L] of each
    observation (missing where the study has none) and the body weight WT [kg] behind.
    """
    kept = (batch.quantified | batch.below).numpy()
    s, i, t = np.nonzero(kept)
    ds, di, dk = np.nonzero(batch.dosed.numpy())
    lloq = batch.lloq.numpy()
    doses = {
        "study": ds,
        "person": di,
        "TIME": batch.dose_time.numpy()[ds, di, dk],
        "AMT": batch.dose_amount.numpy()[ds, di, dk],
        "EVID": 1,
        "ROUTE": _routes(batch)[ds, di, dk],
        "DUR": batch.dose_duration.numpy()[ds, di, dk],
        "ADDL": 0,
        "II": 0.0,
    }
    samples = {
        "study": s,
        "person": i,
        "TIME": batch.times.numpy()[s, i, t],
        "DV": _reported(batch)[s, i, t],
        "EVID": 0,
        "CENS": batch.below.numpy()[s, i, t].astype(np.int64),
        "LLOQ": np.where(lloq[s] > 0, lloq[s], np.nan),
    }
    rows = pd.concat([pd.DataFrame(doses), pd.DataFrame(samples)], ignore_index=True)
    rows = rows.sort_values(
        ["study", "person", "TIME", "EVID"], kind="stable"
    )
    rows["MDV"] = rows["EVID"]
    rows["WT"] = batch.weight.numpy()[rows["study"], rows["person"]]
    rows["STUDY"] = [f"S{first + n}" for n in rows["study"]]
    rows["ID"] = (rows["person"] + 1).astype(str)
    whole = dict.fromkeys(("EVID", "MDV", "ADDL", "CENS"), "Int64")
    return rows[list(COLUMNS)].astype(whole).reset_index(drop=True)


def _reported(batch: SimulatedStudies) -> np.ndarray:
    """Reported concentrations [S, I, T], the LLOQ where they are below it."""
    return np.where(batch.below, batch.lloq.numpy()[:, None, None], batch.concentration)


def _routes(batch: SimulatedStudies) -> np.ndarray:
    intravenous = np.where(batch.dose_duration.numpy() > 0, "iv_infusion", "iv_bolus")
    return np.where(batch.dose_oral.numpy(), "oral", intravenous)
