"""Rules of records together: order, repetition, and doses of an individual."""

from __future__ import annotations

import pandas as pd

from agmpk.studies.nonmem.schema import Rule

_SERIES = ["STUDY", "ANALYTE", "ID"]
_DOSE = ["AMT", "WAY", "LENGTH", "ADDL", "II"]


def group_rules(analyte: str | None) -> list[Rule]:
    """Return the rules for records (doses and observations) that are each sound.

    ``analyte`` is the name of the column that tells analytes apart, if there is one.
    """
    rules = [
        Rule("ID", _reappears, "the rows of ID {value} do not stand together",
             "move them together, or give another individual its own ID"),
        Rule("TIME", _backwards, "the time {value} is earlier than that of the row before",
             "sort the rows of each ID by TIME"),
        Rule("TIME", _same_record, "the row repeats an earlier one", "remove it"),
        Rule("TIME", _same_time, "ID has a second, different observation at time {value}",
             "keep one of them or write their mean"),
        Rule("AMT", _no_dose, "the individual has no dose", "add a row with EVID 1 and its AMT"),
    ]  # fmt: skip
    if analyte:
        rules += [
            Rule(analyte, _unlabelled, "the observation has no analyte", "name it on every row"),
            Rule(analyte, _several_drugs,
                 "{value} has no dose of its own and the individual has doses of several drugs",
                 "name this analyte on a dose row"),
        ]  # fmt: skip
    return rules


def _observation(f: pd.DataFrame) -> pd.Series:
    return f["KIND"] == "observation"


def _reappears(f: pd.DataFrame) -> pd.Series:
    """The first row of a run of rows whose ID had an earlier run (per study and analyte)."""
    by_part = f.groupby(["STUDY", "ANALYTE"], sort=False)["ID"]
    starts = f["ID"] != by_part.shift()
    runs = starts.groupby([f[name] for name in _SERIES]).cumsum()
    return starts & (runs > 1)


def _backwards(f: pd.DataFrame) -> pd.Series:
    """The first step back in time of each series that stands together."""
    back = f["TIME"] < f.groupby(_SERIES, sort=False)["TIME"].shift()
    scattered = _reappears(f).groupby([f[name] for name in _SERIES]).transform("any")
    nth = back.groupby([f[name] for name in _SERIES]).cumsum()
    return back & (nth == 1) & ~scattered


def _same_record(f: pd.DataFrame) -> pd.Series:
    values = f.fillna({name: -1.0 for name in ("DV", "AMT", "ADDL", "II", "CENS", "LLOQ")})
    observed = _observation(f) & values.duplicated([*_SERIES, "KIND", "TIME", "DV", "CENS", "LLOQ"])
    dosed = ~_observation(f) & values.duplicated([*_SERIES, "KIND", "TIME", *_DOSE])
    return observed | dosed


def _same_time(f: pd.DataFrame) -> pd.Series:
    return _observation(f) & f.duplicated([*_SERIES, "KIND", "TIME"])


def _no_dose(f: pd.DataFrame) -> pd.Series:
    who = [f["STUDY"], f["ID"]]
    dosed = (~_observation(f)).groupby(who).transform("any")
    return ~dosed & ~f.duplicated(["STUDY", "ID"])


def _unlabelled(f: pd.DataFrame) -> pd.Series:
    return _observation(f) & (f["ANALYTE"] == "")


def _several_drugs(f: pd.DataFrame) -> pd.Series:
    """The first observation of an analyte that could take the doses of more than one drug."""
    doses = f[~_observation(f)]
    labels = doses.groupby(["STUDY", "ID"])["ANALYTE"].agg(set).to_dict()

    def unclear(study: str, id: str, analyte: str) -> bool:
        found = labels.get((study, id), set())
        return not found & {analyte, ""} and len(found) > 1

    rows = zip(f["STUDY"], f["ID"], f["ANALYTE"], strict=True)
    wrong = pd.Series([unclear(*row) for row in rows], index=f.index)
    return wrong & _observation(f) & ~f.duplicated([*_SERIES, "KIND"])
