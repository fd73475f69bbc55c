"""From rows of text to records that are sound: names, numbers, meaning, occasions, analytes.

Shapes: N records.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agmpk.errors import AgmpkError
from agmpk.studies.nonmem import rules
from agmpk.studies.nonmem.layout import (
    Fault,
    Layout,
    parse_settings,
    printable,
    read_layout,
    refuse,
)
from agmpk.studies.nonmem.rules import Cells, combined, encode
from agmpk.studies.nonmem.times import clock_hours, date_hours, day_numbers
from agmpk.studies.study import checked_name, is_missing
from agmpk.studies.units import Units, check_unit, conversion_factor


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
            if name not in rules.KNOWN:
                raise AgmpkError(
                    f"columns names {printable(name)}, which is no column of a table; use one of "
                    f"{', '.join(rules.KNOWN)}."
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
            ("route", self.route, (None, *sorted({*rules.ROUTE_NAMES.values()}))),
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


@dataclass
class Records:
    """Records that are sound or not yet judged: columns by name, all of length N.

    Numbers: TIME [the table's unit], DV, AMT, EVID, MDV, RATE, DUR, ADDL, II, SS, CENS, LLOQ,
    cmt (NaN where missing); codes: id, study, label, occasion (-1 where missing); row (line
    number); event (EVID or what stands for it); dose, seen: what the record is; length [the
    table's unit] and way (route, '' when it cannot be told) of a dose.
    """

    f: dict[str, NDArray]
    ids: list[str]
    persons: list[str]
    studies: list[str]
    labels: list[str]

    def keep(self, mask: NDArray[np.bool_]) -> Records:
        return Records(
            {name: values[mask] if np.ndim(values) else values for name, values in self.f.items()},
            self.ids, self.persons, self.studies, self.labels,
        )  # fmt: skip


class TableReader:
    """One table on its way from text to studies."""

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
            self.lloq = rules.to_number(given["lloq"]) if "lloq" in given else None
            if self.lloq is not None and not 0 < self.lloq < math.inf:
                raise AgmpkError(f"the LLOQ {given['lloq']!r} is no positive number; correct it.")
        except AgmpkError as error:
            problem, _, remedy = str(error).rstrip(".").partition("; ")
            remedy = remedy or "correct the units line"
            refuse(self.path, [Fault(self.table.settings_row, "", problem, remedy)])
        self.units = Units("h", given.get("concentration", "ng/mL"), given.get("dose", "mg"))
        self.compound = given.get("compound")
        self.given = tuple(one for one in ("time", "concentration", "dose") if one in given)

    # ------------------------------------------------------------------------------------ columns

    def columns(self) -> None:
        """Find the known columns and encode their cells."""
        table, chosen = self.table, dict(self.options.columns)
        places = rules.name_columns(table, chosen)
        if self.options.dose_at is not None:
            places.pop("EVID", None)
        refuse(self.path, rules.header_faults(table, places, chosen))
        size = len(table.rows)
        if not size:
            problem = "no row follows the header"
            refuse(self.path, [Fault(table.header_row, "", problem, "add the records")])
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
            for name in set(rules.LABELS) & self.cells.keys():
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
            for other in (name, *rules.ALIASES[name]):
                if other == self.names[name] or other not in upper:
                    continue
                place = upper.index(other)
                twin = encode(self.table.column(place), len(self.rows))
                values = [rules.numbers("CENS", one, False, None)[0]
                          for one in (self.cells[name], twin)]  # fmt: skip
                mine, theirs = (np.nan_to_num(one) for one in values)
                if n := np.flatnonzero(mine != theirs)[:1].tolist():
                    fault = Fault(
                        int(self.rows[n[0]]), other,
                        f"{other} and {self.names[name]} say different things",
                        f"choose one, as --columns {name}={other} does",
                    )  # fmt: skip
                    refuse(self.path, [fault])

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
                f"{_listed([one for one in texts if not is_missing(one)])}."
            )
        if options.exclude:
            out = [text in options.exclude for text in texts]
            self.keep(~np.array(out, bool)[self.cells["ID"].codes])
            self.notes.append(f"left out as asked: {', '.join(options.exclude)}")
            if not len(self.rows):
                raise AgmpkError(f"{self.path} has nobody left when all its IDs are excluded.")
        if len(self.blocks):
            if "STUDY" in self.cells:
                refuse(self.path, [Fault(0, "", "several TABLE NO. blocks hold a column STUDY",
                                         "split the file")])  # fmt: skip
            self.cells["STUDY"] = encode([str(one) for one in self.blocks], len(self.rows))
            self.names["STUDY"] = "TABLE NO."
        if options.study is not None and options.study != "all":
            if "STUDY" not in self.cells:
                raise AgmpkError(f"{self.path} has no column STUDY, so no study {options.study}.")
            cells = self.cells["STUDY"]
            wanted = np.array([text == str(options.study) for text in cells.texts], bool)
            if not wanted.any():
                known = [one for one in cells.texts if not is_missing(one)]
                raise AgmpkError(
                    f"{self.path} has no study {options.study}; it has {_listed(known)}."
                )
            self.keep(wanted[cells.codes])
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
            elif rules.to_number(fields[self._place("TIME")].strip()) >= 0:
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

    # -------------------------------------------------------------------------------------- cells

    def records(self) -> tuple[Records, list[Fault]]:
        """Turn cells into numbers and codes; faults of cells come along."""
        size, table = len(self.rows), self.table
        f: dict[str, NDArray] = {"row": self.rows, "hours": np.float64(self.hours)}
        faults: list[Fault] = []

        def told(name: str, found: dict[int, tuple[str, str]], only: NDArray | None = None) -> None:
            if not found:
                return
            cells = self.cells[name]
            wrong = np.isin(cells.codes, list(found))
            wrong &= True if only is None else only
            for n in np.flatnonzero(wrong).tolist():
                problem, remedy = found[int(cells.codes[n])]
                problem = problem.replace("{value}", cells.text(n))
                faults.append(Fault(int(self.rows[n]), self.names[name], problem, remedy))

        comma = table.decimal_comma and self._decimal_commas()
        limits = np.full(size, np.nan)
        for name in rules.NUMERIC:
            f[name] = np.full(size, np.nan)
            if name in self.cells:
                f[name], found, wrong = rules.numbers(name, self.cells[name], comma, self.lloq)
                limits = np.where(np.isnan(found), limits, found)
                told(name, wrong)
        f["TIME"] = self._times(comma, told)
        codes: dict[str, Cells] = {}
        for name in rules.LABELS:
            if name not in self.cells:
                codes[name] = Cells(np.zeros(size, np.int64), [""])
                continue
            cells = self.cells[name]
            if name in ("ID", "STUDY", "ANALYTE"):
                told(name, rules.name_faults(cells, name != "ANALYTE"))
            texts = ["" if is_missing(text) else text for text in cells.texts]
            distinct = list(dict.fromkeys(texts))
            index = {text: code for code, text in enumerate(distinct)}
            codes[name] = Cells(np.array([index[one] for one in texts])[cells.codes], distinct)
        f["clock"] = np.bool_(self.clock)
        f["id"], f["study"], f["label"] = (codes[one].codes for one in ("ID", "STUDY", "ANALYTE"))
        occasion = codes["OCC"]
        missing = np.array([text == "" for text in occasion.texts], bool)[occasion.codes]
        f["occasion"] = np.where(missing, -1, occasion.codes)
        self.occasions = occasion.texts
        self.codes = codes
        if not np.all(np.isnan(limits)):
            f["LLOQ"] = np.where(np.isnan(limits), f["LLOQ"], limits)
            f["CENS"] = np.where(np.isnan(limits), f["CENS"], 1.0)
            self.notes.append("cells such as <0.5 or BLQ are read as below that limit")
        persons = list(codes["ID"].texts)
        if "PERSON" in self.cells:
            for code, person in zip(f["id"].tolist(), codes["PERSON"].codes.tolist(), strict=True):
                persons[code] = codes["PERSON"].texts[person] or persons[code]
        records = Records(f, list(codes["ID"].texts), persons, list(codes["STUDY"].texts),
                           list(codes["ANALYTE"].texts))  # fmt: skip
        return records, faults

    def _decimal_commas(self) -> bool:
        """Whether the numbers are written with decimal commas and never with points."""
        texts = [
            text
            for name in ("TIME", *rules.NUMERIC)
            if name in self.cells
            for text in self.cells[name].texts
        ]
        commas = [text for text in texts if "," in text]
        points = any("." in text and not math.isnan(rules.to_number(text)) for text in texts)
        clear = any(not re.fullmatch(r"[^,]*,\d{3}", text) for text in commas)
        if commas and clear and not points:
            self.notes.append("commas are read as decimal marks")
            return True
        return False

    def _times(self, comma: bool, told) -> NDArray[np.float64]:
        """Times in the table's unit from numbers, clock times, dates or both."""
        cells = self.cells["TIME"]
        values = np.full(len(cells.texts), np.nan)
        kinds = np.zeros(len(cells.texts), np.int64)  # 0 missing, 1 number, 2 clock, 3 date
        for code, text in enumerate(cells.texts):
            if is_missing(text):
                continue
            if (clock := clock_hours(text)) is not None:
                values[code], kinds[code] = clock, 2
            elif (stamp := date_hours(text)) is not None:
                values[code], kinds[code] = stamp, 3
        numeric, _, faults = rules.numbers("TIME", Cells(np.arange(len(values)), cells.texts),
                                           comma, None)  # fmt: skip
        kinds[~np.isnan(numeric)] = 1
        present = kinds[cells.codes]
        self.clock = False
        dated = self._days(np.where(present == 1, numeric[cells.codes], np.nan), present, told)
        allowed = {2} if not (present == 1).any() or dated is not None else {1}
        if (present == 3).all():
            allowed = {3}
        hour = ("{value} is a clock time", "write hours since the first dose as a number")
        found = {code: fault for code, fault in faults.items() if kinds[code] == 0}
        found |= {code: ("the value is missing", "give every row a TIME")
                  for code, text in enumerate(cells.texts) if is_missing(text)}  # fmt: skip
        if allowed == {1}:
            found |= {int(code): hour for code in np.flatnonzero(kinds >= 2)}
        told("TIME", found)
        if allowed == {1} and dated is None:
            return numeric[cells.codes]
        times = np.where(present == 1, numeric[cells.codes] * self.hours, values[cells.codes])
        if dated is not None:
            times = times + 24.0 * dated
            self.notes.append(f"times are counted from {self.names['DATE']} and TIME")
        else:
            self.notes.append("TIME is read as the time of the day")
        self.clock = dated is None and allowed == {2}
        who = combined(self.cells["ID"].codes, *(
            [self.cells["STUDY"].codes] if "STUDY" in self.cells else []
        ))  # fmt: skip
        start = np.full(int(who.max(initial=0)) + 1, np.inf)
        np.minimum.at(start, who, np.where(np.isnan(times), np.inf, times))
        if self.clock:  # the first record, so that a night in between is noticed
            first = np.unique(who, return_index=True)[1]
            start = times[first]
        return (times - start[who]) / self.hours

    def _days(self, times: NDArray, present: NDArray, told) -> NDArray[np.float64] | None:
        """Day numbers of a DATE column that TIME is relative to; None if there is none."""
        if "DATE" not in self.cells or (present == 3).all():
            return None
        cells = self.cells["DATE"]
        who = combined(self.cells["ID"].codes)
        changes = len(np.unique(np.stack([who, cells.codes], 1), axis=0)) > who.max(initial=0) + 1
        if not changes and not (present == 2).any():
            return None  # one day each, and TIME in hours: nothing to add
        days = day_numbers(cells.texts, self.names["DATE"])
        column = self.names["DATE"]
        leave = "leave it out with --columns DATE= if TIME counts on through the days"
        if days is None:
            refuse(self.path, [Fault(
                self.table.header_row, column,
                f"the dates of {column} are missing, mixed or ambiguous",
                f"write dates as 2024-03-01 or as numbers of days, or {leave}",
            )])  # fmt: skip
        if (present == 1).any():
            known = times[~np.isnan(times)] * self.hours
            first = times[np.unique(who, return_index=True)[1]]
            if known.max(initial=0) > 24 or known.min(initial=0) < 0 or np.all(first == 0):
                refuse(self.path, [Fault(
                    self.table.header_row, column,
                    f"TIME stands beside {column}, but it is not the time of the day",
                    f"{leave}, or write the time of the day in TIME",
                )])  # fmt: skip
        return days[cells.codes]

    # ------------------------------------------------------------------------------------ meaning

    def add_meaning(self, records: Records) -> None:
        """Add event, dose, seen, length, way and the limits of observations."""
        f, options = records.f, self.options
        if options.log_dv:
            with np.errstate(over="ignore"):
                f["DV"] = np.exp(f["DV"])
            self.notes.append("DV holds natural logarithms and was turned back")
        flagged = "CENS" in self.cells
        if self.lloq is not None:
            own = np.isnan(f["LLOQ"])
            if flagged:
                own &= (f["CENS"] == 1) & ~(f["DV"] > 0)
            f["LLOQ"] = np.where(own, self.lloq, f["LLOQ"])
        if options.dose_at is not None:
            self._dose_at(records)
        given = f["AMT"] > 0
        event = np.where(np.isnan(f["EVID"]), given.astype(float), f["EVID"])
        if options.occasion:
            event = np.where(event == 4, 1.0, np.where(event == 3, 2.0, event))
        f["event"] = event
        f["reset"] = np.isin(event, [3, 4])
        f["dose"] = np.isin(event, [1, 4])
        observable = (event == 0) & (f["MDV"] != 1)
        if not flagged:
            below = observable & (f["DV"] < f["LLOQ"])
            f["CENS"] = np.where(below, 1.0, f["CENS"])
            if below.any():
                self.notes.append(f"{int(below.sum())} value(s) below the LLOQ are read as that")
        f["seen"] = observable & (~np.isnan(f["DV"]) | (f["CENS"] == 1))
        early = f["seen"] & (f["TIME"] < 0) & ((f["DV"] == 0) | (f["CENS"] == 1))
        if early.any():
            f["seen"] = f["seen"] & ~early
            f["event"] = np.where(early, 2.0, f["event"])
            self.notes.append(
                f"{int(early.sum())} sample(s) before TIME 0 without a value are not used"
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            length = np.where(f["RATE"] > 0, f["AMT"] / f["RATE"], f["DUR"])
        f["length"] = np.where(f["dose"] & (length > 0), length, 0.0)
        f["again"] = self._amount_again(f)
        f["way"], f["routed"] = self._routes(f)
        ignored = (event == 0) & (f["MDV"] == 1)
        blank = observable & ~f["seen"] & np.isnan(f["DV"])
        for mask, what in ((ignored, "with MDV 1"), (blank, "without a value"),
                           (event == 2, "of other events (EVID 2 or 3)")):  # fmt: skip
            if mask.any():
                below = int((mask & (f["CENS"] == 1)).sum()) if what == "with MDV 1" else 0
                more = f", {below} of them marked as below the limit" if below else ""
                self.notes.append(f"{int(mask.sum())} row(s) {what} are not used{more}")

    def _dose_at(self, records: Records) -> None:
        """One dose each from an amount that stands on every row."""
        f = records.f
        who = combined(f["study"], f["id"])
        first = np.unique(who, return_index=True)[1]
        differs = ~np.isnan(f["AMT"]) & (f["AMT"] != f["AMT"][first][who])
        if differs.any():
            n = int(np.flatnonzero(differs)[0])
            refuse(self.path, [Fault(
                int(f["row"][n]), self.names["AMT"],
                "the individual has another amount before, so it is not one dose",
                "keep the amount on the rows of doses and leave --dose-at out",
            )])  # fmt: skip
        added = {name: values[first] for name, values in f.items() if np.ndim(values)}
        added["TIME"] = np.full(len(first), float(self.options.dose_at))
        for name in ("DV", "CENS", "LLOQ"):
            added[name] = np.full(len(first), np.nan)
        added["EVID"], added["MDV"] = np.ones(len(first)), np.ones(len(first))
        added["label"] = np.full(len(first), -1)
        f["AMT"] = np.full(len(f["AMT"]), np.nan)
        f["EVID"] = np.zeros(len(f["AMT"]))
        order = np.argsort(np.concatenate([first, np.arange(len(who))]), kind="stable")
        for name, values in added.items():
            f[name] = np.concatenate([values, f[name]])[order]
        source = np.concatenate([first, np.arange(len(who))])[order]
        self.cells = {name: cells.keep(source) for name, cells in self.cells.items()}
        self.notes.append(
            f"{self.names['AMT']} is read as one dose each, given at TIME {self.options.dose_at:g}"
        )

    def _amount_again(self, f: dict[str, NDArray]) -> NDArray[np.bool_]:
        """Observations (EVID 0) on whose row the amount of the last dose stands again."""
        if not ("EVID" in self.cells and ((f["event"] == 0) & (f["AMT"] > 0)).any()):
            return np.zeros(len(f["row"]), bool)
        who = combined(f["study"], f["id"])
        order = np.argsort(who, kind="stable")
        dosed = f["dose"][order]
        last = np.maximum.accumulate(np.where(dosed, np.arange(len(order)), -1))
        valid = last >= 0
        same = np.zeros(len(order), bool)
        same[valid] = who[order][last[valid]] == who[order][valid]
        amounts = np.full(len(order), np.nan)
        amounts[valid] = f["AMT"][order][last[valid]]
        again = np.zeros(len(order), bool)
        again[order] = same & ~dosed & (f["AMT"][order] == amounts)
        again &= f["event"] == 0
        if again.any():
            self.notes.append(
                f"{self.names['AMT']} stands again on {int(again.sum())} row(s) with EVID 0: "
                "no doses"
            )
        return again

    def _routes(self, f: dict[str, NDArray]) -> tuple[NDArray, NDArray]:
        """Route of each dose ('' when it cannot be told), and whether ROUTE (or the caller) named
        it. ROUTE wins over CMT; a dose goes into the blood if samples are taken where it goes."""
        size = len(f["row"])
        infused = f["length"] > 0
        way = np.full(size, "", dtype=object)
        routed = np.zeros(size, bool)
        if self.options.route:
            way[:], routed[:] = self.options.route, True
        else:
            if "ROUTE" in self.cells:
                cells = self.cells["ROUTE"]
                known = [rules.ROUTE_NAMES.get(_key(text), "") for text in cells.texts]
                routed = ~np.array([is_missing(text) for text in cells.texts], bool)[cells.codes]
                way = np.array(known, dtype=object)[cells.codes]
                way[~routed] = ""
            plain = ~routed
            if "CMT" in self.cells:
                cells = self.cells["CMT"]
                missing = np.array([is_missing(text) for text in cells.texts], bool)
                observed = {cells.texts[code] for code in np.unique(cells.codes[f["seen"]])}
                observed = {one for one in observed if not is_missing(one)}
                ways = [self._compartment(text, observed) for text in cells.texts]
                placed = plain & ~missing[cells.codes]
                way[placed] = np.array(ways, dtype=object)[cells.codes][placed]
                plain = plain & missing[cells.codes]
            elif "ADM" in self.cells:
                self._one_administration(plain & f["dose"])
            way[plain] = np.where(infused, "iv", "oral")[plain]
            if (plain & f["dose"] & ~infused).any():
                self.notes.append("no column tells the route, so doses are taken as oral (--route)")
        bare = way == "iv"
        way[bare] = np.where(infused, "iv_infusion", "iv_bolus")[bare]
        return way, routed

    def _one_administration(self, doses: NDArray[np.bool_]) -> None:
        """Refuse several kinds of administration (Monolix's ADM) whose routes nothing tells."""
        cells = self.cells["ADM"]
        kinds = [cells.texts[code] for code in np.unique(cells.codes[doses])]
        kinds = [kind for kind in kinds if not is_missing(kind)]
        if len(kinds) > 1:
            refuse(self.path, [Fault(
                self.table.header_row, self.names["ADM"],
                f"doses have several kinds of administration ({_listed(kinds)})",
                "name their routes in a column ROUTE, say --route for all of them, or --columns "
                "ADM= if they are all one route",
            )])  # fmt: skip

    def _compartment(self, text: str, observed: set[str]) -> str:
        number = rules.to_number(text)
        same = {rules.to_number(one) for one in observed} - {math.nan}
        if text in observed or number in same:
            if number == 1:
                self.notes.append(
                    "doses and samples are both in CMT 1, so the doses are intravenous (--route)"
                )
            return "iv"
        if text.lower() in rules.DEPOTS or number == 1:
            return "oral"
        if text.lower() in rules.CENTRALS:
            return "iv"
        lower = [one for one in same if one < number]
        return "iv" if number == 2 and not lower else ""

    # ------------------------------------------------------------------------------------ analyte

    def find_analytes(self, records: Records) -> None:
        """Tell analytes apart by the compartment of the observations where no column does."""
        f = records.f
        if "CMT" in self.cells and self.names.get("ANALYTE") != self.names["CMT"]:
            self._analytes_by_compartment(records)
        # DVID 0 is what NONMEM users write on dose rows of all analytes.
        texts = records.labels
        nameless = np.array([text == "" for text in texts], bool)[f["label"]]
        zero = np.array([text == "0" for text in texts], bool)[f["label"]]
        f["unlabelled"] = (f["label"] < 0) | nameless | f["dose"] & zero
        f["label"] = np.where(f["unlabelled"], -1, f["label"])

    def _analytes_by_compartment(self, records: Records) -> None:
        f, cells = records.f, self.cells["CMT"]
        texts = ["" if is_missing(text) else text for text in cells.texts]
        known = f["seen"] & ~np.array([text == "" for text in texts], bool)[cells.codes]
        if len(np.unique(cells.codes[known])) < 2:
            return
        labels = np.unique(f["label"][known])
        if "ANALYTE" in self.cells and (len(labels) > 1 or records.labels[labels[0]]):
            pairs = np.unique(np.stack([f["label"][known], cells.codes[known]], 1), axis=0)
            split = [label for label in labels if (pairs[:, 0] == label).sum() > 1]
            if not split:
                return
            refuse(self.path, [Fault(
                self.table.header_row, self.names["CMT"],
                f"observations of {self.names['ANALYTE']} {records.labels[split[0]]} lie in "
                "several compartments",
                "choose what tells analytes apart, as --columns ANALYTE=CMT does, or leave CMT out "
                "with --columns CMT=",
            )])  # fmt: skip
        f["label"] = np.where(f["seen"], cells.codes, -1)
        records.labels[:] = texts
        self.names["ANALYTE"], self.cells["ANALYTE"] = self.names["CMT"], cells
        self.notes.append("CMT of the observations tells the analytes apart")

    # ------------------------------------------------------------------------------------ occasions

    def part_occasions(self, records: Records) -> None:
        """Make an individual of each occasion, as --occasion split asks for."""
        f = records.f
        who = combined(f["study"], f["id"])
        if "OCC" in self.cells:
            missing = (f["occasion"] < 0) & (f["dose"] | f["seen"])
            refuse(self.path, [
                Fault(int(f["row"][n]), self.names["OCC"], "the occasion is missing",
                      "give every row one")
                for n in np.flatnonzero(missing)[:100].tolist()
            ])  # fmt: skip
            number, names = f["occasion"], self.occasions
        else:
            order = np.argsort(who, kind="stable")
            starts = np.isin(f["EVID"], [3, 4])
            if not starts.any():
                starts = self._restarts(f, who)
            total = np.cumsum(starts[order])
            first = np.unique(who[order], return_index=True)[1]
            number = np.empty(len(who), np.int64)
            number[order] = total - np.repeat(total[first], np.diff([*first, len(order)]))
            number = np.where(number < 0, 0, number)
            names = [str(k + 1) for k in range(int(number.max(initial=0)) + 1)]
        pairs = combined(who, number)
        firsts = np.unique(pairs, return_index=True)[1]
        several = np.bincount(who[firsts]) > 1
        taken, ids, persons = set(records.ids), [], []
        for n in firsts.tolist():
            person = records.ids[f["id"][n]]
            name = f"{person}.{names[number[n]]}" if several[who[n]] else person
            ids.append(name.replace(".", "/", 1) if several[who[n]] and name in taken else name)
            persons.append(records.persons[f["id"][n]])
        f["id"] = pairs
        f["occasion"] = np.full(len(pairs), -1)
        records.ids, records.persons = ids, persons
        self.notes.append(
            f"{int(several.sum())} person(s) have several occasions; each occasion is an individual"
        )

    def _restarts(self, f: dict[str, NDArray], who: NDArray) -> NDArray[np.bool_]:
        """Records at which time starts again with a dose."""
        kept = np.flatnonzero(f["dose"] | f["seen"])
        order = kept[np.argsort(who[kept], kind="stable")]
        same = np.zeros(len(order), bool)
        same[1:] = who[order][1:] == who[order][:-1]
        back = same & (f["TIME"][order] < np.roll(f["TIME"][order], 1))
        follows = np.roll(same & f["dose"][order], -1)  # the next record of the same ID is a dose
        starts = np.zeros(len(who), bool)
        starts[order] = back & (f["dose"][order] | follows)
        return starts

    def sort(self, records: Records) -> Records:
        """Sort the rows of each ID by time, as --occasion as-is asks for."""
        f = records.f
        who = combined(f["study"], f["id"])
        run = np.cumsum(np.concatenate([[0], (who[1:] != who[:-1]).astype(int)]))
        order = np.lexsort((f["TIME"], run))
        if (order != np.arange(len(order))).any():
            self.notes.append("rows were sorted by TIME")
        self.cells = {name: cells.keep(order) for name, cells in self.cells.items()}
        return records.keep(order)

    def pool(self, records: Records) -> None:
        """Make one study of all, as --study all asks for."""
        f = records.f
        pairs = np.unique(np.stack([f["id"], f["study"]], 1), axis=0)
        if len(pairs) > len(np.unique(pairs[:, 0])):
            codes = combined(f["study"], f["id"])
            firsts = np.unique(codes, return_index=True)[1].tolist()
            records.ids = [
                f"{records.studies[f['study'][n]]}/{records.ids[f['id'][n]]}" for n in firsts
            ]
            records.persons = list(records.ids)
            f["id"] = codes
        self.notes.append(f"{len(np.unique(f['study']))} studies are pooled")
        f["study"] = np.zeros(len(f["study"]), np.int64)
        records.studies = [""]

    def combine(self, records: Records) -> Records:
        """Add up equal doses and average observations at one time (--repeats combine)."""
        f = records.f
        series, kind = combined(f["study"], f["label"], f["id"]), f["dose"]
        doses = combined(series, f["TIME"], f["AMT"], f["way"] == "oral", f["length"], f["ADDL"],
                         f["II"])  # fmt: skip
        count = np.bincount(doses[kind], minlength=int(doses.max(initial=0)) + 1)
        f["AMT"] = np.where(kind, f["AMT"] * count[doses], f["AMT"])
        samples = combined(series, f["TIME"])
        known = f["seen"] & (f["CENS"] != 1)
        size = int(samples.max(initial=0)) + 1
        total = np.bincount(samples[known], f["DV"][known], size)
        number = np.bincount(samples[known], minlength=size)
        mean = f["seen"] & (number[samples] > 0)
        with np.errstate(invalid="ignore"):
            f["DV"] = np.where(mean & (number[samples] > 1), total[samples] / number[samples],
                               f["DV"])  # fmt: skip
        order = np.lexsort((np.arange(len(kind)), f["CENS"] == 1))  # a measured one comes first
        later = np.zeros(len(kind), bool)
        later[order] = rules.after_first(samples[order], f["seen"][order])
        later |= rules.after_first(doses, kind)
        if later.any():
            self.notes.append(
                f"{int((later & kind).sum())} equal dose(s) at one time were added up and "
                f"{int((later & ~kind).sum())} observation(s) at one time averaged"
            )
        self.cells = {name: cells.keep(~later) for name, cells in self.cells.items()}
        return records.keep(~later)

    # ---------------------------------------------------------------------------------- judgement

    def judge(self) -> tuple[Records, list[Fault]]:
        """Return the doses and observations of the table, and all faults."""
        records, faults = self.records()
        if faults:
            wrong = np.isin(self.rows, [fault.row for fault in faults])
            records = records.keep(~wrong)
            self.cells = {name: cells.keep(~wrong) for name, cells in self.cells.items()}
        if len(records.f["row"]):
            self.add_meaning(records)
            faults += rules.broken(records.f, rules.ROW_RULES, self.cells, self.names)
        # Order and repetition can only be judged once every row can be read.
        if faults:
            return records, faults
        if self.options.occasion == "split":
            self.part_occasions(records)
        used = records.f["dose"] | records.f["seen"]
        if not used.any():
            problem = "no row is a dose or an observation"
            refuse(self.path, [Fault(self.table.header_row, "", problem, "add the records")])
        self.find_analytes(records)
        self.cells = {name: cells.keep(used) for name, cells in self.cells.items()}
        records = records.keep(used)
        f = records.f
        if self.options.study == "all" and "STUDY" in self.cells:
            self.pool(records)
        if self.options.occasion == "as-is":
            records = self.sort(records)
        if self.options.repeats:
            records = self.combine(records)
        f = records.f
        f["value"] = np.where(f["dose"], f["AMT"], f["DV"])
        f["who"] = combined(f["study"], f["id"])
        f["part"] = combined(f["study"], f["label"])
        f["series"] = combined(f["part"], f["id"])
        f["again_dosed"] = f["dose"] | self._restarts(f, f["who"])
        analyte = "ANALYTE" if "ANALYTE" in self.cells else ""
        names = {**self.names}
        faults = rules.broken(f, rules.group_rules(analyte, self.clock), self.cells, names)
        return records, faults


def _key(text: str) -> str:
    return text.strip().lower().replace(" ", "_").replace("-", "_")


def _listed(names: Iterable[str], most: int = 20) -> str:
    found = list(names)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return printable(", ".join(found[:most])) + more


def _whole_number(text: str) -> str:
    if re.fullmatch(r"-?\d\.\d*[eE][+-]\d+", text) and float(text).is_integer():
        return str(int(float(text)))
    return text
