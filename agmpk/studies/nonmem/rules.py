"""The rules of the format: what records and individuals may say.

Each rule looks at whole columns, so that checking is linear; a record is a row of the table.
Shapes: N records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agmpk.studies.nonmem.layout import Fault, refuse
from agmpk.studies.nonmem.records import TableReader, after_first, combined, previous
from agmpk.studies.study import MAX_DOSES
from agmpk.studies.units import MAX_CONCENTRATION, MAX_HOURS

Frame = Mapping[str, NDArray]
"""Columns of the records by name; see :class:`agmpk.studies.nonmem.records.TableReader`."""


class Rule(NamedTuple):
    """A demand on the cells of one column.

    Attributes:
        column: where the fault is reported.
        wrong: columns -> bool[N], True where the rule is broken.
        problem, remedy: halves of the sentence; ``{value}`` in ``problem`` is the cell's text.
    """

    column: str
    wrong: Callable[[Frame], NDArray]
    problem: str
    remedy: str


def broken(table: TableReader, rules: Iterable[Rule]) -> list[Fault]:
    """The faults that the rules find in the records of a table. One cell gives at most one fault,
    that of the first rule it breaks."""
    taken: dict[str, NDArray] = {}
    faults = []
    for column, rule, problem, remedy in rules:
        before = taken.get(column, False)
        wrong = np.asarray(rule(table.f), bool) & ~np.asarray(before)
        taken[column] = wrong | before
        name = table.names.get(column, column)
        for n in np.flatnonzero(wrong).tolist():
            value = table.cells[column].text(n) if column in table.cells else ""
            said = problem.replace("{value}", value).replace("{column}", name)
            faults.append(Fault(int(table.f["row"][n]), name, said, remedy))
    return faults


def _set(f: Frame, name: str) -> NDArray:
    return ~np.isnan(f[name])


def _other_than(f: Frame, name: str, *allowed: float) -> NDArray:
    return _set(f, name) & ~np.isin(f[name], allowed)


def _too_long(name: str) -> Callable[[Frame], NDArray]:
    return lambda f: np.abs(f[name]) * f["hours"] > MAX_HOURS


_SPLIT = "give each occasion its own ID, as --occasion split does"
_NIGHT = "add a column DATE, or write hours since the first dose"
_LOGS = "correct it, ignore it with MDV 1, or say --log-dv if DV holds logarithms (log-transformed)"
_LONG = f"beyond the {MAX_HOURS:g} h that are taken"

ROW_RULES = [
    Rule("TIME", _too_long("TIME"), f"the time {{value}} is {_LONG}", "correct it or its unit"),
    Rule("TIME", lambda f: f["clock"] & (f["TIME"] < 0),
         "the time of the day {value} is earlier than that of the row before", _NIGHT),
    Rule("TIME", lambda f: f["seen"] & (f["TIME"] < 0) & (f["DV"] > 0) & (f["CENS"] != 1),
         "the time {value} is negative",
         "count hours from the first dose and leave pre-dose samples out (MDV 1) or at 0"),
    Rule("EVID", lambda f: _other_than(f, "EVID", 0, 1, 2, 3, 4),
         "EVID {value} is unknown", "use 0 for an observation and 1 for a dose"),
    Rule("EVID", lambda f: f["reset"],
         "EVID {value} resets the individual, which starts another occasion", _SPLIT),
    Rule("MDV", lambda f: _other_than(f, "MDV", 0, 1), "MDV is {value}",
         "use 0 for a value to be used and 1 for one to be ignored"),
    Rule("DV", lambda f: (f["event"] == 0) & (f["MDV"] != 1) & (f["DV"] < 0),
         "the concentration {value} is negative", _LOGS),
    Rule("DV", lambda f: (f["event"] == 0) & (f["MDV"] != 1) & (f["DV"] > 0)
         & ((f["DV"] < 1e-30) | (f["DV"] > MAX_CONCENTRATION)),
         f"the logarithm {{value}} is that of a value outside 1e-30 to {MAX_CONCENTRATION:g}",
         "correct it, write . or ignore it with MDV 1 if it is a code for a missing value"),
    Rule("DV", lambda f: f["dose"] & (f["MDV"] != 1) & _set(f, "DV") & (f["DV"] != 0),
         "a dose row holds the concentration {value}",
         "put the observation on a row of its own with EVID 0 and write . here; if AMT is the dose "
         "of each ID, on every row, say --dose-at 0"),
    Rule("DV", lambda f: (f["event"] == 0) & (f["MDV"] == 0) & ~f["seen"],
         "the observation has no value", "give it, or set MDV to 1"),
    Rule("DV", lambda f: f["seen"] & (f["CENS"] == 1) & ~(f["LLOQ"] > 0) & ~(f["DV"] > 0),
         "the censored observation has no limit",
         "write its LLOQ in DV or in a column LLOQ, or give it with --lloq"),
    Rule("DV", lambda f: f["seen"] & (f["CENS"] == 1) & (f["DV"] > f["LLOQ"]),
         "the censored value {value} is above its LLOQ", "set CENS to 0 or correct the LLOQ"),
    Rule("AMT", lambda f: f["AMT"] < 0, "the amount {value} is negative", "give a positive one"),
    Rule("AMT", lambda f: f["dose"] & ~(f["AMT"] > 0), "the dose (EVID 1) has no amount",
         "give a positive AMT, or EVID 2 for an event that is no dose; leave somebody who got none "
         "(placebo) out with --exclude or --skip-unusable"),
    Rule("AMT", lambda f: (f["event"] == 0) & (f["AMT"] > 0) & ~f["again"],
         "an observation (EVID 0) has the amount {value}", "set EVID to 1, or AMT to ."),
    Rule("RATE", lambda f: f["dose"] & np.isin(f["RATE"], [-1, -2]) & ~(f["DUR"] > 0),
         "RATE {value} asks for a rate or duration that a model estimates, which is not known here",
         "give the rate, or the duration in a column DUR; --columns RATE= leaves RATE out"),
    Rule("RATE", lambda f: (f["RATE"] < 0) & ~np.isin(f["RATE"], [-1, -2]),
         "the rate {value} is negative", "give a positive one"),
    Rule("RATE", lambda f: (f["RATE"] > 0) & ~(f["AMT"] > 0), "there is a RATE without an AMT",
         "give the amount of the infusion in AMT"),
    Rule("DUR", lambda f: f["DUR"] < 0, "the duration {value} is negative", "give a positive one"),
    Rule("DUR", lambda f: (f["DUR"] > 0) & ~(f["AMT"] > 0) & ~f["seen"] & (f["event"] < 2),
         "there is a DUR without an AMT", "give the amount of the infusion in AMT"),
    Rule("DUR", lambda f: (f["RATE"] > 0) & (f["DUR"] > 0)
         & ~np.isclose(f["AMT"], f["RATE"] * f["DUR"], rtol=1e-3),
         "the duration {value} is not AMT / RATE", "correct or remove one"),
    Rule("DUR", _too_long("length"), f"the infusion is {_LONG}", "correct its rate or duration"),
    Rule("ADDL", lambda f: (f["ADDL"] < 0) | (_set(f, "ADDL") & (f["ADDL"] != np.floor(f["ADDL"]))),
         "ADDL is {value}", "give the number of further doses, 0 or more"),
    Rule("ADDL", lambda f: f["ADDL"] >= MAX_DOSES,
         f"ADDL {{value}} is more than the {MAX_DOSES - 1:,} further doses that are taken",
         "correct it"),
    Rule("ADDL", lambda f: f["dose"] & (f["ADDL"] > 0) & ~(f["II"] > 0),
         "there are further doses (ADDL {value}) without an interval",
         "give the time between two doses in II, in the unit of TIME"),
    Rule("II", lambda f: f["II"] < 0, "the interval {value} is negative", "give a positive one"),
    Rule("II", _too_long("II"), f"the interval {{value}} is {_LONG}", "correct it or its unit"),
    Rule("SS", lambda f: f["dose"] & _other_than(f, "SS", 0, 1, 2),
         "SS {value} is not supported", "use 1 for a steady state of equal doses II apart"),
    Rule("SS", lambda f: f["dose"] & np.isin(f["SS"], [1, 2]) & ~(f["II"] > 0),
         "SS {value} asks for a steady state without an interval",
         "give the time between two doses in II (unit of TIME), or write the earlier doses out"),
    Rule("CENS", lambda f: _other_than(f, "CENS", 0, 1), "{column} is {value}",
         "use 1 for a value below its limit and 0 for any other; for one that only "
         "lies above a limit write 0, and . in DV"),
    Rule("LLOQ", lambda f: f["LLOQ"] <= 0, "the limit {value} is not positive",
         "give a positive LLOQ or ."),
    Rule("ROUTE", lambda f: f["dose"] & (f["way"] == "") & f["routed"],
         "the route {value} is unknown",
         "use oral, iv_bolus or iv_infusion, or say --route for all doses"),
    Rule("ROUTE", lambda f: f["dose"] & f["routed"] & (f["length"] > 0)
         & np.isin(f["way"], ["oral", "iv_bolus"]),
         "a dose by {value} has a RATE or a duration",
         "use iv_infusion if it went into a vein, or remove what is not known of absorbed doses"),
    Rule("ROUTE", lambda f: f["dose"] & (f["way"] == "iv_infusion") & ~(f["length"] > 0),
         "the infusion has no duration", "give it in DUR, in the unit of TIME, or its RATE"),
    Rule("CMT", lambda f: f["dose"] & (f["way"] == "") & ~f["routed"],
         "a dose into compartment {value} cannot be placed",
         "use 1 for oral and 2 for intravenous, add a column ROUTE, or say --route"),
    Rule("CMT", lambda f: f["dose"] & (f["way"] == "oral") & ~f["routed"] & (f["length"] > 0),
         "an infusion goes into compartment {value}, the oral depot",
         "use CMT 2, add a column ROUTE with iv_infusion, or say --route iv"),
]  # fmt: skip


# ------------------------------------------------------------------------------------ individuals


def group_rules(analyte: str, clock: bool) -> list[Rule]:
    """Return the rules for doses and observations that are each sound.

    Args:
        analyte: known column that tells analytes apart, '' without one.
        clock: whether TIME is the time of the day.
    """
    later = _NIGHT if clock else (
        "sort the rows of each ID by TIME, as --occasion as-is does; if time starts again with "
        f"another occasion, {_SPLIT}"
    )  # fmt: skip
    rules = [
        Rule("OCC", _mixed, "occasions of one ID overlap in time", _SPLIT),
        Rule("ID", _reappears, "the rows of ID {value} do not stand together",
             "move them together, or give another individual its own ID"),
        Rule("TIME", lambda f: _backwards(f) & f["again_dosed"],
             "time starts again at {value} with a dose", _SPLIT),
        Rule("TIME", _backwards, "the time {value} is earlier than that of the row before", later),
        Rule("TIME", lambda f: f["dose"] & _repeated(f, "value", "way", "length", "ADDL", "II"),
             "the row repeats an earlier one",
             "remove it; if both doses were given (two tablets), write their sum, as --repeats "
             "combine does; if it is another occasion, " + _SPLIT),
        Rule("TIME", lambda f: f["seen"] & _repeated(f, "value", "CENS"),
             "the row repeats an earlier one", "remove it, as --repeats combine does"),
        Rule("TIME", lambda f: f["seen"] & _repeated(f),
             "ID has a second, different observation at time {value}",
             "keep one of them or write their mean, as --repeats combine does; if they are "
             "different analytes, name them in a column ANALYTE"),
        Rule("AMT", lambda f: ~np.isin(f["who"], f["who"][f["dose"]])
             & ~after_first(f["who"], np.ones(len(f["who"]), bool)), "the individual has no dose",
             "add a row with EVID 1 and its AMT, or leave the individual out with --exclude or "
             "--skip-unusable"),
    ]  # fmt: skip
    if analyte:
        rules += [
            Rule(analyte, lambda f: f["seen"] & f["unlabelled"], "the observation has no analyte",
                 "name it on every row"),
            Rule(analyte, _several_drugs,
                 "{value} has no dose of its own and the individual has doses of several drugs",
                 "name this analyte on a dose row"),
        ]  # fmt: skip
    return rules


def _repeated(f: Frame, *columns: str) -> NDArray:
    keys = combined(f["series"], f["dose"], f["TIME"], *(f[name] for name in columns))
    return after_first(keys, f["dose"]) | after_first(keys, ~f["dose"])


def _reappears(f: Frame) -> NDArray:
    """The first record of a run of records whose ID had an earlier run (per study, analyte)."""
    return after_first(f["series"], previous(f["series"], f["part"]) != f["series"])


def _backwards(f: Frame) -> NDArray:
    """The first step back in time of each series that stands together."""
    back = f["TIME"] < previous(f["TIME"], f["series"])
    scattered = np.isin(f["series"], f["series"][_reappears(f)])
    return back & ~after_first(f["series"], back) & ~scattered


def _mixed(f: Frame) -> NDArray:
    """The first record that returns to an occasion that another one had interrupted."""
    known, occasion = f["occasion"] != "", combined(f["series"], f["occasion"])
    starts = known.copy()
    starts[known] = previous(occasion[known], f["series"][known]) != occasion[known]
    mixed = after_first(occasion, starts)
    return mixed & ~after_first(f["series"], mixed)


def _several_drugs(f: Frame) -> NDArray:
    """The first observation of an analyte that could take the doses of more than one drug."""
    own = f["dose"] & ~f["unlabelled"]
    drugs = pd.Series(f["label"][own]).groupby(f["who"][own]).nunique()
    plain = f["who"][f["dose"] & f["unlabelled"]]
    several = np.isin(f["who"], drugs.index[drugs > 1])
    served = np.isin(f["series"], f["series"][own]) | np.isin(f["who"], plain)
    unclear = f["seen"] & several & ~served
    return unclear & ~after_first(f["series"], f["seen"])


# ------------------------------------------------------------------------------ all together


def judge(reader: TableReader) -> list[Fault]:
    """Turn cells into doses and observations as the options ask, and return all faults."""
    faults = reader.records()
    if faults:  # the other rows may have some, too
        reader.keep(~np.isin(reader.f["row"], [fault.row for fault in faults]))
    if len(reader.f["row"]):
        reader.add_meaning()
        faults += broken(reader, ROW_RULES)
    # Order and repetition can only be judged once every row can be read.
    if faults:
        return faults
    _arrange(reader)
    f = reader.f
    f["value"] = np.where(f["dose"], f["AMT"], f["DV"])
    f["part"] = combined(f["study"], f["label"])
    f["series"] = combined(f["part"], f["who"])
    f["again_dosed"] = f["dose"] | _restarts(f)
    analyte = "ANALYTE" if "ANALYTE" in reader.cells else ""
    return broken(reader, group_rules(analyte, reader.clock))


def _arrange(reader: TableReader) -> None:
    """Do to sound rows what the options ask for; each step needs those before it."""
    options, used = reader.options, reader.f["dose"] | reader.f["seen"]
    if not used.any():
        reader.refuse("", "no row is a dose or an observation", "add the records")
    if options.study == "all" and "STUDY" in reader.cells:
        _pool(reader.f, used, reader.notes)
    if options.occasion == "split":
        _part_occasions(reader)  # which may begin with rows that are not used (EVID 3)
    _find_analytes(reader)
    reader.keep(used)
    if options.occasion == "as-is":
        _sort(reader)
    if options.repeats:
        _combine(reader)


# --------------------------------------------------------------------- whose records they are


def _find_analytes(reader: TableReader) -> None:
    """Tell analytes apart by the compartment of the observations where no column does."""
    f = reader.f
    if "CMT" in reader.cells and reader.names.get("ANALYTE") != reader.names["CMT"]:
        _analytes_by_compartment(reader)
    # DVID 0 is what NONMEM users write on dose rows of all analytes.
    f["unlabelled"] = (f["label"] == "") | f["dose"] & (f["label"] == "0")
    f["label"] = np.where(f["unlabelled"], "", f["label"])


def _analytes_by_compartment(reader: TableReader) -> None:
    f, cells = reader.f, reader.cells["CMT"]
    places = cells.known()
    known = f["seen"] & (places != "")
    if len(set(places[known])) < 2:
        return
    if "ANALYTE" in reader.cells and set(f["label"][known]) != {""}:
        several = pd.Series(places[known]).groupby(f["label"][known], sort=False).nunique() > 1
        if not several.any():
            return
        reader.refuse(
            reader.names["CMT"],
            f"observations of {reader.names['ANALYTE']} {several.idxmax()} lie in several "
            "compartments",
            "choose what tells analytes apart, as --columns ANALYTE=CMT does, or leave CMT out "
            "with --columns CMT=",
        )
    f["label"] = np.where(f["seen"], places, "")
    reader.names["ANALYTE"], reader.cells["ANALYTE"] = reader.names["CMT"], cells
    reader.notes.append("CMT of the observations tells the analytes apart")


def _part_occasions(reader: TableReader) -> None:
    """Make an individual of each occasion, as --occasion split asks for."""
    f = reader.f
    if "OCC" in reader.cells:
        missing = (f["occasion"] == "") & (f["dose"] | f["seen"])
        lack = "the occasion is missing", "give every row one"
        refuse(reader.path, [
            Fault(int(row), reader.names["OCC"], *lack) for row in f["row"][missing][:100]
        ])  # fmt: skip
        occasion = f["occasion"]
    else:
        starts = np.isin(f["EVID"], [3, 4])
        starts = pd.Series(starts if starts.any() else _restarts(f)).astype(int)
        counted = starts.groupby(f["who"])
        number = counted.cumsum() - counted.transform("first") + 1
        occasion = number.astype(str).to_numpy(object)
    pairs = combined(f["who"], occasion)
    firsts = np.unique(pairs, return_index=True)[1]
    several = (np.bincount(f["who"][firsts]) > 1)[f["who"]]
    named = np.where(several, f["id"] + "." + occasion, f["id"])
    taken = several & pd.Series(named).isin(reader.cells["ID"].texts).to_numpy()
    named[taken] = [one.replace(".", "/", 1) for one in named[taken]]
    reader.notes.append(
        f"{len(set(f['who'][several]))} person(s) have several occasions; each occasion is an "
        "individual"
    )
    f["id"], f["who"] = named, pairs
    f["occasion"] = np.full(len(named), "", object)


def _restarts(f: Frame) -> NDArray[np.bool_]:
    """Records at which time starts again with a dose."""
    starts, kept = np.zeros(len(f["row"]), bool), np.flatnonzero(f["dose"] | f["seen"])
    times, dose, who = f["TIME"][kept], f["dose"][kept], f["who"][kept]
    follows = previous(dose[::-1], who[::-1])[::-1] == 1  # the next record of the same ID is a dose
    starts[kept] = (times < previous(times, who)) & (dose | follows)
    return starts


def _sort(reader: TableReader) -> None:
    """Sort the rows of each ID by time, as --occasion as-is asks for."""
    who = reader.f["who"]
    run = np.cumsum(np.append(0, who[1:] != who[:-1]))
    order = np.lexsort((reader.f["TIME"], run))
    if (order != np.arange(len(order))).any():
        reader.notes.append("rows were sorted by TIME")
    reader.keep(order)


def _pool(f: dict[str, NDArray], used: NDArray[np.bool_], notes: list[str]) -> None:
    """Make one study of all, as --study all asks for."""
    if len(set(f["who"][used])) > len(set(f["id"][used])):
        f["id"], f["person"] = (f["study"] + "/" + f[name] for name in ("id", "person"))
    notes.append(f"{len(set(f['study'][used]))} studies are pooled")
    f["study"] = np.full(len(f["row"]), "", object)


def _combine(reader: TableReader) -> None:
    """Add up equal doses and average observations at one time (--repeats combine)."""
    f = reader.f
    series, dose = combined(f["label"], f["who"]), f["dose"]
    doses = combined(
        series, f["TIME"], f["AMT"], f["way"] == "oral", f["length"], f["ADDL"], f["II"]
    )
    count = np.bincount(doses[dose], minlength=int(doses.max(initial=0)) + 1)
    f["AMT"] = np.where(dose, f["AMT"] * count[doses], f["AMT"])
    samples = combined(series, f["TIME"])
    known = f["seen"] & (f["CENS"] != 1)
    size = int(samples.max(initial=0)) + 1
    total = np.bincount(samples[known], f["DV"][known], size)[samples]
    number = np.bincount(samples[known], minlength=size)[samples]
    f["DV"] = np.where(f["seen"] & (number > 1), total / np.maximum(number, 1), f["DV"])
    order = np.lexsort((np.arange(len(dose)), f["CENS"] == 1))  # a measured one comes first
    later = np.zeros(len(dose), bool)
    later[order] = after_first(samples[order], f["seen"][order])
    later |= after_first(doses, dose)
    if later.any():
        reader.notes.append(
            f"{int((later & dose).sum())} equal dose(s) at one time were added up and "
            f"{int((later & ~dose).sum())} observation(s) at one time averaged"
        )
    reader.keep(~later)
