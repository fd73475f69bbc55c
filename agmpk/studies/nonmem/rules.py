"""The rules of the format: names of columns, and what cells, records and individuals may say.

Each rule looks at whole columns, so that checking is linear; a record is a row of the table.
Shapes: N records.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agmpk.studies.nonmem.layout import NUMBER, Fault, Layout, header_remedy
from agmpk.studies.study import MAX_AMOUNT, MAX_CONCENTRATION, MAX_DOSES, MAX_HOURS, is_missing

Frame = Mapping[str, NDArray]
"""Columns of the records by name; see :func:`agmpk.studies.nonmem.read` for those that are made."""

# ---------------------------------------------------------------------------------------- columns

REQUIRED = ("ID", "TIME", "DV", "AMT")
NUMERIC = ("DV", "AMT", "EVID", "MDV", "RATE", "DUR", "ADDL", "II", "SS", "CENS", "LLOQ")
LABELS = ("ID", "STUDY", "ANALYTE", "OCC", "ROUTE", "CMT", "ADM", "PERSON")
KNOWN = (*NUMERIC, *LABELS, "TIME", "DATE")

# Other names in use that mean just this; taken, and told in the summary.
ALIASES = {
    "ID": ("CID",),
    "DUR": ("TINF", "DURATION", "INFDUR", "INF_DUR", "DURINF", "INFUSION_DURATION"),
    "RATE": ("INFRATE", "INF_RATE", "INFUSION_RATE"),
    "CENS": (
        "BLQ", "BLOQ", "BQL", "BLQFL", "BLOQFL", "BQLFL", "BLQFN", "BLOQFN", "BLQFLAG", "BLOQFLAG",
        "BLQ_FLAG", "BLOQ_FLAG", "LLOQFL", "LLOQFLAG", "ISBLQ", "CENSORED",
    ),
    "LLOQ": ("LOQ", "LLQ"),
    "ANALYTE": (
        "DRUG", "DVID", "YTYPE", "DVNAME", "YNAME", "OBSNAME", "OBSID", "PARAMCD", "PARAM",
        "PCTESTCD", "PCTEST", "SPECIES",
    ),
    "STUDY": ("STUDYID", "STUDYN", "STUDYNO", "STUDY_ID", "STUD"),
    "OCC": ("OCCASION", "PERIOD", "VISIT", "IOV", "CYCLE"),
    "DATE": ("DAT1", "DAT2", "DAT3"),
    "ADDL": ("ADDITIONAL",),
    "II": ("TAU",),
}  # fmt: skip

# What others call the required columns: named in the remedy, never taken silently.
SYNONYMS = {
    "ID": ("SUBJECT", "SUBJ", "SUBJID", "USUBJID", "PATIENT", "SUBJECT_ID", "PID"),
    "TIME": ("T", "HOURS", "HOUR", "TIME_H", "TAFD", "DATETIME", "TAD"),
    "DV": ("CONC", "CONCENTRATION", "Y", "OBS", "CP", "LNDV", "LOGDV", "LDV", "LNCONC"),
    "AMT": ("DOSE", "AMOUNT", "DOSE_MG"),
}

ROUTE_NAMES = {
    **dict.fromkeys(("oral", "po", "p.o.", "per_os", "peroral"), "oral"),
    **dict.fromkeys(("iv", "i.v.", "intravenous"), "iv"),
    **dict.fromkeys(("iv_bolus", "bolus", "iv_push"), "iv_bolus"),
    **dict.fromkeys(("iv_infusion", "infusion", "iv_inf"), "iv_infusion"),
}
DEPOTS = frozenset({"depot", "gut", "abs", "absorption", "gi"})
CENTRALS = frozenset({"cent", "central", "plasma", "blood"})


def name_columns(table: Layout, chosen: Mapping[str, str]) -> dict[str, int]:
    """Return the place of each known column in the header.

    Args:
        table: the table.
        chosen: known name -> name in the header, or '' to leave the column out.

    Raises:
        TableError: through the caller, from :func:`header_faults`.
    """
    upper = [name.upper() for name in table.header]
    first: dict[str, int] = {}
    for place, name in enumerate(upper):
        first.setdefault(name, place)
    places = {}
    for name in KNOWN:
        if name in chosen:
            if chosen[name]:
                places[name] = first.get(chosen[name].upper(), -1)
            continue
        for one in (name, *ALIASES.get(name, ())):
            if one in first and one not in {other.upper() for other in chosen.values()}:
                places[name] = first[one]
                break
    return places


def header_faults(table: Layout, places: Mapping[str, int], chosen: Mapping[str, str]):
    """Return what is wrong with the header: a column that is missing, unknown or there twice."""
    row, upper = table.header_row, [name.upper() for name in table.header]
    count: dict[str, int] = {}
    for name in upper:
        count[name] = count.get(name, 0) + 1
    faults = []
    for name, place in places.items():
        if place < 0:
            remedy = f"it has {', '.join(table.header[:12])}"
            faults.append(Fault(row, chosen[name], f"no column is called {chosen[name]}", remedy))
        elif count[upper[place]] > 1:
            problem = f"the header names {upper[place]} twice"
            faults.append(Fault(row, upper[place], problem, "remove one of them"))
    for name in REQUIRED:
        if name not in places:
            faults.append(Fault(row, name, "the required column is missing", _found(name, table)))
    return faults


def _found(name: str, table: Layout) -> str:
    """The remedy for a required column that is missing: the column that may be meant."""
    bare = {re.sub(r"[\s_.]*[(\[].*", "", one.upper()): one for one in reversed(table.header)}
    meant = next((bare[one] for one in (name, *SYNONYMS[name]) if one in bare), None)
    if meant is None:
        add = f"add it, or name the column that holds it, as --columns {name}=..."
        return f"{add}; {header_remedy()}"
    if name == "AMT":
        return (
            f"if {meant} holds the amount on the rows of doses only, rename {meant} to AMT or say "
            f"--columns AMT={meant}; if it stands on every row, say --columns AMT={meant} "
            "--dose-at 0 for one dose at TIME 0"
        )
    logs = " --log-dv" if meant.upper() in ("LNDV", "LOGDV", "LDV", "LNCONC") else ""
    return f"rename {meant} to {name} or say --columns {name}={meant}{logs}"


# ------------------------------------------------------------------------------------------ cells


class Cells(NamedTuple):
    """A column: which text (without blanks around) stands in which record."""

    codes: NDArray[np.int64]
    texts: list[str]

    def text(self, n: int) -> str:
        """Return the cell of record ``n`` for a sentence."""
        return textwrap.shorten(self.texts[self.codes[n]], 40, placeholder="...")

    def keep(self, mask: NDArray[np.bool_]) -> Cells:
        """Return the column of some records."""
        return Cells(self.codes[mask], self.texts)


def encode(cells: Sequence[str], size: int) -> Cells:
    """Return a column whose equal cells are looked at once."""
    index = {one: code for code, one in enumerate(dict.fromkeys(cells))}
    codes = np.fromiter(map(index.__getitem__, cells), np.int64, size)
    return Cells(codes, [one.strip() for one in index])


def to_number(text: str) -> float:
    """Return the number a cell holds (NaN unless it is written as one)."""
    if not NUMBER.fullmatch(text):
        return math.nan
    return float(text.upper().replace("D", "E") if "D" in text or "d" in text else text)


_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eEdD][+-]?\d+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
_BELOW = re.compile(r"(<.*|[ab]l[ol]?q|bql|lloq|below.*)", re.IGNORECASE)
_LIMIT = re.compile(r"<\s*(\S+)")
_FLAGS = {"Y": 1.0, "YES": 1.0, "T": 1.0, "TRUE": 1.0, "N": 0.0, "NO": 0.0, "F": 0.0, "FALSE": 0.0}
_BOUNDS = {"AMT": (1e-12, MAX_AMOUNT), "DV": (1e-30, MAX_CONCENTRATION)}


def numbers(name: str, cells: Cells, comma: bool, limit: float | None):
    """Return the numbers of a column and what is wrong with its cells.

    Args:
        name: known name of the column.
        cells: the column.
        comma: whether 1,5 is 1.5.
        limit: LLOQ for cells such as BLQ, if known.

    Returns:
        float64[N] (NaN where missing); limits float64[N] (NaN but where a cell such as <0.5 says
        so); {code of a text: (problem, remedy)}.
    """
    values = np.full(len(cells.texts), np.nan)
    limits = np.full(len(cells.texts), np.nan)
    faults: dict[int, tuple[str, str]] = {}
    matches = NUMBER.fullmatch
    for code, text in enumerate(cells.texts):
        if comma and _DECIMAL_COMMA.fullmatch(text):
            text = text.replace(",", ".")
        if matches(text):
            values[code] = to_number(text)
        elif is_missing(text):
            continue
        elif name in ("CENS", "MDV") and text.upper() in _FLAGS:
            values[code] = _FLAGS[text.upper()]
        elif name == "DV" and _BELOW.fullmatch(text):
            found = to_number(_LIMIT.sub(r"\1", text)) if _LIMIT.fullmatch(text) else math.nan
            found = limit if not found > 0 and limit else found
            if found > 0:
                limits[code] = found
            else:
                remedy = (
                    "write the LLOQ with CENS 1, give the limit with --lloq, or write . where the "
                    "value is missing"
                )
                faults[code] = ("{value} is text, not a number", remedy)
        else:
            faults[code] = _no_number(text)
    least, most = _BOUNDS.get(name, (0.0, math.inf))
    size = np.abs(values)
    for code in np.flatnonzero((size > most) | (size < least) & (size > 0) | np.isinf(size)):
        faults[int(code)] = _out_of_bounds(float(values[code]), least, most)
    return values[cells.codes], limits[cells.codes], faults


def _out_of_bounds(value: float, least: float, most: float) -> tuple[str, str]:
    if not math.isfinite(value):
        return "{value} is not a finite number", "write . where the value is missing"
    problem = f"{{value}} is outside {least:g} to {most:g}, the range that is taken"
    return problem, "correct it or its unit"


def _no_number(text: str) -> tuple[str, str]:
    if _DECIMAL_COMMA.fullmatch(text):
        return "{value} has a decimal comma", "write a point"
    if _NOT_FINITE.fullmatch(text):
        return "{value} is not a finite number", "write . where the value is missing"
    return "{value} is text, not a number", "write a number, or . where the value is missing"


def name_faults(cells: Cells, required: bool) -> dict[int, tuple[str, str]]:
    """Return what is wrong with the texts of a column of names."""
    faults = {}
    for code, text in enumerate(cells.texts):
        if is_missing(text):
            if required:
                faults[code] = "the value is missing", "give every row one"
        elif not text.isprintable() or text[0] in "#@" or len(text) > 200:
            faults[code] = "{value} cannot be used as a name", "write a plain one"
    return faults


# ---------------------------------------------------------------------------------------- records


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


def broken(
    f: Frame, rules: Iterable[Rule], cells: Mapping[str, Cells], names: Mapping[str, str]
) -> list[Fault]:
    """Return the faults that the rules find. One cell gives at most one fault, that of the first
    rule it breaks; ``names`` says what a column is called in the file."""
    taken: dict[str, NDArray] = {}
    faults = []
    for rule in rules:
        wrong = np.asarray(rule.wrong(f), bool)
        if not wrong.any():
            continue
        wrong = wrong & ~taken.get(rule.column, False)
        taken[rule.column] = wrong | taken.get(rule.column, False)
        name = names.get(rule.column, rule.column)
        for n in np.flatnonzero(wrong).tolist():
            value = cells[rule.column].text(n) if rule.column in cells else ""
            problem = rule.problem.replace("{value}", value).replace("{column}", name)
            faults.append(Fault(int(f["row"][n]), name, problem, rule.remedy))
    return faults


def _set(f: Frame, name: str) -> NDArray:
    return ~np.isnan(f[name])


def _other_than(f: Frame, name: str, *allowed: float) -> NDArray:
    return _set(f, name) & ~np.isin(f[name], allowed)


def _disagree(f: Frame) -> NDArray:
    both = (f["RATE"] > 0) & (f["DUR"] > 0)
    return both & ~np.isclose(f["AMT"], f["RATE"] * f["DUR"], rtol=1e-3)


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
    Rule("DV", lambda f: f["dose"] & (f["MDV"] != 1) & _set(f, "DV") & (f["DV"] != 0),
         "a dose row holds the concentration {value}",
         "put the observation on a row of its own with EVID 0 and write . here"),
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
    Rule("DUR", _disagree, "the duration {value} is not AMT / RATE", "correct or remove one"),
    Rule("DUR", _too_long("length"), f"the infusion is {_LONG}", "correct its rate or duration"),
    Rule("ADDL", lambda f: (f["ADDL"] < 0) | (_set(f, "ADDL") & (f["ADDL"] != np.floor(f["ADDL"]))),
         "ADDL is {value}", "give the number of further doses, 0 or more"),
    Rule("ADDL", lambda f: f["ADDL"] >= MAX_DOSES,
         f"ADDL {{value}} is more than the {MAX_DOSES - 1:,} further doses that are taken",
         "correct it"),
    Rule("ADDL", lambda f: f["dose"] & (f["ADDL"] > 0) & ~(f["II"] > 0),
         "there are further doses (ADDL {value}) without an interval",
         "give the hours between two doses in II"),
    Rule("II", lambda f: f["II"] < 0, "the interval {value} is negative", "give a positive one"),
    Rule("II", _too_long("II"), f"the interval {{value}} is {_LONG}", "correct it or its unit"),
    Rule("SS", lambda f: f["dose"] & _other_than(f, "SS", 0, 1, 2),
         "SS {value} is not supported", "use 1 for a steady state of equal doses every II hours"),
    Rule("SS", lambda f: f["dose"] & np.isin(f["SS"], [1, 2]) & ~(f["II"] > 0),
         "SS {value} asks for a steady state without an interval",
         "give the hours between two doses in II, or write the preceding doses out"),
    Rule("CENS", lambda f: _other_than(f, "CENS", 0, 1), "{column} is {value}",
         "use 1 for a value below its limit and 0 for any other"),
    Rule("LLOQ", lambda f: f["LLOQ"] <= 0, "the limit {value} is not positive",
         "give a positive LLOQ or ."),
    Rule("ROUTE", lambda f: f["dose"] & (f["way"] == "") & f["routed"],
         "the route {value} is unknown",
         "use oral, iv_bolus or iv_infusion, or say --route for all doses"),
    Rule("ROUTE", lambda f: f["dose"] & f["routed"] & (f["length"] > 0)
         & np.isin(f["way"], ["oral", "iv_bolus"]),
         "a dose by {value} has a RATE or a duration", "use iv_infusion, or remove it"),
    Rule("ROUTE", lambda f: f["dose"] & (f["way"] == "iv_infusion") & ~(f["length"] > 0),
         "the infusion has no duration", "give it in hours in DUR, or its RATE"),
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
        Rule("AMT", _no_dose, "the individual has no dose",
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


def combined(*columns: NDArray) -> NDArray[np.int64]:
    """Return one code per distinct row of several columns of numbers (NaN equals NaN)."""
    codes = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        values = np.unique(np.nan_to_num(column, nan=-1.0), return_inverse=True)[1]
        codes = codes * (int(values.max(initial=0)) + 1) + values.reshape(-1)
        codes = np.unique(codes, return_inverse=True)[1].reshape(-1)  # so that nothing overflows
    return codes


def after_first(keys: NDArray[np.int64], within: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return True for each record of ``within`` whose key an earlier one of them has."""
    later = np.zeros(len(keys), bool)
    places = np.flatnonzero(within)
    repeated = np.ones(len(places), bool)
    repeated[np.unique(keys[places], return_index=True)[1]] = False
    later[places[repeated]] = True
    return later


def _repeated(f: Frame, *columns: str) -> NDArray:
    keys = combined(f["series"], f["dose"], f["TIME"], *(f[name] for name in columns))
    return after_first(keys, f["dose"]) | after_first(keys, ~f["dose"])


def _previous(order: NDArray, groups: NDArray, values: NDArray) -> tuple[NDArray, NDArray]:
    """Along ``order``: whether the record before is of the same group, and its value."""
    same = np.zeros(len(order), bool)
    same[1:] = groups[order][1:] == groups[order][:-1]
    before = np.roll(values[order], 1)
    return same, before


def _reappears(f: Frame) -> NDArray:
    """The first record of a run of records whose ID had an earlier run (per study, analyte)."""
    order = np.argsort(f["part"], kind="stable")
    same, before = _previous(order, f["part"], f["id"])
    starts = np.zeros(len(order), bool)
    starts[order] = ~same | (before != f["id"][order])
    return after_first(f["series"], starts)


def _backwards(f: Frame) -> NDArray:
    """The first step back in time of each series that stands together."""
    order = np.argsort(f["series"], kind="stable")
    same, before = _previous(order, f["series"], f["TIME"])
    back = np.zeros(len(order), bool)
    back[order] = same & (f["TIME"][order] < before)
    scattered = np.isin(f["series"], f["series"][_reappears(f)])
    return back & ~after_first(f["series"], back) & ~scattered


def _mixed(f: Frame) -> NDArray:
    """The first record that returns to an occasion that another one had interrupted."""
    known = f["occasion"] >= 0
    keys = combined(f["series"], f["occasion"])
    order = np.argsort(f["series"], kind="stable")
    order = order[known[order]]
    same, before = _previous(order, f["series"], f["occasion"])
    starts = np.zeros(len(known), bool)
    starts[order] = ~same | (before != f["occasion"][order])
    mixed = after_first(keys, starts)
    return mixed & ~after_first(f["series"], mixed)


def _no_dose(f: Frame) -> NDArray:
    dosed = np.isin(f["who"], f["who"][f["dose"]])
    return ~dosed & ~after_first(f["who"], np.ones(len(dosed), bool))


def _several_drugs(f: Frame) -> NDArray:
    """The first observation of an analyte that could take the doses of more than one drug."""
    own = f["dose"] & ~f["unlabelled"]
    drugs = np.unique(np.stack([f["who"][own], f["label"][own]], 1), axis=0)
    who, count = np.unique(drugs[:, 0], return_counts=True)
    plain = f["who"][f["dose"] & f["unlabelled"]]
    several = np.isin(f["who"], who[count > 1])
    served = np.isin(f["series"], f["series"][own]) | np.isin(f["who"], plain)
    unclear = f["seen"] & several & ~served
    return unclear & ~after_first(f["series"], f["seen"])
