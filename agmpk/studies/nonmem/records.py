"""From sound records to studies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from agmpk.studies.dose import Dose
from agmpk.studies.individual import Individual
from agmpk.studies.study import Study
from agmpk.studies.units import Units


@dataclass(frozen=True)
class Settings:
    """What a table's units line says; ``hours`` is the length of its time unit [h]."""

    hours: float = 1.0
    concentration: str = "ng/mL"
    dose: str = "mg"
    compound: str | None = None
    lloq: float | None = None


def parts(records: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the (study, analyte) pairs of a table in the order of their first observation."""
    observed = records[records["KIND"] == "observation"]
    labelled = records[records["ANALYTE"] != ""]
    source = next((frame for frame in (observed, labelled) if len(frame)), records)
    pairs = zip(source["STUDY"], source["ANALYTE"], strict=True)
    return list(dict.fromkeys(pairs))


def build_study(
    records: pd.DataFrame, part: tuple[str, str], compound: str, settings: Settings
) -> Study:
    """Return the study of one (study, analyte) pair.

    An individual without any observation in the whole study is part of it (a target with an empty
    prefix); one in whom only other analytes were observed is not.
    """
    study, analyte = part
    mine = records[records["STUDY"] == study]
    observed = (mine["KIND"] == "observation") & (mine["ANALYTE"] == analyte)
    limits = mine.loc[observed, "LLOQ"].dropna().unique()
    individuals = []
    for id, rows in mine.groupby("ID", sort=False):
        seen = rows[rows["KIND"] == "observation"]
        own = seen[seen["ANALYTE"] == analyte]
        if len(seen) == 0 or len(own):
            doses = _doses(rows, analyte, settings.hours)
            individuals.append(_individual(str(id), own, doses, settings.hours))
    return Study(
        compound=compound,
        individuals=tuple(individuals),
        units=Units("h", settings.concentration, settings.dose),
        # Limits that differ between rows stay with the censored observations.
        lloq=settings.lloq or (float(limits[0]) if len(limits) == 1 else None),
    )


def _individual(id: str, seen: pd.DataFrame, doses: list[Dose], hours: float) -> Individual:
    censored = (seen["CENS"] == 1).to_numpy()
    limit = seen["LLOQ"].where(seen["LLOQ"] > 0, seen["DV"])
    values = np.where(censored, limit, seen["DV"])
    return Individual(id, seen["TIME"].to_numpy() * hours, values, tuple(doses), censored)


def _doses(rows: pd.DataFrame, analyte: str, hours: float) -> list[Dose]:
    """The doses of an analyte: its own and the unlabelled ones, else (a metabolite) all."""
    given = rows[rows["KIND"] == "dose"]
    own = given[given["ANALYTE"].isin([analyte, ""])]
    given = own if len(own) else given
    return [
        Dose(
            time=row.TIME * hours,
            amount=row.AMT,
            route=row.WAY,
            duration=row.LENGTH * hours,
            additional=int(_or_zero(row.ADDL)),
            interval=_or_zero(row.II) * hours,
        )
        for row in given.itertuples()
    ]


def _or_zero(value: float) -> float:
    return 0.0 if np.isnan(value) else float(value)
