"""From cells to records: numbers, times, doses and samples, routes.

Shapes: N records.
"""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agmpk.studies.nonmem.columns import ABSORBED, NUMERIC, ROUTE_NAMES, Table, listed
from agmpk.studies.nonmem.layout import Fault
from agmpk.studies.units import (
    clock_hours,
    date_hours,
    day_counts,
    day_numbers,
    is_missing,
    numbers,
    to_number,
)

DEPOTS = frozenset({"depot", "gut", "abs", "absorption", "gi"})
CENTRALS = frozenset({"cent", "central", "plasma", "blood"})
NAMES = {"id": "ID", "person": "PERSON", "study": "STUDY", "label": "ANALYTE", "occasion": "OCC"}
_DAYS = re.compile(r".*(DAY|DAYS|DATE|DATUM|DTC)|DAT[123]|ADT|ADY|PCDY|VISITDY")  # columns of days


class TableReader(Table):
    """One table on its way from cells to records that are sound or not yet judged.

    ``f`` gets, all of length N, numbers: TIME [the table's unit], DV, AMT, EVID, MDV, RATE, DUR,
    ADDL, II, SS, CENS, LLOQ (NaN where missing); names, '' where missing: id, person, study, label
    (the analyte), occasion; who, a number for each individual; event (EVID or what stands for it);
    dose, seen: what the record is; length [the table's unit] and way (route, '' when it cannot be
    told) of a dose.
    """

    def records(self) -> list[Fault]:
        """Turn cells into numbers and codes; what is wrong with single cells is returned."""
        f, size = self.f, len(self.f["row"])
        self.faults: list[Fault] = []
        f["hours"] = np.float64(self.hours)
        comma = self.table.decimal_comma and self._decimal_commas()
        limits = np.full(size, np.nan)
        for name in NUMERIC:
            f[name] = np.full(size, np.nan)
            if name in self.cells:
                codes, texts = self.cells[name]
                values, found, wrong = numbers(name, texts, comma, self.lloq)
                f[name] = values[codes]
                limits = np.where(np.isnan(found[codes]), limits, found[codes])
                self._tell(name, wrong)
        f["TIME"] = self._times(comma)
        f["clock"] = np.bool_(self.clock)
        for key, name in NAMES.items():
            f[key] = self._names(name)
        f["who"] = combined(f["study"], f["id"])
        named = {one: person for one, person in zip(f["who"], f["person"], strict=True) if person}
        f["person"] = f["id"].copy()
        if named:
            both = zip(f["who"], f["id"], strict=True)
            f["person"][:] = [named.get(who, one) for who, one in both]
        if not np.all(np.isnan(limits)):
            f["LLOQ"] = np.where(np.isnan(limits), f["LLOQ"], limits)
            f["CENS"] = np.where(np.isnan(limits), f["CENS"], 1.0)
            cells = self.cells["DV"]
            words = {cells.texts[code] for code in cells.codes[~np.isnan(limits)]}
            self.notes.append(f"{listed(sorted(words), 5)} in DV: read as below that limit")
        return self.faults

    def _tell(self, name: str, found: dict[int, tuple[str, str]]) -> None:
        """Note what is wrong with the texts of a column, by their codes."""
        cells = self.cells[name]
        for n in np.flatnonzero(np.isin(cells.codes, list(found))).tolist():
            problem, remedy = found[int(cells.codes[n])]
            problem = problem.replace("{value}", cells.text(n))
            self.faults.append(Fault(int(self.f["row"][n]), self.names[name], problem, remedy))

    def _names(self, name: str) -> NDArray[np.object_]:
        """A column of names, '' where one is missing (all, without the column)."""
        if name not in self.cells:
            return np.full(len(self.f["row"]), "", object)
        cells, faults = self.cells[name], {}
        for code, text in enumerate(cells.texts):
            if is_missing(text):
                if name in ("ID", "STUDY"):
                    faults[code] = "the value is missing", "give every row one"
            elif not text.isprintable() or text[0] in "#@" or len(text) > 200:
                faults[code] = "{value} cannot be used as a name", "write a plain one"
        if name in ("ID", "STUDY", "ANALYTE"):
            self._tell(name, faults)
        return cells.known()

    def _decimal_commas(self) -> bool:
        """Whether the numbers are written with decimal commas and never with points."""
        columns = [self.cells[name].texts for name in ("TIME", *NUMERIC) if name in self.cells]
        texts = [text for column in columns for text in column]
        commas = [text for text in texts if "," in text]
        points = any("." in text and not math.isnan(to_number(text)) for text in texts)
        clear = any(not re.fullmatch(r"[^,]*,\d{3}", text) for text in commas)
        if clear and not points:
            self.notes.append("commas are read as decimal marks")
        return clear and not points

    def _times(self, comma: bool) -> NDArray[np.float64]:
        """Times in the table's unit from numbers, clock times, dates or both."""
        cells = self.cells["TIME"]
        values, _, faults = numbers("TIME", cells.texts, comma)
        kinds = np.where(np.isnan(values), 0, 1)  # 0 missing, 1 number, 2 clock, 3 date
        for code, text in enumerate(cells.texts):
            if is_missing(text):
                faults[code] = "the value is missing", "give every row a TIME"
            for kind, hours in ((2, clock_hours(text)), (3, date_hours(text))):
                if hours is not None:
                    values[code], kinds[code] = hours, kind
        present, times = kinds[cells.codes], values[cells.codes]
        numeric = np.where(present == 1, times, np.nan)
        whole = bool((present == 3).all())  # days and times
        dated = None if whole else self._days(numeric, present)
        alone = dated is None and not whole
        if alone:
            self._refuse_unused_days(numeric, present == 2)
        plain = alone and bool((present == 1).any())
        found = {code: fault for code, fault in faults.items() if kinds[code] == 0}
        if plain:
            hour = "{value} is a clock time", "write hours since the first dose as a number"
            found |= {int(code): hour for code in np.flatnonzero(kinds >= 2)}
        self._tell("TIME", found)
        self.clock = alone and not plain
        if plain:
            self._refuse_serials(numeric)
            return numeric
        times = np.where(present == 1, times * self.hours, times)
        if dated is not None:
            times = times + 24.0 * dated
            self.notes.append(f"times are counted from {self.names['DATE']} and TIME")
        else:
            self.notes.append("TIME is read as the time of the day")
        who = self._who()
        if self.clock:  # the first record, so that a night in between is noticed
            start = times[np.unique(who, return_index=True)[1]]
        else:
            start = np.full(int(who.max(initial=0)) + 1, np.inf)
            np.minimum.at(start, who, np.where(np.isnan(times), np.inf, times))
        return (times - start[who]) / self.hours

    def _who(self) -> NDArray[np.int64]:
        """A number for each ID of each STUDY, as the columns say them."""
        return combined(*(self.cells[one].codes for one in ("ID", "STUDY") if one in self.cells))

    def _days(self, times: NDArray, present: NDArray) -> NDArray[np.float64] | None:
        """Day numbers of a DATE column that TIME is relative to; None if there is none."""
        if "DATE" not in self.cells:
            return None
        cells, column = self.cells["DATE"], self.names["DATE"]
        who = self.cells["ID"].codes
        changes = len(np.unique(np.stack([who, cells.codes], 1), axis=0)) > who.max(initial=0) + 1
        if not changes and not (present == 2).any():
            return None  # one day each, and TIME in hours: nothing to add
        leave = "leave it out with --columns DATE= if TIME counts on through the days"
        days = day_numbers(cells.texts, column)
        if days is None:
            self.refuse(
                column,
                f"the dates of {column} are missing, mixed or ambiguous",
                f"write dates as 2024-03-01 or as numbers of days, or {leave}",
            )
        if (present == 1).any():
            known = times[~np.isnan(times)] * self.hours
            first = times[np.unique(who, return_index=True)[1]]
            elapsed = np.all(first == 0) and not self.options.columns.get("DATE")
            if known.max(initial=0) > 24 or known.min(initial=0) < 0 or elapsed:
                self.refuse(
                    column,
                    f"TIME stands beside {column}, but it is not the time of the day",
                    f"{leave}, or write the time of the day in TIME",
                )
        return days[cells.codes]

    def _refuse_unused_days(self, times: NDArray, clock: NDArray[np.bool_]) -> None:
        """Refuse times that cannot be hours that count on, as an unused column of days shows."""
        options = self.options
        if not clock.any() and (options.occasion == "split" or options.columns.get("DATE") == ""):
            return
        who = self._who()
        start = np.unique(who, return_index=True)[1]
        kept = np.isin(self.table.lines, self.f["row"])
        for place, column in enumerate(self.table.header):
            if column not in self.unused or not _DAYS.fullmatch(column.upper()):
                continue
            cells = self.table.column(place).pick(kept)
            texts = [cells.texts[code] for code in cells.codes]
            days = np.floor(day_counts(texts, column.upper()))
            days, hours = (
                values - pd.Series(values).groupby(who).transform("first").to_numpy()
                for values in (days, np.where(np.isnan(days), np.nan, times) * self.hours)
            )
            if clock.any():
                wrong = clock & (np.nan_to_num(days) != 0)
                problem = f"TIME is the time of the day, but {column} changes within the ID"
                remedy = f"say --columns DATE={column}, so that the days count"
            else:
                wrong = hours < 24 * (days - 1)
                wrong |= (hours < previous(hours, who)) & (days > previous(days, who))
                if not (times[start] == 0).any() and np.all((times >= 0) & (times <= 24)):
                    wrong |= days > 0
                problem = f"TIME does not count on through the days of {column}"
                remedy = (
                    f"say --columns DATE={column} if it is the time of the day, --columns DATE= "
                    "if it counts on, or --occasion split if it starts again with each occasion"
                )
            if wrong.any():
                self.refuse(self.names["TIME"], problem, remedy, int(self.f["row"][wrong][0]))

    def _refuse_serials(self, times: NDArray) -> None:
        """Refuse hours that look like a spreadsheet's days since 1900, of 1995 to 2064."""
        known = times[np.isfinite(times)]
        if self.hours == 1 and (known % 1 != 0).any():
            if known.min() >= 35_000 and known.max() <= 60_000:
                self.refuse(
                    self.names["TIME"],
                    "all times look like a spreadsheet's serial dates, which count days",
                    "write hours since the first dose, or dates and times as 2024-03-01 08:30",
                    int(self.f["row"][np.argmax(np.isfinite(times))]),
                )

    # ------------------------------------------------------------------------------------ meaning

    def add_meaning(self) -> None:
        """Add event, dose, seen, length, way and the limits of observations."""
        f, options = self.f, self.options
        if options.log_dv:
            f["DV"] = np.exp(np.clip(f["DV"], -700, 700))  # the rules tell what is out of bounds
            self.notes.append("DV holds natural logarithms and was turned back")
        flagged = "CENS" in self.cells
        if self.lloq is not None:
            own = np.isnan(f["LLOQ"])
            if flagged:
                own &= (f["CENS"] == 1) & ~(f["DV"] > 0)
            f["LLOQ"] = np.where(own, self.lloq, f["LLOQ"])
        if options.dose_at is not None:
            self._dose_at()
            f = self.f
        event = np.where(np.isnan(f["EVID"]), (f["AMT"] > 0).astype(float), f["EVID"])
        if options.occasion:
            event = np.where(event == 4, 1.0, np.where(event == 3, 2.0, event))
        f["reset"] = np.isin(event, [3, 4])
        f["dose"] = np.isin(event, [1, 4])
        observable = (event == 0) & (f["MDV"] != 1)
        if not flagged:
            below = observable & (f["DV"] < f["LLOQ"])
            f["CENS"] = np.where(below, 1.0, f["CENS"])
            self.note(below, "{n} value(s) below the LLOQ are read as that")
        f["seen"] = observable & (~np.isnan(f["DV"]) | (f["CENS"] == 1))
        early = f["seen"] & (f["TIME"] < 0) & ((f["DV"] == 0) | (f["CENS"] == 1))
        self.note(early, "{n} sample(s) before TIME 0 without a value are not used")
        f["seen"] = f["seen"] & ~early
        f["event"] = np.where(early, 2.0, event)
        if options.log_dv:
            text = "{n} value(s) of 0 are logarithms, so 1; write . where nothing was found"
            self.note(f["seen"] & (f["DV"] == 1), text)
        with np.errstate(all="ignore"):
            length = np.where(f["RATE"] > 0, f["AMT"] / f["RATE"], f["DUR"])
        f["length"] = np.where(f["dose"] & (length > 0), length, 0.0)
        f["again"] = self._amount_again()
        f["way"], f["routed"] = self._routes()
        ignored = (event == 0) & (f["MDV"] == 1)
        below = int((ignored & (f["CENS"] == 1)).sum())
        marked = f", {below} of them marked as below the limit" if below else ""
        self.note(ignored, "{n} row(s) with MDV 1 are not used" + marked)
        unknown = observable & ~f["seen"] & np.isnan(f["DV"])
        self.note(unknown, "{n} row(s) without a value are not used")
        self.note(event == 2, "{n} row(s) of other events (EVID 2 or 3) are not used")

    def _dose_at(self) -> None:
        """One dose each from an amount that stands on every row."""
        f, column = self.f, self.names["AMT"]
        who = combined(f["who"])  # without gaps
        first = np.unique(who, return_index=True)[1]
        differs = ~np.isnan(f["AMT"]) & (f["AMT"] != f["AMT"][first][who])
        if differs.any():
            self.refuse(
                column,
                "the individual has another amount before, so it is not one dose",
                "keep the amount on the rows of doses and leave --dose-at out",
                int(f["row"][np.argmax(differs)]),
            )
        # The first record of each stands twice, and becomes the dose the first time.
        source = np.sort(np.concatenate([first, np.arange(len(who))]))
        self.keep(source)
        f, dose = self.f, np.isin(source, first) & np.append(source[1:] == source[:-1], False)
        for name, value, other in (
            ("TIME", float(self.options.dose_at), f["TIME"]),
            ("AMT", f["AMT"], np.nan),
            ("EVID", 1.0, 0.0),
            ("MDV", 1.0, f["MDV"]),
            ("label", "", f["label"]),
            *((name, np.nan, f[name]) for name in ("DV", "CENS", "LLOQ")),
        ):
            f[name] = np.where(dose, value, other)
        self.notes.append(
            f"{column} is read as one dose each, given at TIME {self.options.dose_at:g}"
        )

    def _amount_again(self) -> NDArray[np.bool_]:
        """Observations (EVID 0) on whose row the amount of the last dose stands again."""
        f = self.f
        observed = ~f["dose"] & (f["event"] == 0)
        if not ("EVID" in self.cells and (observed & (f["AMT"] > 0)).any()):
            return np.zeros(len(f["row"]), bool)
        amounts = pd.Series(np.where(f["dose"], f["AMT"], np.nan))
        # The last dose, though it has no amount: infinity stands for that while filling.
        last = amounts.mask(f["dose"] & amounts.isna(), np.inf)
        again = (observed & (f["AMT"] == last.groupby(f["who"]).ffill())).to_numpy()
        text = f"{self.names['AMT']} stands again on {{n}} row(s) with EVID 0: no doses"
        self.note(again, text)
        return again

    def _routes(self) -> tuple[NDArray, NDArray]:
        """Route of each dose ('' when it cannot be told), and whether ROUTE (or the caller) named
        it. ROUTE wins over CMT; a dose goes into the blood if samples are taken where it goes."""
        f = self.f
        infused = f["length"] > 0
        way = np.full(len(infused), self.options.route or "", dtype=object)
        routed = np.full(len(infused), bool(self.options.route))
        if not self.options.route:
            if "ROUTE" in self.cells:
                cells = self.cells["ROUTE"]
                keys = [re.sub("[ -]", "_", text.lower()) for text in cells.texts]
                routed = ~cells.which(is_missing)
                way = np.array([ROUTE_NAMES.get(key, "") for key in keys], object)[cells.codes]
                way[~routed] = ""
                absorbed = np.isin(keys, list(ABSORBED))[cells.codes] & f["dose"]
                text = "{n} dose(s) neither oral nor intravenous are taken as oral: absorbed"
                self.note(absorbed, text)
            plain = ~routed
            if "CMT" in self.cells:
                cells = self.cells["CMT"]
                observed = {cells.texts[code] for code in np.unique(cells.codes[f["seen"]])}
                observed = {one for one in observed if not _untold(one)}
                ways = [self._compartment(text, observed) for text in cells.texts]
                # Without samples, as in plans, the route of 0 may be that of another table.
                missing = cells.which(_untold if f["seen"].any() else is_missing)
                way = np.where(plain & ~missing, np.array(ways, object)[cells.codes], way)
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
        """The route of a dose into a compartment, where samples are taken from the observed ones;
        '' when it cannot be told."""
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
        central = text.lower() in CENTRALS or number == 2 and not any(one < 2 for one in same)
        return "iv" if central else ""


def _untold(compartment: str) -> bool:
    """Whether CMT does not tell the compartment: 0 is NONMEM's default one."""
    return is_missing(compartment) or to_number(compartment) == 0


# ------------------------------------------------------------------------------------ groups


def combined(*columns: NDArray) -> NDArray[np.int64]:
    """One code 0, 1, ... per distinct row of several columns; NaN equals NaN."""
    codes = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        # NumPy's is quicker for few numbers; only pandas' is quick for text.
        text = column.dtype == object
        values = pd.factorize(column)[0] if text else np.unique(column, return_inverse=True)[1]
        # Coded again at each step, so that nothing overflows.
        codes = codes * (values.max(initial=0) + 1) + values
        codes = np.unique(codes, return_inverse=True)[1]
    return codes


def after_first(keys: NDArray[np.int64], within: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """True for each record of ``within`` whose key an earlier one of them has."""
    later, kept = within.copy(), np.flatnonzero(within)
    later[kept[np.unique(keys[kept], return_index=True)[1]]] = False
    return later


def previous(values: NDArray, groups: NDArray) -> NDArray[np.float64]:
    """The value of the record before in the same group; NaN for a group's first."""
    order = np.argsort(groups, kind="stable")
    before, here = order[:-1], order[1:]
    same, found = groups[before] == groups[here], np.full(len(values), np.nan)
    found[here[same]] = values[before[same]]
    return found
