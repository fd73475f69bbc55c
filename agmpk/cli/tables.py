"""Forecasts and cohorts as NONMEM-style tables, with a dictionary of their columns."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from agmpk.files import write_csv
from agmpk.studies import Individual, Units
from agmpk.studies.nonmem.write import to_frame

MEANINGS = {
    "ID": ("individual (a number)", ""),
    "NAME": ("the individual's ID in the study, where it is no number", ""),
    "TIME": ("time, counted as in the study", "h"),
    "EVID": ("1 dose, 0 observation or forecast", ""),
    "MDV": ("1 where DV holds no value", ""),
    "AMT": ("amount of the dose", "dose"),
    "RATE": ("rate of an infusion, 0 otherwise", "dose/h"),
    "ADDL": ("number of further doses", ""),
    "II": ("time between these doses", "h"),
    "CMT": ("1 dose by mouth, 2 into a vein; observations are in 2", ""),
    "DV": ("observed concentration (of a cohort: generated)", "concentration"),
    "CENS": ("1 where DV is the limit that the value is below", ""),
    "SHOWN": ("1 observation that the model was shown, 0 otherwise", ""),
    "PRED": ("forecast: exp of the mean of the logarithms of the samples", "concentration"),
    **{
        f"Q{level:02d}": (f"forecast: {level} % quantile of the samples", "concentration")
        for level in (5, 25, 50, 75, 95)
    },
}


def nonmem_rows(people: Iterable[Individual], shown: int) -> pd.DataFrame:
    """Doses and samples of individuals, one row each; ``shown`` is 1 where a model saw these."""
    frame = to_frame(people)
    given = frame["EVID"] == 1
    rate = (frame["AMT"] / frame["DUR"]).where(frame["DUR"] > 0, 0.0)
    cmt = given & (frame["ROUTE"] == "oral")
    return frame.assign(RATE=rate.where(given), CMT=2 - cmt * 1, SHOWN=~given * shown)


def forecast_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of a forecast (ID, TIME, DV, PRED, Q05 ... Q95) with EVID, MDV, CMT and SHOWN."""
    return frame.assign(EVID=0, MDV=frame["DV"].isna() * 1, CMT=2, SHOWN=0)


def write_nonmem(frames: Iterable[pd.DataFrame], units: Units, out: Path) -> Path:
    """Write rows as a NONMEM-style table, and the dictionary of its columns beside it.

    In order of time within an individual; at one time a sample comes before a dose. IDs that are
    not numbers are numbered from 1, and stand in NAME.

    Returns:
        The path of the dictionary.

    Raises:
        AgmpkError: a file cannot be written.
    """
    table = pd.concat(list(frames), ignore_index=True)
    order = {name: place for place, name in enumerate(dict.fromkeys(table["ID"]))}
    table["NAME"], table["place"] = table["ID"], table["ID"].map(order)
    if table["ID"].str.fullmatch(r"[1-9]\d{0,8}").all():
        table = table.drop(columns="NAME")
    else:
        table["ID"] = table["place"] + 1
    table = table.sort_values(["place", "TIME", "EVID"], kind="stable")
    whole = [name for name in ("EVID", "MDV", "ADDL", "CMT", "CENS", "SHOWN") if name in table]
    table[whole] = table[whole].astype("Int64")
    columns = [name for name in MEANINGS if name in table]
    write_csv(table[columns], out, missing=".")
    place = {"dose": units.dose, "dose/h": f"{units.dose}/h", "concentration": units.concentration}
    rows = [(name, MEANINGS[name][0], place.get(MEANINGS[name][1], MEANINGS[name][1]))
            for name in columns]  # fmt: skip
    beside = out.with_name(f"{out.stem}.columns.csv")
    write_csv(pd.DataFrame(rows, columns=["column", "meaning", "unit"]), beside)
    return beside
