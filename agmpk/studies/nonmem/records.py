"""From cells to records: numbers, times, doses and samples, routes.

Shapes: N records.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agmpk.studies.nonmem.columns import (
    CENTRALS,
    DEPOTS,
    LABELS,
    NUMERIC,
    ROUTE_NAMES,
    Cells,
    Table,
    listed,
    name_faults,
    numbers,
    to_number,
)
from agmpk.studies.nonmem.layout import Fault
from agmpk.studies.nonmem.rules import combined
from agmpk.studies.study import is_missing

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d*)?))?\s*(AM|PM)?", re.IGNORECASE)
_DATE_TIME = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})[T ](\S+(?: [AaPp][Mm])?)")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_NAMED_MONTH = re.compile(r"(\d{1,2})[- ]?([A-Za-z]{3})[- ]?(\d{2}|\d{4})")


def clock_hours(text: str) -> float | None:
    """Hours since midnight of a time like 8:30, 08:30:15 or 8:30 PM; None for anything else."""
    found = _CLOCK.fullmatch(text)
    if not found:
        return None
    hours, minutes, seconds = int(found[1]), int(found[2]), float(found[3] or 0)
    if found[4]:
        hours = hours % 12 + 12 * (found[4].upper() == "PM")
    return hours + minutes / 60 + seconds / 3600 if minutes < 60 and hours <= 24 else None


def date_hours(text: str) -> float | None:
    """Hours of a time like 2024-03-01 08:30 on a scale of its own; None for anything else."""
    found = _DATE_TIME.fullmatch(text)
    if not found or (clock := clock_hours(found[4])) is None:
        return None
    day = _day(int(found[1]), int(found[2]), int(found[3]))
    return None if day is None else 24.0 * day + clock


def _day(year: int, month: int, day: int) -> float | None:
    try:
        return float(date(year + (2000 if year < 100 else 0), month, day).toordinal())
    except ValueError:
        return None


def day_numbers(texts: Sequence[str], name: str) -> NDArray[np.float64] | None:
    """Day numbers of dates; None where one is missing, of another form, or ambiguous.

    Forms: 2024-03-01, 01MAR2024, a plain number of days, and three numbers in the order that
    NONMEM gives DAT1 (day first), DAT2 (year first) and DAT3 (year, day, month). Under the name
    DATE, whose order NONMEM and half of the world read differently, a day above 12 must show it.
    """
    numbers = [to_number(text) for text in texts]
    if all(number == number for number in numbers):
        if all(re.fullmatch(r"(19|20)\d{6}", text) for text in texts):
            found = [_day(int(t[:4]), int(t[4:6]), int(t[6:])) for t in texts]
        else:
            found = [float(number) for number in numbers]
        return None if None in found else np.array(found, float)
    if all(_NAMED_MONTH.fullmatch(text) for text in texts):
        parts = [_NAMED_MONTH.fullmatch(text).groups() for text in texts]  # type: ignore[union-attr]
        if any(month.upper() not in _MONTHS for _, month, _ in parts):
            return None
        found = [_day(int(y), _MONTHS.index(m.upper()) + 1, int(d)) for d, m, y in parts]
        return None if None in found else np.array(found, float)
    split = [re.split(r"[-/.]", text) for text in texts]
    if not all(len(one) == 3 and all(part.isdecimal() for part in one) for one in split):
        return None
    triples = [tuple(int(part) for part in one) for one in split]
    if all(len(one[0]) == 4 for one in split):
        order = (0, 2, 1) if name == "DAT3" else (0, 1, 2)
    elif name in ("DAT2", "DAT3"):
        order = (0, 2, 1) if name == "DAT3" else (0, 1, 2)
    elif name == "DAT1" or any(one[0] > 12 for one in triples):
        order = (2, 1, 0)
    elif any(one[1] > 12 for one in triples):
        order = (2, 0, 1)
    else:
        return None
    found = [_day(*(one[place] for place in order)) for one in triples]
    return None if None in found else np.array(found, float)


# ---------------------------------------------------------------------------------------- records


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


class TableReader(Table):
    """One table on its way from cells to records."""

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
        for name in NUMERIC:
            f[name] = np.full(size, np.nan)
            if name in self.cells:
                f[name], found, wrong = numbers(name, self.cells[name], comma, self.lloq)
                limits = np.where(np.isnan(found), limits, found)
                told(name, wrong)
        f["TIME"] = self._times(comma, told)
        codes: dict[str, Cells] = {}
        for name in LABELS:
            if name not in self.cells:
                codes[name] = Cells(np.zeros(size, np.int64), [""])
                continue
            cells = self.cells[name]
            if name in ("ID", "STUDY", "ANALYTE"):
                told(name, name_faults(cells, name != "ANALYTE"))
            texts = ["" if is_missing(text) else text for text in cells.texts]
            distinct = list(dict.fromkeys(texts))
            index = {text: code for code, text in enumerate(distinct)}
            codes[name] = Cells(np.array([index[one] for one in texts])[cells.codes], distinct)
        f["clock"] = np.bool_(self.clock)
        f["id"], f["study"], f["label"] = (codes[one].codes for one in ("ID", "STUDY", "ANALYTE"))
        occasion = codes["OCC"]
        f["occasion"] = np.where(occasion.which("".__eq__), -1, occasion.codes)
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
            for name in ("TIME", *NUMERIC)
            if name in self.cells
            for text in self.cells[name].texts
        ]
        commas = [text for text in texts if "," in text]
        points = any("." in text and not math.isnan(to_number(text)) for text in texts)
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
        numeric, _, faults = numbers("TIME", Cells(np.arange(len(values)), cells.texts),
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
            self.refuse(
                column,
                f"the dates of {column} are missing, mixed or ambiguous",
                f"write dates as 2024-03-01 or as numbers of days, or {leave}",
            )
        if (present == 1).any():
            known = times[~np.isnan(times)] * self.hours
            first = times[np.unique(who, return_index=True)[1]]
            if known.max(initial=0) > 24 or known.min(initial=0) < 0 or np.all(first == 0):
                self.refuse(
                    column,
                    f"TIME stands beside {column}, but it is not the time of the day",
                    f"{leave}, or write the time of the day in TIME",
                )
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
        with np.errstate(all="ignore"):
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
            self.refuse(
                self.names["AMT"],
                "the individual has another amount before, so it is not one dose",
                "keep the amount on the rows of doses and leave --dose-at out",
                int(f["row"][n]),
            )
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
        last = pd.Series(np.where(f["dose"], np.arange(len(who)), np.nan)).groupby(who).ffill()
        amounts = np.where(last.isna(), np.nan, f["AMT"][last.fillna(0).astype(int)])
        again = ~f["dose"] & (f["event"] == 0) & (f["AMT"] == amounts)
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
                known = [ROUTE_NAMES.get(_key(text), "") for text in cells.texts]
                routed = ~cells.which(is_missing)
                way = np.array(known, dtype=object)[cells.codes]
                way[~routed] = ""
            plain = ~routed
            if "CMT" in self.cells:
                cells = self.cells["CMT"]
                missing = cells.which(is_missing)
                observed = {cells.texts[code] for code in np.unique(cells.codes[f["seen"]])}
                observed = {one for one in observed if not is_missing(one)}
                ways = [self._compartment(text, observed) for text in cells.texts]
                placed = plain & ~missing
                way[placed] = np.array(ways, dtype=object)[cells.codes][placed]
                plain = plain & missing
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
            self.refuse(
                self.names["ADM"],
                f"doses have several kinds of administration ({listed(kinds)})",
                "name their routes in a column ROUTE, say --route for all of them, or --columns "
                "ADM= if they are all one route",
            )

    def _compartment(self, text: str, observed: set[str]) -> str:
        number = to_number(text)
        same = {to_number(one) for one in observed} - {math.nan}
        if text in observed or number in same:
            if number == 1:
                self.notes.append(
                    "doses and samples are both in CMT 1, so the doses are intravenous (--route)"
                )
            return "iv"
        if text.lower() in DEPOTS or number == 1:
            return "oral"
        if text.lower() in CENTRALS:
            return "iv"
        lower = [one for one in same if one < number]
        return "iv" if number == 2 and not lower else ""


def _key(text: str) -> str:
    return text.strip().lower().replace(" ", "_").replace("-", "_")
