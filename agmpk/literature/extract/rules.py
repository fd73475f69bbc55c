"""The rule-based extraction of one document: tables, then the abstract, then the body.

All quantities come from one group (analyte, food state) of the test product, so that Cmax of one
product never meets the AUC of another. What the readings leave open stays null, with a flag.
"""

from __future__ import annotations

import re

from agmpk.literature.document import Document
from agmpk.literature.extract import design
from agmpk.literature.extract.products import Products
from agmpk.literature.extract.prose import Reader, Reading
from agmpk.literature.extract.tables import read_table
from agmpk.literature.extract.tokens import REFERENCE, TEST
from agmpk.literature.schema import QUANTITIES, Extraction, Span
from agmpk.literature.text import normalize
from agmpk.literature.units import convert

CONTRADICTION = 1.02  # two values of one quantity that differ by more than rounding
MAX_BODY = 200_000  # characters of body text that are read
_HOW = {
    "unsaid": "the text does not say whether this is the test product",
    "assumed": "the order of the products is taken from another sentence",
}


class Readings:
    """Everything the rules read in a document, by source in the order they are trusted."""

    def __init__(self, document: Document) -> None:
        sources = document.sources()
        if "body" in sources:
            sources["body"] = sources["body"][:MAX_BODY]
        self.normal = {k: normalize(v) for k, v in sources.items()}
        self.texts = {k: n.text for k, n in self.normal.items()}
        self.compound = design.find_compound(
            self.texts.get("title", ""), self.texts.get("abstract", "")
        )
        self.products = Products("\n".join(t for k, t in self.texts.items() if k != "body"))
        analytes = str(self.compound.value) if self.compound else ""
        tables = [
            reading
            for i, table in enumerate(document.tables)
            for reading in read_table(table, f"tables[{i}]", self.products, analytes)
        ]
        self.printed = {r.name for r in tables}  # with a value, whosever it is
        self.found = [tables]
        for source in ("abstract", "body"):
            reader = Reader(self.products, analytes)
            self.found.append(reader.read(self.texts.get(source, ""), source))
            self.printed |= reader.printed

    def span(self, source: str, start: int, stop: int, untouched: bool = False) -> Span:
        """The untouched text behind a place in the normalized (or the `untouched`) text."""
        normal = self.normal[source]
        a, b = (start, stop) if untouched else normal.span(start, stop)
        return Span(source=source, start=a, end=b, text=normal.source[a:b])

    def all(self) -> list[Reading]:
        """Every reading, in the order of trust."""
        return [reading for part in self.found for reading in part]


def extract_rules(document: Document) -> Extraction:
    """Extract one document by rules. Fields the text does not state stay null; every value has
    evidence."""
    readings = Readings(document)
    meta = {k: document.meta.get(k) for k in ("pmid", "pmcid", "year")}
    record = Extraction(id=document.id, engine="rules", **meta)
    chosen = _chosen(readings)
    for name, reading in chosen.items():
        _take(record, name, reading, readings)
    for name in QUANTITIES:
        if name not in chosen and name in readings.printed:
            record.flags.append(f"{name}: printed, but not clearly for the test product")
    front = {k: t for k, t in readings.texts.items() if k in ("title", "abstract")}
    rest = {k: t for k, t in readings.texts.items() if k == "body"}
    found = {
        "compound": readings.compound,
        "dose": design.find_dose(front) or design.find_dose(rest),
        "n_subjects": design.find_subjects(front) or design.find_subjects(rest),
        "route": design.find_route({**front, **rest}),
    }
    for name, item in found.items():
        if item is not None:
            record.flags += [f"{name}: {item.flag}"] if item.flag else []
        if item is not None and item.value is not None:
            setattr(record, name, item.value)
            record.evidence[name] = [readings.span(item.source, *s) for s in item.spans]
    record.dose_unit = found["dose"].unit if found["dose"] else None
    return record


def _chosen(readings: Readings) -> dict[str, Reading]:
    """One reading a quantity, from the first source that has the test product's; all of the
    analyte and food state of the first."""
    chosen: dict[str, Reading] = {}
    group = None
    for part in readings.found:
        usable = [r for r in part if r.arm != REFERENCE and r.name in QUANTITIES and not r.group[2]]
        main = [r for r in usable if r.group[0] == ""] or usable
        if group is None and main:
            anchors = [r for r in main if r.name != "tmax"] or main
            group = min(anchors, key=lambda r: (r.group[1] == "fed", r.arm != TEST)).group
        for name in set(QUANTITIES) - set(chosen):
            same = [r for r in usable if r.name == name and _together(r.group, group)]
            if same:
                chosen[name] = min(
                    same, key=lambda r: (r.arm != TEST, r.how == "assumed", _horizon(r))
                )
    return {name: chosen[name] for name in QUANTITIES if name in chosen}


def _together(one: tuple[str, str, bool], other: tuple[str, str, bool]) -> bool:
    return one[0] == other[0] and {one[1], other[1]} != {"fasted", "fed"}


def _horizon(reading: Reading) -> int:
    """AUC to the last sample before AUC to a fixed time, a longer fixed time before a shorter."""
    digits = re.findall(r"\d+", reading.horizon.replace("0-", "", 1))
    return -int(digits[-1]) if digits else -10_000


def _take(record: Extraction, name: str, reading: Reading, readings: Readings) -> None:
    value, unit = reading.value, reading.value.unit
    fields = {"": value.number, "_unit": unit and unit.text, "_type": reading.center}
    fields |= {"_dispersion": value.dispersion, "_dispersion_type": value.dispersion_type}
    for suffix, item in fields.items():
        setattr(record, f"{name}{suffix}", item)
    in_table = reading.source.startswith("tables[")  # whose places are untouched ones
    span = readings.span(reading.source, reading.start, reading.stop, untouched=in_table)
    record.evidence[name] = [span]
    flags = [_HOW[reading.how]] if reading.how in _HOW else []
    if unit and unit.misprint:
        flags.append("unit printed as concentration per time, read as times time")
    if reading.group[1] == "fed":
        flags.append("fed")
    if re.search(r"\d,\s\d|[eE][-+]?\d|[×xX*·]\s?10", span.text):
        flags.append(f"printed as '{span.text}'")
    record.flags += [f"{name}: {flag}" for flag in flags]
    record.flags += contradiction(name, value.number, unit and unit.text, readings.all())


def contradiction(name: str, value: float, unit: str | None, readings: list[Reading]) -> list[str]:
    """A flag where another reading of a quantity, not of the reference, differs in value."""
    for reading in readings:
        other = reading.value.unit
        elsewhere = reading.group[0] or reading.group[1] == "fed" or reading.group[2]
        if reading.name != name or reading.arm == REFERENCE or elsewhere or not (other and unit):
            continue
        try:
            number = convert(reading.value.number, other.text, unit)
        except ValueError:
            continue
        if abs(number - value) > (CONTRADICTION - 1) * min(number, value):
            return [f"{name}: the document also gives {reading.value.number:g} {other.text}"]
    return []
