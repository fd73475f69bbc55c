"""The rule-based extraction of one document: tables, then the abstract, then the body.

All quantities are the test product's, of the studied compound, fasting where both states are given.
What the readings leave open stays null, with a flag.
"""

from __future__ import annotations

import re
from functools import partial

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
MAX_SOURCE = 200_000  # characters of a body or another source that are read
_HOW = {
    "unsaid": "the text does not say whether this is the test product",
    "assumed": "the order of the products is taken from another sentence",
}


class Readings:
    """Everything the rules read in a document: tables, abstract, body, as they are trusted."""

    def __init__(self, document: Document) -> None:
        self.normal = {k: normalize(v[:MAX_SOURCE]) for k, v in document.sources().items()}
        self.texts = {k: n.text for k, n in self.normal.items()}
        title, abstract, body = (self.texts.get(k, "") for k in ("title", "abstract", "body"))
        self.compound = design.find_compound(title, abstract)
        self.products = Products("\n".join(t for k, t in self.texts.items() if k != "body"))
        compound = str(self.compound.value or "")
        new_reader = partial(Reader, self.products, compound)
        self.printed: set[str] = set()  # quantities with a value, whosever it is
        self.found: list[list[Reading]] = [[]]
        for i, table in enumerate(document.tables):
            self.found[0] += read_table(table, f"tables[{i}]", new_reader)
        self.printed |= {r.name for r in self.found[0]}
        for source, text in (("abstract", abstract), ("body", body)):
            reader = new_reader()
            self.found.append(reader.read(text, source))
            self.printed |= reader.printed
        groups = {r.group for r in self.all()}  # another one only where it alone is measured
        group = groups.pop() if len(groups) == 1 else ""
        self.found = [[r for r in part if r.group == group] for part in self.found]

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
    chosen: dict[str, Reading] = {}  # the clearest of the first source that has the test product's
    for part in readings.found:
        usable = [r for r in part if r.arm != REFERENCE]
        for r in sorted(usable, key=lambda r: (r.arm != TEST, r.how == "assumed")):
            chosen.setdefault(r.name, r)
    for name in QUANTITIES:
        if name in chosen:
            _take(record, chosen[name], readings)
        elif name in readings.printed:
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


def _take(record: Extraction, reading: Reading, readings: Readings) -> None:
    name, value, unit = reading.name, reading.value, reading.value.unit
    fields = {"": value.number, "_unit": unit and unit.text, "_type": reading.center}
    fields |= {"_dispersion": value.dispersion, "_dispersion_type": value.dispersion_type}
    for suffix, item in fields.items():
        setattr(record, f"{name}{suffix}", item)
    in_table = reading.source.startswith("tables[")  # whose places are untouched ones
    span = readings.span(reading.source, reading.start, reading.stop, untouched=in_table)
    record.evidence[name] = [span]
    flags = [_HOW[reading.how]] if reading.how in _HOW else []
    flags += [reading.group] if reading.group else []
    if unit and unit.misprint:
        flags.append("unit printed as concentration per time, read as times time")
    if re.search(r"\d,\s\d|[eE][-+]?\d|[×xX*·]\s?10", span.text):
        flags.append(f"printed as '{span.text}'")
    record.flags += [f"{name}: {flag}" for flag in flags]
    record.flags += contradiction(name, value.number, unit and unit.text, readings.all())


def contradiction(name: str, value: float, unit: str | None, readings: list[Reading]) -> list[str]:
    """A flag where another reading of a quantity, not of the reference, differs in value."""
    for reading in readings:
        other = reading.value.unit
        if reading.name != name or reading.arm == REFERENCE or not (other and unit):
            continue
        try:
            number = convert(reading.value.number, other.text, unit)
        except ValueError:
            continue
        if abs(number - value) > (CONTRADICTION - 1) * min(number, value):
            return [f"{name}: the document also gives {reading.value.number:g} {other.text}"]
    return []
