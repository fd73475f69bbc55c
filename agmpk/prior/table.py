"""Simulated studies as a NONMEM-style table, or as studies of the data model."""

from __future__ import annotations

import pandas as pd

from agmpk.prior.batch import SimulatedStudies
from agmpk.studies import Dose, Individual, Study, Units

# Units of the prior: doses and volumes carry theirs, concentrations follow.
UNITS = Units(time="h", concentration="mg/L", dose="mg")


def to_studies(batch: SimulatedStudies, first: int = 1) -> list[Study]:
    """One ``Study`` per simulated study, named S1, S2, ... from number ``first``."""
    studies = []
    for s in range(len(batch)):
        oral, duration = bool(batch.oral[s]), float(batch.duration[s])
        route = "oral" if oral else "iv_infusion" if duration > 0 else "iv_bolus"
        individuals = []
        for i in batch.present[s].nonzero().flatten().tolist():
            keep = batch.quantified[s, i]
            individuals.append(
                Individual(
                    str(i + 1),
                    batch.times[s, i, keep].numpy(),
                    batch.concentration[s, i, keep].numpy(),
                    (Dose(0.0, float(batch.dose[s, i]), route, duration),),
                )
            )
        lloq = float(batch.lloq[s]) or None
        studies.append(Study(f"S{first + s}", tuple(individuals), UNITS, lloq))
    return studies


def to_table(batch: SimulatedStudies, first: int = 1) -> pd.DataFrame:
    """All studies below each other, with a STUDY column in front."""
    frames = []
    for study in to_studies(batch, first):
        frame = study.to_frame()
        frame.insert(0, "STUDY", study.compound)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)
