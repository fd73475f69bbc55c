"""Which columns and rows of a table are used, and units that headings and rows tell.

Shapes: N records.
"""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml
from numpy.typing import NDArray

from agmpk.errors import AgmpkError
from agmpk.studies.nonmem.layout import (
    HEADER_REMEDY,
    Cells,
    Fault,
    printable,
    read_layout,
    refuse,
)
from agmpk.studies.study import checked_name
from agmpk.studies.units import (
    Units,
    check_unit,
    conversion_factor,
    is_missing,
    is_unit,
    numbers,
    plain_unit,
    same_unit,
    split_heading,
    to_number,
)

if TYPE_CHECKING:
    from agmpk.studies.nonmem.read import Options

REQUIRED = ("ID", "TIME", "DV", "AMT")
NUMERIC = ("DV", "AMT", "EVID", "MDV", "RATE", "DUR", "ADDL", "II", "SS", "CENS", "LLOQ")
LABELS = ("ID", "STUDY", "ANALYTE", "OCC", "ROUTE", "CMT", "ADM", "PERSON")
KNOWN = (*NUMERIC, *LABELS, "TIME", "DATE")
_KINDS = {"TIME": "time", "DV": "concentration", "AMT": "dose"}
_UNIT_AS = {"DUR": "in the unit of TIME", "II": "in the unit of TIME", "LLOQ": "in the unit of DV",
            "RATE": "in the unit of AMT per that of TIME"}  # fmt: skip
# Columns of units, but those of covariates.
_UNIT_COLUMN = re.compile(
    r"(?!AGE|WT|WEIGHT|HT|HEIGHT|BMI)(.*(UNITS?|_U)"
    r"|(DV|DOSE|AMT|AVAL|TIME|CONC|LLOQ|RATE|PCORRES|PCSTRES|EXDOS)U)"
)

_WORDS = yaml.safe_load(Path(__file__).with_name("names.yaml").read_text("utf-8"))
_NAMES = {name: (name, *_WORDS["aliases"].get(name, ())) for name in KNOWN}
ABSORBED = frozenset(_WORDS["absorbed"])
ROUTE_NAMES = {name: route for route, names in _WORDS["routes"].items() for name in names}
ROUTE_NAMES |= dict.fromkeys(ABSORBED, "oral")
"""What a table may call a route, and the route: oral, iv, iv_bolus or iv_infusion."""


class Table:
    """One table: its units, the columns and the rows that are used.

    Attributes:
        cells: columns by known name; ``names`` are theirs in the header, in capitals.
        f: columns of numbers by name, all of length N, from ``row``, the line numbers, on.
        notes: what was assumed, converted or left out.
    """

    required = REQUIRED

    def __init__(self, path: str | os.PathLike[str], options: Options) -> None:
        self.path = printable(str(path))
        self.options = options
        wanted = [options.columns.get(name) or name for name in ("ID", "TIME")]
        self.table = read_layout(path, wanted)
        self.notes = list(self.table.notes)
        # The units, the compound and the LLOQ are those of the units line, or of the caller.
        given = {**self.table.settings, **options.units}
        if options.lloq is not None:
            given["lloq"] = repr(float(options.lloq))
        self.given = tuple(kind for kind in _KINDS.values() if kind in given)
        try:
            for kind in self.given:
                check_unit(kind, given[kind])
            self.unit = asdict(Units()) | {kind: given[kind] for kind in self.given}
            self.hours = conversion_factor(self.unit["time"], "h")
            if "compound" in given:
                checked_name("compound", given["compound"])
            self.lloq = to_number(given["lloq"]) if "lloq" in given else None
            if self.lloq is not None and not 0 < self.lloq < math.inf:
                raise AgmpkError(f"the LLOQ {given['lloq']!r} is no positive number; correct it.")
        except AgmpkError as error:
            problem, _, remedy = str(error).rstrip(".").partition("; ")
            remedy = remedy or "correct the units line"
            self.refuse("", problem, remedy, self.table.settings_row)
        self.units = Units(**self.unit | {"time": "h"})
        self.compound = given.get("compound")

    def refuse(self, column: str, problem: str, remedy: str, row: int | None = None) -> None:
        """Raise TableError for one fault, in the header's row unless another is named."""
        place = self.table.header_row if row is None else row
        refuse(self.path, [Fault(place, column, problem, remedy)])

    def note(self, records: NDArray[np.bool_] | int, text: str) -> None:
        """Note that something holds for some records, a mask or a number: ``{n}`` in ``text``."""
        if number := int(np.sum(records)):
            self.notes.append(text.replace("{n}", str(number)))

    def keep(self, chosen: NDArray) -> None:
        """Go on with some of the records: a mask bool[N], or their places in a new order."""
        self.cells = {name: one.pick(chosen) for name, one in self.cells.items()}
        self.f = {name: one[chosen] if np.ndim(one) else one for name, one in self.f.items()}

    def columns(self) -> None:
        """Find the known columns and encode their cells."""
        table, chosen = self.table, self.options.columns
        places = self._places()
        if not table.rows:
            self.refuse("", "no row follows the header", "add the records")
        self._row_of_units(places)
        self.written = {name: table.header[place] for name, place in places.items()}
        self.names = {name: written.upper() for name, written in self.written.items()}
        self.cells = {name: table.column(place) for name, place in places.items()}
        self.f = {"row": np.array(table.lines, np.int64)}
        self._same_meaning()
        used = {*places.values()}
        unused = [name for place, name in enumerate(table.header) if place not in used]
        self.unused = tuple(name for name in unused if name != ".")
        self._heading_against_unit()
        if "DV" in self.required:  # else a table of plans, which refuses whatever it does not know
            self._known_but_for_a_unit()
        if table.nonmem:  # NONMEM writes every label as 1.0000E+00
            for name in set(LABELS) & self.cells.keys():
                codes, texts = self.cells[name]
                self.cells[name] = Cells(codes, [_whole_number(text) for text in texts])
        if self.names.get("LLOQ") == "LLOQ" and "CENS" not in self.cells:
            texts = {text for text in self.cells["LLOQ"].texts if not is_missing(text)}
            if texts == {"0", "1"}:
                self.cells["CENS"], self.names["CENS"] = self.cells.pop("LLOQ"), "LLOQ"
                del self.names["LLOQ"]
                self.notes.append("LLOQ holds 0 and 1 and is read as the flag of the limit")
        for name, actual in self.names.items():
            if actual != name and name not in chosen:
                self.notes.append(f"{actual} is read as {name}")

    def _places(self) -> dict[str, int]:
        """The place of each known column in the header; refused is one that is missing, or there
        twice."""
        header, chosen = self.table.header, self.options.columns
        upper = [name.upper() for name in header]
        asked = {one.upper() for one in chosen.values()}
        count, row = Counter(upper), self.table.header_row
        places, faults = {}, []
        for name in KNOWN:
            if self.options.dose_at is not None and name == "EVID":
                continue
            if name in chosen:
                found = [chosen[name].upper()] if chosen[name] else []
            else:
                found = [one for one in _NAMES[name] if one in count and one not in asked][:1]
            for actual in found:
                places[name] = upper.index(actual) if actual in count else -1
                if actual not in count:
                    problem = f"no column is called {chosen[name]}"
                    faults.append(
                        Fault(row, chosen[name], problem, f"it has {', '.join(header[:12])}")
                    )
                elif count[actual] > 1:
                    problem = f"the header names {actual} twice"
                    faults.append(Fault(row, actual, problem, "remove one of them"))
        for name in self.required:
            if name not in places:
                problem = "the required column is missing"
                faults.append(Fault(row, name, problem, self._found(name)))
        refuse(self.path, faults)
        return places

    def _found(self, name: str) -> str:
        """The remedy for a required column that is missing: the column that may be meant."""
        meant = self._meant(name)
        if meant is None:
            add = f"add it, or name the column that holds it, as --columns {name}=..."
            return f"{add}; {HEADER_REMEDY}"
        say = _columns_option(name, meant)
        if units := self._units_option({one: self._meant(one) for one in _KINDS}):
            say += f" {units}"
        named = f"say {say}" if units else f"rename {meant} to {name} or say {say}"
        if split_heading(meant)[0] == "TAD":
            return f"if each ID has one dose, {named}, else write hours since its first one"
        if name == "AMT":
            return (
                f"if {meant} holds the amount on the rows of doses only, {named}; if it stands on "
                f"every row, say {say} --dose-at 0 for one dose at TIME 0"
            )
        return named + (" --log-dv" if split_heading(meant)[0] in _WORDS["logarithms"] else "")

    def _meant(self, name: str) -> str | None:
        """The heading of what may be meant by a required column: it or a synonym, with a unit."""
        backwards = self.table.header[::-1]  # the first of several wins
        bare = {split_heading(heading)[0]: heading for heading in backwards}
        bare |= {heading.upper(): heading for heading in backwards}
        return next((bare[one] for one in (name, *_WORDS["synonyms"][name]) if one in bare), None)

    def _units_option(self, headings: Mapping[str, str | None]) -> str:
        """The option --units of the units in the headings of TIME, DV and AMT, and of the caller's
        own; '' where no heading tells one."""
        told = {}
        for name, kind in _KINDS.items():
            if unit := split_heading(headings.get(name) or "")[1]:
                told[kind] = unit if is_unit(kind, unit) else "..."
        told |= self.options.units if told else {}
        return "--units " + ",".join(f"{key}={unit}" for key, unit in told.items()) if told else ""

    def _row_of_units(self, places: Mapping[str, int]) -> None:
        """Refuse a second line that holds units, as Phoenix writes it."""
        units = {}
        for name in _KINDS.keys() & places.keys():
            cell = plain_unit(self.table.rows[0][places[name]])
            if is_unit(_KINDS[name], cell, alone=True):
                units[name] = f"{name} ({cell})"
        if units:
            remedy = f"delete it and say {self._units_option(units)}"
            self.refuse("", "this is a row of units, not a record", remedy, self.table.lines[0])

    def _heading_against_unit(self) -> None:
        """Refuse a heading with another unit than the one that nobody named."""
        for name, kind in _KINDS.items():
            heading, ours = self.written.get(name, ""), self.unit[kind]
            unit = split_heading(heading)[1]
            if kind not in self.given and is_unit(kind, unit) and not same_unit(unit, ours):
                problem = f"the heading says {unit}, but {ours} is the unit where none is named"
                self.refuse(heading, problem, f"say {self._units_option(self.written)}")

    def _known_but_for_a_unit(self) -> None:
        """Refuse to ignore columns whose headings are those of optional ones and a unit."""
        faults = []
        for heading in self.unused:
            bare, unit, bracketed = split_heading(heading)
            for name in KNOWN:
                if bare not in _NAMES[name] or bare == heading.upper():
                    continue
                decided = name in self.cells or name in self.options.columns
                if decided or not (bracketed or unit and name in _UNIT_AS):
                    continue
                if name == "EVID" and self.options.dose_at is not None:
                    continue
                condition, convert = f"if it holds {name}", ""
                if name in _UNIT_AS:
                    condition, convert = f"{condition} {_UNIT_AS[name]}", ", else convert it first"
                faults.append(Fault(
                    self.table.header_row, heading, f"the column seems to be {name} but is not "
                    "called that, so it would be ignored",
                    f"{condition}, say {_columns_option(name, heading)}{convert}; "
                    f"--columns {name}= leaves it out",
                ))  # fmt: skip
        refuse(self.path, faults)

    def _same_meaning(self) -> None:
        """Refuse two columns of one meaning (CENS and BLQ) that say different things."""
        upper = [name.upper() for name in self.table.header]
        for name in ("CENS", "DUR"):
            if name not in self.cells or name in self.options.columns:
                continue
            for other in {*_NAMES[name]} & {*upper} - {self.names[name]}:
                twin = self.table.column(upper.index(other))
                mine, theirs = (
                    np.nan_to_num(numbers("CENS", one.texts)[0][one.codes])
                    for one in (self.cells[name], twin)
                )
                if n := np.flatnonzero(mine != theirs)[:1].tolist():
                    problem = f"{other} and {self.names[name]} say different things"
                    remedy = f"choose one, as --columns {name}={other} does"
                    self.refuse(other, problem, remedy, int(self.f["row"][n[0]]))

    def choose_rows(self) -> None:
        """Leave out excluded individuals, the studies not asked for, and commented rows."""
        exclude, study = self.options.exclude, self.options.study
        texts = self.cells["ID"].texts
        place = self.table.header.index(self.written["ID"])
        commented = (fields[place].strip(' \t"') for _, fields in self.table.commented)
        unknown = [one for one in exclude if one not in {*texts, *commented} and one[0] not in "#@"]
        if unknown:
            raise AgmpkError(
                f"{self.path} has no individual {', '.join(unknown)} to exclude; it has "
                f"{listed(texts)}."
            )
        if self.table.blocks:
            if "STUDY" in self.cells:
                problem = "several TABLE NO. blocks hold a column STUDY"
                self.refuse("", problem, "split the file", 0)
            self.cells["STUDY"] = Cells.of([str(one) for one in self.table.blocks])
            self.names["STUDY"] = "TABLE NO."
        if exclude:
            self.keep(~self.cells["ID"].which(exclude.__contains__))
            self.notes.append(f"left out as asked: {', '.join(exclude)}")
            if not len(self.f["row"]):
                raise AgmpkError(f"{self.path} has nobody left when all its IDs are excluded.")
        if study is not None and study != "all":
            if "STUDY" not in self.cells:
                raise AgmpkError(f"{self.path} has no column STUDY, so no study {study}.")
            wanted = self.cells["STUDY"].which(str(study).__eq__)
            if not wanted.any():
                known = listed(self.cells["STUDY"].texts)
                raise AgmpkError(f"{self.path} has no study {study}; it has {known}.")
            self.keep(wanted)
        self._commented()
        self._units_of_rows()

    def _units_of_rows(self) -> None:
        """Refuse units that differ between doses, or between observations."""
        headings = [one for one in self.unused if _UNIT_COLUMN.fullmatch(one.upper())]
        if not headings or "DV" not in self.cells:
            return
        none, value = Cells(np.zeros(len(self.f["row"]), np.int64), [""]), {}
        for name in ("AMT", "MDV", "EVID"):
            codes, texts = self.cells.get(name, none)
            value[name] = numbers(name, texts, self.table.decimal_comma)[0][codes]
        given = value["AMT"] > 0
        seen = (self.cells["DV"].known() != "") & (value["MDV"] != 1)
        seen &= ~given & ~(value["EVID"] >= 1)
        if self.options.analyte is not None and "ANALYTE" in self.cells:
            mine = np.isin(self.cells["ANALYTE"].known(), ["", str(self.options.analyte)])
            given, seen = given & mine, seen & mine
        places = np.searchsorted(self.table.lines, self.f["row"])
        for heading in headings:
            codes, units = self.table.column(self.table.header.index(heading)).pick(places)
            for rows, what in ((seen, "observations"), (given, "doses")):
                first = ""
                firsts = np.unique(codes[rows], return_index=True)[1]
                for n in np.sort(np.flatnonzero(rows)[firsts]):
                    unit = plain_unit(units[codes[n]])
                    first = first or unit
                    if unit and unit != first and not same_unit(unit, first):
                        self.refuse(
                            heading,
                            f"{what} are in {unit} here and in {first} before",
                            "convert them to one unit (units are not read row by row), leave "
                            "individuals out with --exclude, or remove the column if it holds "
                            "no units",
                            int(self.f["row"][n]),
                        )

    def _commented(self) -> None:
        """Refuse comments that look like all records of somebody; count the others."""
        header = self.table.header
        id_place, time_place = (header.index(self.written[name]) for name in ("ID", "TIME"))
        known = set(self.cells["ID"].texts)
        lost: dict[str, tuple[int, str]] = {}
        count = 0
        for row, fields in self.table.commented:
            first = fields[id_place].strip().strip('"').strip()
            by_c = fields[0].strip()[:1] in ("C", "c")  # under the header CID
            bare = (first[1:] if by_c and id_place == 0 else first.lstrip("#@")).strip()
            if first in self.options.exclude or not bare:
                continue
            if bare in known:
                count += not by_c  # the others are counted already
            elif to_number(fields[time_place].strip()) >= 0:
                name = first if by_c or first[:1] in "#@" else fields[0].strip()
                lost.setdefault(name, (row, "C" if by_c else "# or @"))
        refuse(self.path, [
            Fault(row, self.names["ID"], f"all rows of {name!r} begin with {sign} like comments",
                  "give the individual an ID without the sign (or call a column CID ID), remove "
                  f"the rows, or leave them out with --exclude '{name}'")
            for name, (row, sign) in lost.items()
        ])  # fmt: skip
        self.note(count, "{n} row(s) that begin with # or @ are comments and not used")


def _columns_option(name: str, heading: str) -> str:
    """The option that names a column, quoted where a shell needs it."""
    said = f"{name}={heading}"
    return f"--columns {said}" if re.fullmatch(r"[\w.=]+", said) else f'--columns "{said}"'


def listed(names: Iterable[str], most: int = 20) -> str:
    """The first names (but those that mean 'no value'), for a sentence."""
    found = [name for name in names if not is_missing(name)]
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return printable(", ".join(found[:most])) + more


def _whole_number(text: str) -> str:
    if re.fullmatch(r"-?\d\.\d*[eE][+-]\d+", text) and float(text).is_integer():
        return str(int(float(text)))
    return text
