"""Which columns and rows of a table are used, and what single cells say.

Shapes: N records.
"""

from __future__ import annotations

import math
import os
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agmpk.errors import AgmpkError
from agmpk.studies.nonmem.layout import (
    NUMBER,
    Fault,
    Layout,
    header_remedy,
    parse_settings,
    printable,
    read_layout,
    refuse,
)
from agmpk.studies.study import MAX_AMOUNT, MAX_CONCENTRATION, checked_name, is_missing
from agmpk.studies.units import Units, check_unit, conversion_factor

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

    def which(self, test: Callable[[str], bool]) -> NDArray[np.bool_]:
        """Return which records have a cell of that kind, bool[N]."""
        return np.array([test(text) for text in self.texts], bool)[self.codes]


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


# -------------------------------------------------------------------------------------- the table


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a table is to be read, where its columns do not say so themselves.

    Attributes:
        columns: known name -> name in the header; '' leaves the column out.
        analyte: label of the analyte to read.
        study: STUDY value to read; 'all' pools all of them into one study.
        occasion: 'split' makes an individual (of the same person) of each occasion; 'as-is' takes
            times as they stand, sorted; None refuses what would need the one or the other.
        exclude: IDs that are left out.
        route: route of all doses: oral, iv, iv_bolus or iv_infusion.
        units: entries of a units line (time, concentration, dose, compound, lloq) that win over
            the file's own.
        log_dv: DV holds natural logarithms of concentrations.
        lloq: lower limit of quantification; without a flag column, lower values are below it.
        dose_at: the amount stands on every row and is one dose, given at this TIME.
        repeats: 'combine' adds up equal doses at one time and averages observations at one time;
            None refuses them.
        skip_unusable: leave out (and list) individuals with faults instead of refusing the table.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    analyte: str | None = None
    study: str | None = None
    occasion: str | None = None
    exclude: Sequence[str] = ()
    route: str | None = None
    units: Mapping[str, str] | str = field(default_factory=dict)
    log_dv: bool = False
    lloq: float | None = None
    dose_at: float | None = None
    repeats: str | None = None
    skip_unusable: bool = False

    def __post_init__(self) -> None:
        columns = {str(key).upper(): str(value) for key, value in dict(self.columns).items()}
        for name in columns:
            if name not in KNOWN:
                raise AgmpkError(
                    f"columns names {printable(name)}, which is no column of a table; use one of "
                    f"{', '.join(KNOWN)}."
                )
        units = self.units
        try:
            words = re.split(r"[\s,]+", units.strip()) if isinstance(units, str) else None
            pairs = words if words is not None else [f"{k}={v}" for k, v in units.items()]
            settings = parse_settings(word for word in pairs if word)
        except ValueError as error:
            raise AgmpkError(f"units {error}; write time=h,concentration=ng/mL,dose=mg.") from None
        for name, value, allowed in (
            ("occasion", self.occasion, (None, "split", "as-is")),
            ("repeats", self.repeats, (None, "combine")),
            ("route", self.route, (None, *sorted({*ROUTE_NAMES.values()}))),
        ):
            if value not in allowed:
                raise AgmpkError(f"{name} is {value!r}; use one of {', '.join(allowed[1:])}.")
        for name in ("lloq", "dose_at"):
            value = getattr(self, name)
            if value is None:
                continue
            if not math.isfinite(value) or value < 0 or name == "lloq" and value == 0:
                raise AgmpkError(f"{name} is {value}; give a positive number.")
        exclude = [self.exclude] if isinstance(self.exclude, str) else self.exclude
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "units", settings)
        object.__setattr__(self, "exclude", tuple(str(one) for one in exclude))


class Table:
    """One table: its units, the columns and the rows that are used."""

    def __init__(self, path: str | os.PathLike[str], options: Options) -> None:
        self.path = printable(str(path))
        self.options = options
        wanted = [options.columns.get(name) or name for name in ("ID", "TIME")]
        self.table: Layout = read_layout(path, wanted)
        self.notes = list(self.table.notes)
        self.skipped: dict[str, str] = {}
        self.settings()

    def settings(self) -> None:
        """Take the units, the compound and the LLOQ of the units line and of the caller."""
        given = {**self.table.settings, **self.options.units}
        if self.options.lloq is not None:
            given["lloq"] = repr(float(self.options.lloq))
        try:
            for kind in ("time", "concentration", "dose"):
                if kind in given:
                    check_unit(kind, given[kind])
            self.hours = conversion_factor(given.get("time", "h"), "h")
            if "compound" in given:
                checked_name("compound", given["compound"])
            self.lloq = to_number(given["lloq"]) if "lloq" in given else None
            if self.lloq is not None and not 0 < self.lloq < math.inf:
                raise AgmpkError(f"the LLOQ {given['lloq']!r} is no positive number; correct it.")
        except AgmpkError as error:
            problem, _, remedy = str(error).rstrip(".").partition("; ")
            remedy = remedy or "correct the units line"
            self.refuse("", problem, remedy, self.table.settings_row)
        self.units = Units("h", given.get("concentration", "ng/mL"), given.get("dose", "mg"))
        self.compound = given.get("compound")
        self.given = tuple(one for one in ("time", "concentration", "dose") if one in given)

    def refuse(self, column: str, problem: str, remedy: str, row: int | None = None) -> None:
        """Refuse the table for one fault, in the header's row unless another is named.

        Raises:
            TableError: always.
        """
        place = self.table.header_row if row is None else row
        refuse(self.path, [Fault(place, column, problem, remedy)])

    def columns(self) -> None:
        """Find the known columns and encode their cells."""
        table, chosen = self.table, dict(self.options.columns)
        places = name_columns(table, chosen)
        if self.options.dose_at is not None:
            places.pop("EVID", None)
        refuse(self.path, header_faults(table, places, chosen))
        size = len(table.rows)
        if not size:
            self.refuse("", "no row follows the header", "add the records")
        self.names = {name: table.header[place].upper() for name, place in places.items()}
        self.written = {name: table.header[place] for name, place in places.items()}
        self.cells = {name: encode(table.column(place), size) for name, place in places.items()}
        self.rows = np.array(table.lines, np.int64)
        upper = [name.upper() for name in table.header]
        self._same_meaning(upper)
        used = set(places.values())
        self.unused = tuple(
            name
            for place, name in enumerate(table.header)
            if place not in used and name not in (".", "")
        )
        if table.nonmem:  # NONMEM writes every label as 1.0000E+00
            for name in set(LABELS) & self.cells.keys():
                texts = [_whole_number(text) for text in self.cells[name].texts]
                self.cells[name] = Cells(self.cells[name].codes, texts)
        if self.names.get("LLOQ") == "LLOQ" and "CENS" not in self.cells:
            cells = self.cells["LLOQ"]
            if {text for text in cells.texts if not is_missing(text)} == {"0", "1"}:
                self.cells["CENS"], self.names["CENS"] = cells, "LLOQ"
                del self.cells["LLOQ"], self.names["LLOQ"]
                self.notes.append("LLOQ holds 0 and 1 and is read as the flag of the limit")
        for name, actual in self.names.items():
            if actual != name and name not in chosen:
                self.notes.append(f"{actual} is read as {name}")

    def _same_meaning(self, upper: list[str]) -> None:
        """Refuse two columns of one meaning (CENS and BLQ) that say different things."""
        for name in ("CENS", "DUR"):
            if name not in self.cells or name in self.options.columns:
                continue
            for other in (name, *ALIASES[name]):
                if other == self.names[name] or other not in upper:
                    continue
                place = upper.index(other)
                twin = encode(self.table.column(place), len(self.rows))
                values = [numbers("CENS", one, False, None)[0]
                          for one in (self.cells[name], twin)]  # fmt: skip
                mine, theirs = (np.nan_to_num(one) for one in values)
                if n := np.flatnonzero(mine != theirs)[:1].tolist():
                    problem = f"{other} and {self.names[name]} say different things"
                    remedy = f"choose one, as --columns {name}={other} does"
                    self.refuse(other, problem, remedy, int(self.rows[n[0]]))

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Go on with some of the rows."""
        self.cells = {name: cells.keep(mask) for name, cells in self.cells.items()}
        self.rows = self.rows[mask]
        if len(self.blocks):
            self.blocks = self.blocks[mask]

    def choose_rows(self) -> None:
        """Leave out excluded individuals, the studies not asked for, and commented rows."""
        options = self.options
        self.blocks = np.array(self.table.blocks, np.int64)
        texts = self.cells["ID"].texts
        unknown = [one for one in options.exclude if one not in texts and one[0] not in "#@"]
        if unknown:
            raise AgmpkError(
                f"{self.path} has no individual {', '.join(unknown)} to exclude; it has "
                f"{listed([one for one in texts if not is_missing(one)])}."
            )
        if options.exclude:
            self.keep(~self.cells["ID"].which(options.exclude.__contains__))
            self.notes.append(f"left out as asked: {', '.join(options.exclude)}")
            if not len(self.rows):
                raise AgmpkError(f"{self.path} has nobody left when all its IDs are excluded.")
        if len(self.blocks):
            if "STUDY" in self.cells:
                problem = "several TABLE NO. blocks hold a column STUDY"
                self.refuse("", problem, "split the file", 0)
            self.cells["STUDY"] = encode([str(one) for one in self.blocks], len(self.rows))
            self.names["STUDY"] = "TABLE NO."
        if options.study is not None and options.study != "all":
            if "STUDY" not in self.cells:
                raise AgmpkError(f"{self.path} has no column STUDY, so no study {options.study}.")
            cells = self.cells["STUDY"]
            wanted = cells.which(str(options.study).__eq__)
            if not wanted.any():
                known = [one for one in cells.texts if not is_missing(one)]
                raise AgmpkError(
                    f"{self.path} has no study {options.study}; it has {listed(known)}."
                )
            self.keep(wanted)
        self._commented()

    def _commented(self) -> None:
        """Refuse comments that look like all records of somebody; count the others."""
        if not self.table.commented:
            return
        place = self.table.header.index(self._header_name("ID"))
        known = set(self.cells["ID"].texts)
        lost: dict[str, int] = {}
        count = 0
        for row, fields in self.table.commented:
            first = fields[place].strip().strip('"').strip()
            bare = first.lstrip("#@").strip()
            if first in self.options.exclude or not bare:
                continue
            if bare in known:
                count += 1
            elif to_number(fields[self._place("TIME")].strip()) >= 0:
                lost.setdefault(first if first[:1] in "#@" else fields[0].strip(), row)
        refuse(
            self.path,
            [
                Fault(
                    row, self.names["ID"],
                    f"all rows of {name!r} begin with # or @ like comments",
                    "give the individual an ID without the sign, remove the rows, or leave them "
                    f"out with --exclude '{name}'",
                )
                for name, row in lost.items()
            ],
        )  # fmt: skip
        if count:
            self.notes.append(f"{count} row(s) that begin with # or @ are comments and not used")

    def _header_name(self, name: str) -> str:
        return next(one for one in self.table.header if one.upper() == self.names[name])

    def _place(self, name: str) -> int:
        return self.table.header.index(self._header_name(name))


def listed(names: Iterable[str], most: int = 20) -> str:
    found = list(names)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return printable(", ".join(found[:most])) + more


def _whole_number(text: str) -> str:
    if re.fullmatch(r"-?\d\.\d*[eE][+-]\d+", text) and float(text).is_integer():
        return str(int(float(text)))
    return text
