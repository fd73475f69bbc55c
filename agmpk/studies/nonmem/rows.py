"""Rules of single records: what a row's columns may say together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from agmpk.studies.nonmem.columns import ROUTE_NAMES, to_number
from agmpk.studies.nonmem.schema import Rule


def add_meaning(records: pd.DataFrame) -> pd.DataFrame:
    """Return the records with the columns KIND ('dose', 'observation' or 'skip'), LENGTH (of an
    infusion [h], else 0) and WAY (route of a dose, '' when it cannot be told)."""
    given = records["AMT"] > 0
    evid = records["EVID"].where(records["EVID"].notna(), given.astype(float))
    kind = pd.Series("skip", index=records.index, dtype=object)
    kind[evid == 1] = "dose"
    valued = records["DV"].notna() | (records["CENS"] == 1)
    kind[(evid == 0) & (records["MDV"] != 1) & valued] = "observation"
    length = (records["AMT"] / records["RATE"]).where(records["RATE"] > 0, records["DUR"])
    frame = records.assign(EVENT=evid, KIND=kind, LENGTH=length.where(length > 0, 0.0))
    return frame.assign(WAY=_route(frame))


def _route(frame: pd.DataFrame) -> pd.Series:
    """ROUTE wins; CMT 1 is the depot, 2 the central compartment; else infusion or oral."""
    infused = frame["LENGTH"] > 0
    route = frame["ROUTE"].map(lambda text: ROUTE_NAMES.get(_key(text), ""))
    compartment = frame["CMT"].map(to_number)
    without = frame["ROUTE"] == ""
    route[without & (compartment == 1)] = "oral"
    route[without & (compartment == 2)] = "iv"
    route[without & (frame["CMT"] == "")] = np.where(infused, "iv", "oral")[
        without & (frame["CMT"] == "")
    ]
    return route.where(route != "iv", np.where(infused, "iv_infusion", "iv_bolus"))


def _key(text: str) -> str:
    return text.strip().lower().replace(" ", "_").replace("-", "_")


def _dose(f: pd.DataFrame) -> pd.Series:
    return f["KIND"] == "dose"


def _whole(values: pd.Series) -> pd.Series:
    return values == np.floor(values)


def _disagree(f: pd.DataFrame) -> pd.Series:
    both = (f["RATE"] > 0) & (f["DUR"] > 0)
    return both & ~np.isclose(f["AMT"], f["RATE"] * f["DUR"], rtol=1e-3)


ROW_RULES = [
    Rule("TIME", lambda f: f["TIME"] < 0, "the time {value} is negative",
         "count hours from the first dose and leave pre-dose samples out or at 0"),
    Rule("EVID", lambda f: f["EVID"].isin([3, 4]),
         "EVID {value} resets the individual, which a study cannot hold",
         "give each occasion its own ID and count its time from 0"),
    Rule("EVID", lambda f: f["EVID"].notna() & ~f["EVID"].isin([0, 1, 2, 3, 4]),
         "EVID {value} is unknown", "use 0 for an observation and 1 for a dose"),
    Rule("MDV", lambda f: f["MDV"].notna() & ~f["MDV"].isin([0, 1]), "MDV is {value}",
         "use 0 for a value to be used and 1 for one to be ignored"),
    Rule("DV", lambda f: (f["EVENT"] == 0) & (f["MDV"] != 1) & (f["DV"] < 0),
         "the concentration {value} is negative", "correct it, or ignore it with MDV 1"),
    Rule("DV", lambda f: _dose(f) & (f["MDV"] != 1) & f["DV"].notna() & (f["DV"] != 0),
         "a dose row holds the concentration {value}",
         "put the observation on a row of its own with EVID 0 and write . here"),
    Rule("DV", lambda f: (f["EVENT"] == 0) & (f["MDV"] == 0) & (f["KIND"] == "skip"),
         "the observation has no value", "give it, or set MDV to 1"),
    Rule("DV", lambda f: (f["KIND"] == "observation") & (f["CENS"] == 1) & ~(f["LLOQ"] > 0)
         & ~(f["DV"] > 0),
         "the censored observation has no limit", "write its LLOQ in DV or in a column LLOQ"),
    Rule("DV", lambda f: (f["KIND"] == "observation") & (f["CENS"] == 1) & (f["DV"] > f["LLOQ"]),
         "the censored value {value} is above its LLOQ", "set CENS to 0 or correct the LLOQ"),
    Rule("AMT", lambda f: f["AMT"] < 0, "the amount {value} is negative", "give a positive one"),
    Rule("AMT", lambda f: _dose(f) & ~(f["AMT"] > 0), "the dose (EVID 1) has no amount",
         "give a positive AMT, or EVID 2 for an event that is no dose"),
    Rule("AMT", lambda f: (f["EVENT"] == 0) & (f["AMT"] > 0),
         "an observation (EVID 0) has the amount {value}", "set EVID to 1, or AMT to ."),
    Rule("RATE", lambda f: _dose(f) & f["RATE"].isin([-1, -2]),
         "RATE {value} asks for a rate or duration that a model estimates, which is not known here",
         "give the rate, or the duration in a column DUR"),
    Rule("RATE", lambda f: f["RATE"] < 0, "the rate {value} is negative", "give a positive one"),
    Rule("RATE", lambda f: (f["RATE"] > 0) & ~(f["AMT"] > 0), "there is a RATE without an AMT",
         "give the amount of the infusion in AMT"),
    Rule("DUR", lambda f: f["DUR"] < 0, "the duration {value} is negative", "give a positive one"),
    Rule("DUR", lambda f: (f["DUR"] > 0) & ~(f["AMT"] > 0), "there is a DUR without an AMT",
         "give the amount of the infusion in AMT"),
    Rule("DUR", _disagree, "the duration {value} is not AMT / RATE", "correct or remove one"),
    Rule("ADDL", lambda f: (f["ADDL"] < 0) | (f["ADDL"].notna() & ~_whole(f["ADDL"])),
         "ADDL is {value}", "give the number of further doses, 0 or more"),
    Rule("ADDL", lambda f: _dose(f) & (f["ADDL"] > 0) & ~(f["II"] > 0),
         "there are further doses (ADDL {value}) without an interval",
         "give the hours between two doses in II"),
    Rule("II", lambda f: f["II"] < 0, "the interval {value} is negative", "give a positive one"),
    Rule("SS", lambda f: _dose(f) & f["SS"].notna() & (f["SS"] != 0),
         "SS {value} asks for a steady state, which is not supported",
         "write the preceding doses out, with ADDL and II"),
    Rule("CENS", lambda f: f["CENS"].notna() & ~f["CENS"].isin([0, 1]), "CENS is {value}",
         "use 1 for a value below its limit and 0 for any other"),
    Rule("LLOQ", lambda f: f["LLOQ"] <= 0, "the limit {value} is not positive",
         "give a positive LLOQ or ."),
    Rule("ROUTE", lambda f: _dose(f) & (f["WAY"] == "") & (f["ROUTE"] != ""),
         "the route {value} is unknown", "use oral, iv_bolus or iv_infusion"),
    Rule("ROUTE", lambda f: _dose(f) & (f["ROUTE"] != "") & (f["LENGTH"] > 0)
         & f["WAY"].isin(["oral", "iv_bolus"]),
         "a dose by {value} has a RATE or a duration", "use iv_infusion, or remove it"),
    Rule("ROUTE", lambda f: _dose(f) & (f["WAY"] == "iv_infusion") & ~(f["LENGTH"] > 0),
         "the infusion has no duration", "give it in hours in DUR, or its RATE"),
    Rule("CMT", lambda f: _dose(f) & (f["WAY"] == "") & (f["ROUTE"] == ""),
         "a dose into compartment {value} cannot be placed",
         "use 1 for oral and 2 for intravenous, or add a column ROUTE"),
    Rule("CMT", lambda f: _dose(f) & (f["WAY"] == "oral") & (f["ROUTE"] == "")
         & (f["LENGTH"] > 0),
         "an infusion goes into compartment {value}, the oral depot",
         "use CMT 2, or add a column ROUTE with iv_infusion"),
]  # fmt: skip
"""Rules of a row of :func:`add_meaning`'s frame; the first that a cell breaks is reported."""
