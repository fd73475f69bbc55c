"""The rule-based extraction of one document: tables, then the abstract, then the body.

All quantities come from one group (analyte, food state) of the test product, so that Cmax of one
product never meets the AUC of another. What the readings leave open stays null, with a flag.
"""

from __future__ import annotations

import re

from agmpk.literature.document import Document
from agmpk.literature.extract.design import (
    Analytes,
    Found,
    find_compound,
    find_dose,
    find_route,
    find_subjects,
)
from agmpk.literature.extract.prose import Reader, Reading
from agmpk.literature.extract.tables import read_table
from agmpk.literature.extract.products import Products
from agmpk.literature.extract.tokens import REFERENCE, TEST
from agmpk.literature.schema import QUANTITIES, Extraction, Span
from agmpk.literature.text import NormalText, normalize
from agmpk.literature.units import convert

CONTRADICTION = 1.02  # two values of one quantity that differ by more than rounding
MAX_BODY = 200_000  # characters of body text that are read


class Readings:
    """Everything the rules read in a document, by source in the order they are trusted."""

    def __init__(self, document: Document) -> None:
        sources = document.sources()
        if "body" in sources:
            sources["body"] = sources["body"][:MAX_BODY]
        self.normal: dict[str, NormalText] = {k: normalize(v) for k, v in sources.items()}
        self.texts = {k: n.text for k, n in self.normal.items()}
        front = {k: self.texts.get(k, "") for k in ("title", "abstract")}
        self.compound = find_compound(**front)
        self.products = Products("\n".join(t for k, t in self.texts.items() if k != "body"))
        analytes = Analytes(self.compound)
        self.found: list[list[Reading]] = [[]]
        for i, table in enumerate(document.tables):
            self.found[0] += read_table(table, f"tables[{i}]", self.products, analytes)
        self.printed = {r.name for r in self.found[0]}  # with a value, whosever it is
        for source in ("abstract", "body"):
            text = self.texts.get(source, "")
            reader = Reader(self.products, analytes)
            self.found.append(reader.read(text, source))
            self.printed |= reader.printed

    def span(self, source: str, start: int, stop: int) -> Span:
        """The untouched text behind a place; tables are read in untouched coordinates."""
        if not source.startswith("tables["):
            return self.untouched(source, self.normal[source], start, stop)
        text = self.normal[source].source[start:stop]
        return Span(source=source, start=start, end=stop, text=text)

    @staticmethod
    def untouched(source: str, normal: NormalText, start: int, stop: int) -> Span:
        """The span of the source behind the normalized span `start:stop`."""
        a, b = normal.span(start, stop)
        return Span(source=source, start=a, end=b, text=normal.source[a:b])

    def all(self) -> list[Reading]:
        """Every reading, in the order of trust."""
        return [reading for part in self.found for reading in part]


def extract_rules(document: Document) -> Extraction:
    """Extract one document by rules. Fields the text does not state stay null; every value has
    evidence."""
    readings = Readings(document)
    record = Extraction(
        id=document.id,
        engine="rules",
        **{k: document.meta.get(k) for k in ("pmid", "pmcid", "year")},
    )
    for name, reading in _chosen(readings, record.flags).items():
        _take(record, name, reading, readings)
    front = {k: t for k, t in readings.texts.items() if k in ("title", "abstract")}
    rest = {k: t for k, t in readings.texts.items() if k == "body"}
    found: dict[str, Found | None] = {
        "compound": readings.compound,
        "dose": find_dose(front) or find_dose(rest),
        "n_subjects": find_subjects(front) or find_subjects(rest),
        "route": find_route({**front, **rest}),
    }
    for name, item in found.items():
        if item is None:
            continue
        setattr(record, name, item.value)
        if name == "dose":
            record.dose_unit = item.unit
        record.evidence[name] = [readings.span(item.source, *s) for s in item.spans]
        if item.flag:
            record.flags.append(f"{name}: {item.flag}")
    return record


def _chosen(readings: Readings, flags: list[str]) -> dict[str, Reading]:
    """One reading a quantity, from the first source that has the test product's."""
    chosen: dict[str, Reading] = {}
    group = None
    for part in readings.found:
        usable = [r for r in part if r.arm != REFERENCE and r.name in QUANTITIES and not r.group[2]]
        main = [r for r in usable if r.group[0] == ""] or usable
        anchors = [r for r in main if r.name != "tmax"] or main
        if group is None and anchors:
            group = min(anchors, key=lambda r: (r.group[1] == "fed", r.arm != TEST)).group
        for name in QUANTITIES:
            if name in chosen or group is None:
                continue
            same = [r for r in usable if r.name == name and _together(r.group, group)]
            if same:
                chosen[name] = min(
                    same, key=lambda r: (r.arm != TEST, r.how == "assumed", _horizon(r))
                )
    for name in QUANTITIES:
        if name not in chosen and name in readings.printed:
            flags.append(f"{name}: printed, but not clearly for the test product")
    return chosen


def _together(one: tuple[str, str, bool], other: tuple[str, str, bool]) -> bool:
    return one[0] == other[0] and not ({one[1], other[1]} == {"fasted", "fed"})


def _horizon(reading: Reading) -> int:
    """AUC to the last sample before AUC to a fixed time, a longer fixed time before a shorter."""
    digits = re.findall(r"\d+", reading.horizon.replace("0-", "", 1))
    return -int(digits[-1]) if digits else -10_000


def _take(record: Extraction, name: str, reading: Reading, readings: Readings) -> None:
    value, flags = reading.value, record.flags
    setattr(record, name, value.number)
    setattr(record, f"{name}_unit", value.unit.text if value.unit else None)
    setattr(record, f"{name}_type", reading.center)
    if value.dispersion is not None:
        setattr(record, f"{name}_dispersion", value.dispersion)
        setattr(record, f"{name}_dispersion_type", value.dispersion_type)
    span = readings.span(reading.source, reading.start, reading.stop)
    record.evidence[name] = [span]
    if value.unit and value.unit.misprint:
        flags.append(f"{name}: unit printed as concentration per time, read as times time")
    if reading.how == "unsaid":
        flags.append(f"{name}: the text does not say whether this is the test product")
    if reading.how == "assumed":
        flags.append(f"{name}: the order of the products is taken from another sentence")
    if reading.group[1] == "fed":
        flags.append(f"{name}: fed")
    if re.search(r"\d,\s\d|[eE]\d|10", span.text) and re.search(r",\s|[×xX*·eE]", span.text):
        flags.append(f"{name}: printed as '{span.text}'")
    unit = value.unit.text if value.unit else None
    flags += contradiction(name, value.number, unit, readings.all())


def contradiction(name: str, value: float, unit: str | None, readings: list[Reading]) -> list[str]:
    """A flag where another reading of a quantity, not of the reference, differs in value."""
    for reading in readings:
        other = reading.value.unit
        if reading.name != name or reading.arm == REFERENCE or other is None or unit is None:
            continue
        if reading.group[1] == "fed" or reading.group[2] or reading.group[0] or not value > 0:
            continue
        try:
            number = convert(reading.value.number, other.text, unit)
        except ValueError:
            continue
        if number <= 0 or max(number / value, value / number) > CONTRADICTION:
            return [f"{name}: the document also gives {reading.value.number:g} {other.text}"]
    return []
