"""The rule-based extraction of one document: tables, then the abstract, then the body.

All quantities are the test product's, of the studied compound, fasting where both states are given.
What the readings leave open stays null, with a flag.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial

from agmpk.literature.document import Document
from agmpk.literature.extract.prose import ASSUMED, Reader, Reading, read_table
from agmpk.literature.extract.tokens import ESTERS, REFERENCE, TEST, Products, find_drugs, regex
from agmpk.literature.schema import QUANTITIES, Extraction, Span
from agmpk.literature.text import WORD_NUMBER, normalize, unwrapped, word_number
from agmpk.literature.units import amounts, convert


@dataclass(frozen=True)
class Found:
    """A value (None where it is not clear) with the source and spans it was read from; `flag` says
    what was in doubt."""

    value: object
    source: str
    spans: tuple[tuple[int, int], ...]
    unit: str | None = None
    flag: str = ""


NOTHING = Found(None, "", ())


# ------------------------------------------------------------------------ compound and analytes
def find_compound(title: str, abstract: str) -> Found:
    """The first drug name of the title, else of the abstract."""
    source, text = ("title", title) if find_drugs(title) else ("abstract", abstract)
    drugs = find_drugs(text)
    if not drugs:
        return Found(None, source, (), flag="no known drug name in title or abstract")
    name, (start, end) = drugs[0].group(), drugs[0].span()
    more = re.compile(r" ([A-Za-z]+)").match(text, end)
    if more and more[1].lower() in ESTERS:
        name, end = f"{name} {more[1]}", more.end()
    if "-" in name and all(map(find_drugs, name.split("-"))):  # artesunate-mefloquine: the first
        name = name.split("-")[0]
        end = start + len(name)
    return Found(name.lower(), source, ((start, end),))


# ------------------------------------------------------------------------------------- the dose
_NO_DOSE, _GIVEN = regex(r"{no_dose}\s?$"), regex(r"\b{given}")
_GIVEN_BEHIND = regex(r"[\s-]*(?:single |oral )*{given_behind}")
_COUNT = rf"(?P<n>\d|{WORD_NUMBER})"
_SEVERAL = regex(rf"\b(?!one |1 ){_COUNT}(?P<x>\s?[×x*]\s?|{{several}})$")
_TIMES = regex(r"(?P<x>\s?[×x*]\s?)(?P<n>[2-9])\b(?!\s?(?:day|d\b|week|h\b|[.^\d]))")
_STRENGTH, _UNITS = regex("{strength}"), regex("{units}")


def find_dose(texts: dict[str, str]) -> Found | None:
    """The amount given on one occasion: from a sentence that speaks of giving, else the first one.

    `2 × 500 mg` is 1000 mg, with a flag; where several units of it may have been taken (`two 500-mg
    tablets`) nothing is: the dose may be the sum.
    """
    options: list[tuple[int, Found]] = []
    several = set()
    for source, text in texts.items():
        for number, unit, start, end in amounts(text):
            before = re.split(r"[.;]\s", text[max(0, start - 90) : start])[-1]
            after = text[end : end + 40]
            if _NO_DOSE.search(before):
                continue
            given = bool(_GIVEN.search(before) or _GIVEN_BEHIND.match(after))
            rank = 3 * given + (source == "title") - bool(_STRENGTH.match(after))
            found = Found(number, source, ((start, end),), unit.text)
            times, at = _SEVERAL.search(before), start - len(before)
            if behind := _TIMES.match(after):
                times, at = behind, end
            if times and times["x"].strip() in ("×", "x", "*"):
                spans = ((at + times.start("n"), at + times.end("n")), (start, end))
                total, rank = number * _whole(times["n"]), 4
                found = Found(total, source, spans, unit.text, "several units of it were taken")
            elif times and given and _UNITS.search(times.group() + after[:24]):
                several.add(_mg(found))
            options.append((rank, found))
    if not options:
        return None
    top, dose = max(options, key=lambda o: o[0])
    if _mg(dose) in several:
        return replace(dose, value=None, unit=None, flag="several units of it may have been taken")
    others = {_mg(d) for rank, d in options if rank == top or d.source == "title"}
    return replace(dose, flag=dose.flag or "several amounts are named" * (others > {_mg(dose)}))


def _mg(dose: Found) -> float:
    return float(dose.value) * {"g": 1e3, "µg": 1e-3}.get(dose.unit or "", 1.0)  # type: ignore[arg-type]


def _whole(text: str) -> int:
    return int(text) if text.isdigit() else word_number(text) or 0


# --------------------------------------------------------------------------- subjects and route
_CLEAR = ("completed", "sum", "n", "people", "entered", "groups", "enrolled")  # the last the most
_FLAGS = {"completed": "completed", "groups": "groups are counted, and no total"}
_KINDS = ("sum", "enrolled", "groups", "entered", "completed", "people", "n")  # the order of search
_COUNTS = regex("|".join(f"(?P<{kind}>{{count_{kind}}})" for kind in _KINDS)).pattern
_COUNTS = re.compile(_COUNTS.replace("#", rf"(\b\d{{1,4}}|{WORD_NUMBER})"), re.I)


def find_subjects(texts: dict[str, str]) -> Found | None:
    """Subjects enrolled: a total, else a sum of men and women; where only completers or groups are
    counted nothing is clear."""
    options: list[tuple[int, Found]] = []
    for source, text in texts.items():
        for match in _COUNTS.finditer(text):
            kind, flag = match.lastgroup, _FLAGS.get(match.lastgroup, "")
            numbers = [i for i, n in enumerate(match.groups(), 1) if n and i != match.lastindex]
            words = [match[i] for i in numbers if kind != "groups"]
            total = sum(map(_whole, words))
            if not words or 3 <= total <= 5000:
                spans = tuple(match.span(i) for i in numbers)
                found = Found(total or None, source, spans, flag=flag)
                options.append((_CLEAR.index(kind), found))
    if not options:
        return None
    top, best = max(options, key=lambda o: o[0])
    others = {found.value for clear, found in options if clear == top} - {best.value}
    unclear = others and _CLEAR[top] in ("entered", "enrolled")
    return replace(best, flag=best.flag or ("another count is named" if unclear else ""))


_ROUTES = "intravenous subcutaneous intramuscular inhaled topical other oral".split()


def find_route(texts: dict[str, str], routes: list[str] = _ROUTES) -> Found | None:
    """The first of `routes` that the title, else the text names; a tablet or fasting says oral."""
    for kind, known in ("", routes), ("_form", [r for r in routes if r == "oral"]):
        for source, text in texts.items():
            for route in known:
                if match := regex(f"{{{route}{kind}}}").search(text):
                    return Found(route, source, (match.span(),))
    return None


CONTRADICTION = 1.02  # two values of one quantity that differ by more than rounding
MAX_SOURCE = 200_000  # characters of a body or another source that are read


class Readings:
    """Everything the rules read in a document: tables, abstract, body, as they are trusted."""

    def __init__(self, document: Document) -> None:
        self.normal = {k: normalize(v[:MAX_SOURCE]) for k, v in document.sources().items()}
        self.normal |= {k: unwrapped(n) for k, n in self.normal.items() if "[" not in k}
        self.texts = {k: n.text for k, n in self.normal.items()}
        title, abstract = (self.texts.get(k, "") for k in ("title", "abstract"))
        self.compound = find_compound(title, abstract)
        self.products = Products("\n".join(t for k, t in self.texts.items() if k != "body"))
        self.printed: set[tuple[str, str]] = set()  # quantity and group of every value
        compound = str(self.compound.value or "")
        reader = partial(Reader, self.products, compound, self.printed)
        tables = (read_table(t, f"tables[{i}]", reader) for i, t in enumerate(document.tables))
        self.found = [[r for table in tables for r in table]]
        texts = [k for k in ("abstract", "body") if k in self.normal]
        self.found += [reader().read(source, self.normal[source]) for source in texts]
        # Another analyte or state only where it alone is printed.
        groups = {group for _, group in self.printed} or {""}
        group = groups.pop() if len(groups) == 1 else ""
        self.found = [[r for r in part if r.group == group] for part in self.found]

    def all(self) -> list[Reading]:
        """Every reading, in the order of trust."""
        return [reading for part in self.found for reading in part]


def extract_rules(document: Document) -> Extraction:
    """One document by the rules; every value has evidence, what is not stated stays null."""
    readings = Readings(document)
    meta = {k: document.meta.get(k) for k in ("pmid", "pmcid", "year")}
    record = Extraction(id=document.id, engine="rules", **meta)
    chosen: dict[str, Reading] = {}  # the clearest of the first source that has the test product's
    for part in readings.found:
        usable = [r for r in part if r.arm != REFERENCE]
        for r in sorted(usable, key=lambda r: (r.arm != TEST, r.how == ASSUMED)):
            chosen.setdefault(r.name, r)
    for name in QUANTITIES:
        if name in chosen:
            _take(record, chosen[name], readings)
        elif name in {printed for printed, _ in readings.printed}:
            record.flags.append(f"{name}: printed, but not clearly for the test product")
    front = {k: t for k, t in readings.texts.items() if k in ("title", "abstract")}
    rest = {k: t for k, t in readings.texts.items() if k == "body"}
    found = {
        "compound": readings.compound,
        "dose": find_dose(front) or find_dose(rest) or NOTHING,
        "n_subjects": find_subjects(front) or find_subjects(rest) or NOTHING,
        "route": find_route({**front, **rest}) or NOTHING,
    }
    for name, item in found.items():
        record.flags += [f"{name}: {item.flag}"] if item.flag else []
        if item.value is not None:
            setattr(record, name, item.value)
            normal = readings.normal[item.source]
            record.evidence[name] = [Span.of(item.source, normal, *s) for s in item.spans]
    record.dose_unit = found["dose"].unit
    return record


def _take(record: Extraction, reading: Reading, readings: Readings) -> None:
    name, value, unit = reading.name, reading.value, reading.value.unit
    fields = {"": value.number, "_unit": unit and unit.text, "_type": reading.center}
    fields |= {"_dispersion": value.dispersion, "_dispersion_type": value.dispersion_type}
    for suffix, item in fields.items():
        setattr(record, f"{name}{suffix}", item)
    record.evidence[name] = [reading.span]
    flags = [x for x in (reading.how, reading.group) if x not in ("label", "order", "")]
    if unit and unit.misprint:
        flags.append("unit printed as concentration per time, read as times time")
    if re.search(r"\d,\s\d|[eE][-+]?\d|[×xX*·]\s?10", reading.span.text):
        flags.append(f"printed as '{reading.span.text}'")
    record.flags += [f"{name}: {flag}" for flag in flags]
    record.flags += contradiction(name, value.number, unit and unit.text, readings.all())


def contradiction(name: str, value: float, unit: str | None, readings: list[Reading]) -> list[str]:
    """A flag where another reading of a quantity, not of the reference, differs in value."""
    for reading in readings:
        other = reading.value.unit
        if reading.name != name or reading.arm == REFERENCE or not (other and unit):
            continue
        number = convert(reading.value.number, other.text, unit)
        if number is not None and abs(number - value) > (CONTRADICTION - 1) * min(number, value):
            return [f"{name}: the document also gives {reading.value.number:g} {other.text}"]
    return []
