"""Grounding: a value is accepted only where it stands in the document, and the place is evidence.

What a language model says is checked in three steps. Its quotation has to stand in the document
(compared after normalization: letters, digits and signs, not spaces, dashes or dots). The number
has to stand in the quotation, with its unit. And the label that stands *in the same clause* must
not say something else (another parameter, the reference product, a dispersion, a limit): a veto.
Where no label stands in the clause the value is kept and flagged, for the label may stand elsewhere
and the rules' reading of longer sentences is no better than the model's. A quotation that does not
hold (small models quote the question) is forgiven, with a flag, where the number stands once in the
document, in a clause that names the quantity.

A model only ever fills in a schema; it never acts. So the worst that a sentence written to mislead
it (or a reader) can do is to stand in the document as a false value. Where it contradicts another
value for the same quantity, the record says so.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass

from agmpk.literature import schema
from agmpk.literature.document import Document
from agmpk.literature.extract import rules, tokens
from agmpk.literature.extract.prose import Reading
from agmpk.literature.extract.tokens import REFERENCE, TEST, regex
from agmpk.literature.schema import QUANTITIES, Extraction, ExtractionAnswer, Rejection, Span
from agmpk.literature.text import NormalText, normalize, numbers_at, parse_range, sentences
from agmpk.literature.units import amounts, parse_unit, scan_unit

MIN_QUOTE = 2  # letters and digits; a shorter quotation stands everywhere
_PEOPLE = regex(r"\b{who}\b|\bn\s?=|\benrol|\brandomi[sz]ed")
_NOT_THERE = "the quoted passage does not stand in the document"
_NO_NAME = "its name does not stand in the same clause"
_BESIDE = re.compile(  # between a number and the label behind it: `(`, `for the`, `with the`
    r"[\s(\[]*(?:(?:for|with|after|following|in|by|on|of|from) )?(?:the |an? )?(?:[\w-]+ ){0,1}"
)


# ------------------------------------------------------------------------------ finding a quote
@dataclass(frozen=True)
class Passage:
    """A quotation found in `source` at `begin:stop` of its normalized text."""

    source: str
    normal: NormalText
    begin: int
    stop: int

    def sentence(self) -> tuple[int, int]:
        """Span of the sentences the quotation touches; in a table, of the lines it touches."""
        text = self.normal.text
        if self.source.startswith("tables["):
            end = text.find("\n", self.stop)
            return text.rfind("\n", 0, self.begin) + 1, len(text) if end < 0 else end
        spans = [(a, b) for a, b in sentences(text) if a < self.stop and b > self.begin]
        return (spans[0][0], spans[-1][1]) if spans else (self.begin, self.stop)


def _squeezed(text: str) -> tuple[str, list[int]]:
    """Lower-case letters, digits and the signs between digits, with their positions."""
    kept = [
        (c.lower(), i)
        for i, c in enumerate(text)
        if c.isalnum() or c in "%∞±" or (c in ".^" and text[i + 1 : i + 2].isdigit())
    ]
    return "".join(c for c, _ in kept), [i for _, i in kept]


def locate(quote: str, normals: dict[str, NormalText]) -> Passage | None:
    """The first place where `quote` stands in one of the normalized sources, or None.

    A quotation with gaps (`...`) is found where its longest piece stands.
    """
    pieces = re.split(r"\.{3,}|…|\[\.\.\.\]", quote)
    wanted, _ = _squeezed(normalize(max(pieces, key=len)).text)
    if len(wanted) < MIN_QUOTE:
        return None
    for source, normal in normals.items():
        text, places = _squeezed(normal.text)
        for match in re.finditer(re.escape(wanted), text):
            begin, stop = places[match.start()], places[match.end() - 1] + 1
            inside = re.match(r"\.?\d", normal.text[stop:]) and wanted[-1].isdigit()
            inside = inside or (
                wanted[0].isdigit() and normal.text[:begin][-1:] in tuple("0123456789.")
            )
            if not inside:  # a number inside another one is no quotation of it
                return Passage(source, normal, begin, stop)
    return None


def _places(value: float, passages: list[Passage]) -> list[Passage]:
    """Where a number stands within passages."""
    return [
        Passage(p.source, p.normal, start, end)
        for p in passages
        for number, start, end in numbers_at(p.normal.text, p.begin, p.stop)
        if _same(number, value)
    ]


def _same(a: float, b: float) -> bool:
    return math.isclose(float(a), float(b), rel_tol=1e-9)


# ---------------------------------------------------------------------- a model's answer, checked
class _Refused(Exception):
    """Why a value is not taken."""


class Grounder:
    """Checks the answers about one document; keeps evidence for what holds and a reason for what
    does not."""

    def __init__(self, document: Document, engine: str) -> None:
        self.readings = rules.Readings(document)
        self.normals, self.texts = self.readings.normal, self.readings.texts
        meta = {k: document.meta.get(k) for k in ("pmid", "pmcid", "year")}
        self.record = Extraction(id=document.id, engine=engine, **meta)

    def ground(self, answer: ExtractionAnswer) -> Extraction:
        """The record of an answer."""
        checks = {"compound": self._compound, "dose": self._dose, "n_subjects": self._subjects}
        for name in (*checks, "route", *QUANTITIES):
            part = getattr(answer, name)
            if part is None:
                continue
            try:
                if name in QUANTITIES:
                    self._quantity(name, part)
                else:
                    checks.get(name, self._route)(part)
            except _Refused as reason:
                unit = f"{part.value:g} {part.unit}" if hasattr(part, "unit") else None
                self._reject(name, unit or getattr(part, "value", part), str(reason))
        return self.record

    def _reject(self, field: str, value: object, reason: str) -> None:
        self.record.rejected.append(Rejection(field=field, value=value, reason=reason))

    def _evidence(self, field: str, source: str, *spans: tuple[int, int]) -> None:
        normal = self.normals[source]
        self.record.evidence[field] = [Span.of(source, normal, *span) for span in spans]

    def _locate(self, quote: str) -> Passage:
        passage = locate(quote, self.normals)
        if passage is None:
            raise _Refused(_NOT_THERE)
        return passage

    def _doubt(self, field: str, value: object, found: rules.Found | None) -> None:
        """A flag where the rules read something else."""
        if found is not None and found.value not in (None, value):
            self.record.flags.append(f"{field}: the rules read {found.value}")

    def _route(self, route: str) -> None:
        found = rules.find_route(self.texts, [route])
        if found is None:
            raise _Refused("no word of the document says this route")
        self.record.route = route
        self._evidence("route", found.source, *found.spans)
        self._doubt("route", route, rules.find_route(self.texts))

    def _compound(self, answer: schema.NameAnswer) -> None:
        passage = self._locate(answer.quote)
        # What stands behind a strength is no part of the name; of a sentence only a drug is.
        name = re.sub(r"\s+\d.*", "", normalize(answer.value).text)
        if len(name.split()) > 3:
            name = str(rules.find_compound(name, "").value or name)
        words = re.findall(r"[^\W\d][\w-]{2,}", name)
        if not words:
            raise _Refused("this is no name")
        text, where = passage.normal.text, passage.sentence()
        match = re.compile(rf"\b{re.escape(words[0])}", re.I).search(text, *where)
        if not match:
            raise _Refused("the name is not in the quoted passage")
        front = " ".join(self.texts.get(k, "") for k in ("title", "abstract")).lower()
        if words[0].lower() not in front:
            raise _Refused("the name is not in title or abstract")
        self.record.compound = name
        self._evidence("compound", passage.source, match.span())
        self._doubt("compound", name.lower(), self.readings.compound)
        if not tokens.find_drugs(name):
            self.record.flags.append("compound: no known drug name")

    def _dose(self, answer: schema.AmountAnswer) -> None:
        passage = self._locate(answer.quote)
        unit = parse_unit(normalize(answer.unit).text)
        if unit is None or unit.kind not in ("mass", "mass/weight"):
            raise _Refused("the unit is not one of a dose")
        text, (a, b) = passage.normal.text, passage.sentence()
        given = [x for x in amounts(text) if a <= x[2] < b and x[1] == unit]
        spans = [(s, e) for number, _, s, e in given if _same(number, answer.value)][:1]
        if not spans:  # three 400 mg tablets are 1200 mg
            counts = numbers_at(text, a, b, words=True)
            products = (
                [(s, e), (start, end)]
                for number, _, start, end in given
                for k, s, e in counts
                if 2 <= k <= 12 and s != start and _same(k * number, answer.value)
            )
            spans = next(products, [])
        if not spans:
            raise _Refused("this amount with this unit is not in the quoted passage")
        self.record.dose, self.record.dose_unit = answer.value, unit.text
        self._evidence("dose", passage.source, *spans)

    def _subjects(self, answer: schema.CountAnswer) -> None:
        passage = self._locate(answer.quote)
        text, (a, b) = passage.normal.text, passage.sentence()
        if not _PEOPLE.search(text, a, b):
            raise _Refused("the passage does not speak of subjects")
        not_people = re.compile(r"\s?(?:mg|µg|g|h|%|years?|kg|mL|ng|±|days?)(?![a-z])|\s?±")
        numbers = numbers_at(text, a, b, words=True)
        numbers = [n for n in numbers if not not_people.match(text, n[2])]
        spans = [(s, e) for n, s, e in numbers if _same(n, answer.value)][:1]
        if not spans and re.search(r"\b(?:men|male|women|female|group|fast)", text[a:b]):
            pairs = itertools.combinations(numbers, 2)
            sums = ([x[1:], y[1:]] for x, y in pairs if _same(x[0] + y[0], answer.value))
            spans = next(sums, [])
        if not spans:
            raise _Refused("this number is not in the quoted passage")
        self.record.n_subjects = answer.value
        self._evidence("n_subjects", passage.source, *spans)
        self._doubt("n_subjects", answer.value, rules.find_subjects(self.texts))

    def _quantity(self, name: str, answer: schema.QuantityAnswer) -> None:
        unit = parse_unit(normalize(answer.unit).text)
        if unit is None or unit.kind != tokens.KINDS[name]:
            raise _Refused(f"the unit does not measure {tokens.KINDS[name]}")
        passage, flags = locate(answer.quote, self.normals), []
        reason = "the number is not in the quoted passage" if passage else _NOT_THERE
        places = _places(answer.value, [passage] if passage else [])
        if not places:  # a quotation that does not hold: where else the number stands, if once
            whole = [Passage(k, normal, 0, len(normal.text)) for k, normal in self.normals.items()]
            places = _places(answer.value, whole)
            flags = ["the quotation does not hold it; the number stands once in the document"]
            if len(places) != 1:
                raise _Refused(reason)
        verdicts = [(*self._fault(name, unit.text, place), place) for place in places]
        good = [(found, place) for veto, found, place in verdicts if not veto]
        good = [g for g in good if not (flags and _NO_NAME in g[0])]
        if not good:
            raise _Refused(reason if flags else verdicts[0][0])
        found, place = min(good, key=lambda g: len(g[0]))
        record = self.record
        record.flags += [f"{name}: {flag}" for flag in (*flags, *found)]
        setattr(record, name, answer.value)
        setattr(record, f"{name}_unit", unit.text)
        setattr(record, f"{name}_type", answer.central_tendency)
        self._evidence(name, place.source, (place.begin, place.stop))
        self._dispersion(name, answer, place)
        record.flags += rules.contradiction(name, answer.value, unit.text, self.readings.all())

    def _fault(self, name: str, unit: str, place: Passage) -> tuple[str, list[str]]:
        """`(veto, flags)` of taking the number at a place for a quantity."""
        if place.source.startswith("tables["):
            return self._table_fault(name, place)
        text, start = place.normal.text, place.begin
        a, b = next(((x, y) for x, y in sentences(text) if x <= start < y), (0, len(text)))
        sentence, at = text[a:b], start - a
        names = tokens.find_names(sentence)
        values = tokens.find_values(sentence, names)
        value = next((v for v in values if v.start <= at < v.end), None)
        if value is None or (value.void and value.start == at and value.kind != "percent"):
            return "the number is part of a name, a limit or an interval", []
        if value.start != at:
            return "the number is printed as a dispersion", []
        given = {v.unit.text for v in values if v.unit} | _units(sentence)
        if value.unit is None and unit not in given:
            return "the unit is not in the passage", []
        # The clause: up to the semicolons around the number.
        left = sentence.rfind(";", 0, at) + 1
        right = (sentence + ";").find(";", at)
        inside = [n for n in names if left <= n.start < right]
        wanted = {name, "auc"} if name.startswith("auc") else {name}
        reached = self._reached(name, sentence, at)
        nearest = _only_name(inside, values, at)
        follows = next((n for n in names if n.start > at), None)  # `512 ng/mL for Cmax`
        behind = follows and re.search(r"\b(?:for|in|of|as)(?: the)? $", sentence[: follows.start])
        if nearest and nearest.name not in wanted and not reached:
            if not (behind and follows.name in wanted):
                return f"the clause gives this number for {_plain(nearest.name)}", []
        if value.unit is not None and value.unit.text != unit:
            return f"the document gives this number in {value.unit.text}", []
        flags = []
        if not reached and not any(n.name in wanted for n in inside):
            near = {n.name for n in tokens.find_names(text[max(0, a - 400) : b])}
            if not near & wanted:
                if inside:
                    return f"the clause gives this number for {_plain(inside[-1].name)}", []
                return f"the passage does not name {name}", []
            flags.append(_NO_NAME)
        elif name.startswith("auc") and not any(n.name == name for n in inside):
            flags.append("the clause does not say which area")
        arm, direct = self._arm(sentence, left, right, value, values)
        read = self._read_at(place)
        ordered = left == 0 and any(r.arm == REFERENCE and r.how == "order" for r in read)
        if ordered or (arm == REFERENCE and direct):
            return "the clause gives this number for the reference product", []
        if any(r.name != name and r.name in QUANTITIES for r in read):
            flags.append(f"the rules read this number as {read[0].name}")
        arms = {r.arm for r in read} | {arm}
        if REFERENCE in arms:
            flags.append("it may be the value of the reference product")
        elif TEST not in arms:
            flags.append("the text does not say in this clause whether this is the test product")
        return "", flags

    @staticmethod
    def _reached(name: str, sentence: str, at: int) -> bool:
        """`reached 512 ng/mL at 2.0 h`: a peak and its time without their names."""
        words = {"tmax": r"\b(?:at|after|in|occur\w*|peak\w*)\b"}
        words["cmax"] = r"\b(?:reach\w*|peak\w*|attain\w*)\b"
        return name in words and bool(re.search(words[name], sentence[max(0, at - 60) : at]))

    def _arm(self, sentence, left, right, value, values) -> tuple[str | None, bool]:
        """The product whose label is nearest to the value with no other value between; whether it
        stands directly beside it."""
        found = [m for m in self.readings.products.find(sentence) if len(m.arms) == 1]
        marks = [m for m in found if left <= m.start < right]
        starts = [v.start for v in values]
        after = [m for m in marks if m.start >= value.end]
        after = [m for m in after if not any(value.end <= s < m.start for s in starts)]
        before = [m for m in marks if m.end <= value.start]
        before = [m for m in before if not any(m.end <= s < value.start for s in starts)]
        first = min(s for s in starts if left <= s < right)
        leads = bool(marks) and marks[0].end <= first  # before every value of the clause
        if leads and {m.arms for m in marks} == {(REFERENCE,)}:
            return REFERENCE, True
        if after and _BESIDE.fullmatch(sentence[value.end : after[0].start]):
            if not re.match(r"\s?:", sentence[after[0].end :]):  # `(reference: 5.9)` leads the next
                return after[0].arms[0], True
        if before:
            return before[-1].arms[0], leads and len(before) == 1 and not after
        return (after[0].arms[0] if after else None), False

    def _read_at(self, place: Passage) -> list[Reading]:
        """What the rules read at a place."""
        where = (place.source, place.normal.span(place.begin, place.stop)[0])
        return [r for r in self.readings.all() if (r.span.source, r.span.start) == where]

    def _table_fault(self, name: str, place: Passage) -> tuple[str, list[str]]:
        read = self._read_at(place)
        line = place.normal.text[slice(*place.sentence())]
        if read:
            if all(r.name != name for r in read):
                return f"the table gives this number for {read[0].name}", []
            if all(r.arm == REFERENCE for r in read):
                return "the table gives this number for the reference product", []
            unsaid = ["the table does not say which product this is"]
            return "", [] if read[0].arm == TEST else unsaid
        if not any(n.name == name for n in tokens.find_names(line)):
            return f"the line of the table does not name {name}", []
        return "", ["the rules cannot read this table"]

    def _dispersion(self, name: str, answer: schema.QuantityAnswer, place: Passage) -> None:
        if answer.dispersion is None:
            return
        printed = normalize(answer.dispersion).text
        limits = parse_range(printed)
        wanted = limits or [n for n, _, _ in numbers_at(printed, 0, len(printed))]
        a, b = place.sentence()
        if not place.source.startswith("tables["):
            a, b = place.stop, min(b, place.stop + 80)
        there = {n for n, _, _ in numbers_at(place.normal.text, a, b)}
        if not set(wanted) <= there or len(wanted) != 1 + bool(limits):
            reason = "the dispersion does not stand beside its value"
            return self._reject(f"{name}_dispersion", answer.dispersion, reason)
        value = "-".join(f"{w:g}" for w in limits) if limits else wanted[0]
        setattr(self.record, f"{name}_dispersion", value)
        setattr(self.record, f"{name}_dispersion_type", answer.dispersion_type)


def _only_name(names: list, values: list, at: int):
    """The name whose one value stands at `at`: the last before it, no value between, and no other
    name in the same run; None where several names share a run of values."""
    before = [n for n in names if n.end <= at]
    if not before or any(before[-1].end <= v.start < at for v in values):
        return None
    alone = len(before) < 2 or any(before[-2].end <= v.start < before[-1].start for v in values)
    return before[-1] if alone else None


def _plain(name: str) -> str:
    other = dict.fromkeys(("decoy", "time", "level"), "something else")
    return (other | {"poison": "a ratio, limit or difference"}).get(name, name)


def _units(text: str) -> set[str]:
    places = [m.start() for m in re.finditer(r"(?<![A-Za-z0-9µ])[a-zA-Zµ(]", text)]
    return {found[1].text for p in places if (found := scan_unit(text, p))}
