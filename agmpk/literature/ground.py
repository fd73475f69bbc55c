"""Finding a quoted passage in a document, whatever spaces, dashes and dots either side uses.

Plausibility rules: they flag, they do not erase.

The last guard, for every engine: evidence must say what the record says.

From a model's answer to a record: only what stands in the document under its own name is
taken.

Whether a number in a passage is the quantity it is said to be.
"""

from __future__ import annotations
from dataclasses import dataclass
import math
import re
from agmpk.literature.document import Document
from agmpk.literature.extract.llm.answers import Amount, Count, ExtractionAnswer, Quantity, Text
from agmpk.literature.extract.llm.fault import quantity_fault
from agmpk.literature.extract.rules.arms import ArmFinder
from agmpk.literature.extract.rules.arms import REFERENCE
from agmpk.literature.extract.rules.compound import AnalyteFinder, find_compound
from agmpk.literature.extract.rules.engine import all_mentions
from agmpk.literature.extract.rules.mention import Mention
from agmpk.literature.extract.rules.parameters import find_parameters
from agmpk.literature.extract.rules.route import supports_route
from agmpk.literature.extract.rules.sentences import sentences
from agmpk.literature.extract.rules.subject_words import WHO
from agmpk.literature.extract.rules.values import find_values
from agmpk.literature.extract.schema import Extraction
from agmpk.literature.extract.schema import QUANTITIES, Extraction, Rejection
from agmpk.literature.extract.schema import QUANTITIES, Extraction, Rejection, Span
from agmpk.literature.ground.locate import Passage
from agmpk.literature.ground.locate import Passage, locate
from agmpk.literature.text import NormalText, normalize
from agmpk.literature.text import NormalText, scan_unit
from agmpk.literature.text import convert, parse_unit
from agmpk.literature.text import normalize, parse_unit, scan_unit, word_number
from agmpk.literature.text import normalize, word_number
from agmpk.literature.text.numbers import WORD_NUMBER


MIN_QUOTE = 3  # characters; a shorter quote stands everywhere


@dataclass(frozen=True)
class Passage:
    """A quote found in `source`: `normal` is the normalized source, `begin:stop` the quote in
    it."""

    source: str
    normal: NormalText
    begin: int
    stop: int

    def context(self) -> tuple[int, int]:
        """Span of what tells the meaning: the quote's sentences and the one before; a whole
        table."""
        if self.source.startswith("tables["):
            return 0, len(self.normal.text)
        spans = sentences(self.normal.text)
        touched = [i for i, (a, b) in enumerate(spans) if a < self.stop and b > self.begin]
        if not touched:
            return self.begin, self.stop
        return spans[max(touched[0] - 1, 0)][0], spans[touched[-1]][1]

    def clause(self) -> tuple[int, int]:
        """Span of the sentences the quote touches; in a table, the lines it touches."""
        if self.source.startswith("tables["):
            text = self.normal.text
            start = text.rfind("\n", 0, self.begin) + 1
            end = text.find("\n", self.stop)
            return start, len(text) if end < 0 else end
        spans = [(a, b) for a, b in sentences(self.normal.text) if a < self.stop and b > self.begin]
        return (spans[0][0], spans[-1][1]) if spans else (self.begin, self.stop)


def locate(
    quote: str, document: Document, normals: dict[str, NormalText] | None = None
) -> Passage | None:
    """The first place where `quote` stands in the document, or None."""
    words = [re.escape(w) for w in re.split(r"\s+", normalize(quote).text.strip()) if w]
    if not words or sum(map(len, words)) < MIN_QUOTE:
        return None
    pattern = re.compile(r"\s*".join(words), re.I)
    for source, text in document.sources().items():
        normal = normals[source] if normals and source in normals else normalize(text)
        match = pattern.search(normal.text)
        if match:
            return Passage(source, normal, match.start(), match.end())
    return None


MAX_CV = 150.0  # percent
_KINDS = {"cmax": "concentration", "tmax": "time", "auc0_t": "auc", "auc0_inf": "auc"}


def plausibility_flags(record: Extraction) -> list[str]:
    """Sentences on what cannot be, or hardly can be: negative values, wrong units, Tmax after
    t_last, AUC order."""
    flags = []
    if record.dose is not None and record.dose <= 0:
        flags.append("dose: not above zero")
    if record.n_subjects is not None and record.n_subjects < 3:
        flags.append("n_subjects: fewer than three")
    for name, kind in _KINDS.items():
        value, unit = getattr(record, name), parse_unit(getattr(record, f"{name}_unit"))
        if value is None:
            continue
        if value <= 0:
            flags.append(f"{name}: not above zero")
        if unit is None or unit.kind != kind:
            flags.append(f"{name}: the unit does not measure {kind}")
        spread, spread_kind = (
            getattr(record, f"{name}_dispersion"),
            getattr(record, f"{name}_dispersion_type"),
        )
        if isinstance(spread, float) and spread_kind in ("CV%", "SD"):
            cv = spread if spread_kind == "CV%" else 100 * spread / value if value > 0 else 0.0
            if cv > MAX_CV:
                flags.append(f"{name}: a CV of {cv:.0f} % is above {MAX_CV:g} %")
    _compare(record, "tmax", "t_last", "tmax: later than the last sample", flags)
    _compare(record, "auc0_t", "auc0_inf", "auc0_t: larger than auc0_inf", flags)
    return flags


def _compare(record: Extraction, small: str, large: str, message: str, flags: list[str]) -> None:
    a, b = getattr(record, small), getattr(record, large)
    unit_a, unit_b = (
        parse_unit(getattr(record, f"{small}_unit")),
        parse_unit(getattr(record, f"{large}_unit")),
    )
    if a is None or b is None or unit_a is None or unit_b is None:
        return
    try:
        if convert(a, unit_a.text, unit_b.text) > b * 1.001:
            flags.append(message)
    except ValueError:
        flags.append(f"{small}: its unit and that of {large} do not measure the same thing")


_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_RELATED = {
    name: (name, f"{name}_unit", f"{name}_type", f"{name}_dispersion", f"{name}_dispersion_type")
    for name in QUANTITIES
}
_RELATED.update(
    {
        "dose": ("dose", "dose_unit"),
        "n_subjects": ("n_subjects",),
        "compound": ("compound",),
        "route": ("route",),
        "t_last": ("t_last", "t_last_unit"),
    }
)


def verify(record: Extraction, document: Document) -> Extraction:
    """`record` without the values whose evidence is missing, does not stand in the document, or
    says something else.

    Each removal is put into `rejected` with its reason.
    """
    sources = document.sources()
    for name, related in _RELATED.items():
        value = getattr(record, name)
        if value is None:
            continue
        reason = _fault(name, value, record, sources)
        if reason:
            record.rejected.append(Rejection(field=name, value=value, reason=reason))
            for field in related:
                setattr(record, field, None)
            record.evidence.pop(name, None)
    return record


def _fault(name: str, value, record: Extraction, sources: dict[str, str]) -> str:
    spans = record.evidence.get(name, [])
    if not spans:
        return "no evidence"
    for span in spans:
        if sources.get(span.source, "")[span.start : span.end] != span.text or not span.text:
            return "the evidence does not stand in the document"
    if name in QUANTITIES or name == "t_last":
        return (
            ""
            if any(_same(value, n) for s in spans for n in _numbers(s.text))
            else "the number is not in its evidence"
        )
    if name in ("dose", "n_subjects"):
        numbers = [n for s in spans for n in _numbers(s.text)]
        fits = any(_same(value, n) for n in numbers) or (
            len(spans) > 1 and (_same(value, math.prod(numbers)) or _same(value, sum(numbers)))
        )
        return "" if fits else "the number is not in its evidence"
    if name == "compound":
        text = normalize(" ".join(s.text for s in spans)).text.lower()
        return "" if str(value).lower().split()[0] in text else "the name is not in its evidence"
    return ""


def _numbers(text: str) -> list[float]:
    normal = normalize(text).text
    # A span cut out of a text with decimal commas cannot show that it has them: allow both
    # readings.
    both = {
        normal,
        normal.replace(",", "."),
        re.sub(r"(?<=\d)[ ,.](?=\d{3}\b)", "", normal),
        re.sub(r"(?<=\d)[ ](?=\d{3})", "", normal),
    }
    found = [float(m.group()) for t in both for m in _NUMBER.finditer(t)]
    words = [
        n
        for m in re.finditer(WORD_NUMBER, normal, re.I)
        if (n := word_number(m.group())) is not None
    ]
    return (
        sorted({*found, *map(float, words)})
        if len(both) > 1
        else [*dict.fromkeys([*found, *map(float, words)])]
    )


def _same(a: float, b: float) -> bool:
    return math.isclose(float(a), b, rel_tol=1e-9)


_KINDS = {"cmax": "concentration", "tmax": "time", "auc0_t": "auc", "auc0_inf": "auc"}
_NUMBER = re.compile(r"(?<![\d.])\d+(?:\.\d+)?")
_REACH = re.compile(r"\b(?:reach|peak|attain|after|at)\w*\b", re.I)


class Grounder:
    """Checks the answers about one document; keeps evidence for what holds and a reason for what
    does not."""

    def __init__(self, document: Document, engine: str) -> None:
        self.document = document
        self.normals = {name: normalize(text) for name, text in document.sources().items()}
        self.record = Extraction(
            id=document.id,
            engine=engine,
            **{k: document.meta.get(k) for k in ("pmid", "pmcid", "year")},
        )
        compound = find_compound(normalize(document.title).text, normalize(document.abstract).text)
        self.arms = ArmFinder("\n".join(n.text for n in self.normals.values()))
        self.analytes = AnalyteFinder(compound.text if compound else None, document.title)
        self.mentions = all_mentions(document, self.arms, self.analytes)

    def ground(self, answer: ExtractionAnswer) -> Extraction:
        """The record of an answer."""
        if answer.compound:
            self._compound(answer.compound)
        if answer.dose:
            self._dose(answer.dose)
        if answer.n_subjects:
            self._subjects(answer.n_subjects)
        if answer.route:
            self._route(answer.route)
        for name in QUANTITIES:
            quantity = getattr(answer, name)
            if quantity is not None:
                self._quantity(name, quantity)
        return self.record

    def _reject(self, field: str, value, reason: str) -> None:
        self.record.rejected.append(Rejection(field=field, value=value, reason=reason))

    def _evidence(self, field: str, passage: Passage, *spans: tuple[int, int]) -> None:
        found = []
        for span in spans:
            start, end = passage.normal.span(*span)
            found.append(
                Span(
                    source=passage.source,
                    start=start,
                    end=end,
                    text=passage.normal.source[start:end],
                )
            )
        self.record.evidence[field] = found

    def _locate(self, field: str, value, quote: str) -> Passage | None:
        passage = locate(quote, self.document, self.normals)
        if passage is None:
            self._reject(field, value, "the quoted passage does not stand in the document")
        return passage

    def _compound(self, answer: Text) -> None:
        passage = self._locate("compound", answer.value, answer.quote)
        if passage is None:
            return
        head = normalize(answer.value).text.split()[0]
        match = re.search(
            rf"\b{re.escape(head)}", passage.normal.text[passage.begin : passage.stop], re.I
        )
        if not match:
            self._reject("compound", answer.value, "the name is not in the quoted passage")
            return
        if (
            head.lower()
            not in normalize(f"{self.document.title} {self.document.abstract}").text.lower()
        ):
            self._reject(
                "compound", answer.value, "the name is neither in the title nor in the abstract"
            )
            return
        self.record.compound = answer.value
        self._evidence(
            "compound", passage, (passage.begin + match.start(), passage.begin + match.end())
        )

    def _dose(self, answer: Amount) -> None:
        passage = self._locate("dose", answer.value, answer.quote)
        if passage is None:
            return
        unit = parse_unit(normalize(answer.unit).text)
        if unit is None or unit.kind not in ("mass", "mass/weight"):
            self._reject("dose", f"{answer.value:g} {answer.unit}", "the unit is not one of a dose")
            return
        text = passage.normal.text
        amounts = []
        for match in _NUMBER.finditer(text, passage.begin, passage.stop):
            combined = re.compile(r"(?:\s?/\s?\d+(?:\.\d+)?)*-?").match(
                text, match.end()
            )  # 50/12.5 mg, 25-mg
            found = scan_unit(text, combined.end() if combined else match.end())
            if found and found[1].text == unit.text and found[1].kind == unit.kind:
                amounts.append((float(match.group()), (match.start(), found[0])))
        exact = [span for number, span in amounts if math.isclose(number, answer.value)]
        if exact:
            spans = exact[:1]
        else:
            counts = [
                (word_number(m.group()) or 0, m.span())
                for m in re.finditer(WORD_NUMBER, text[passage.begin : passage.stop], re.I)
            ]
            counts = [(c, (a + passage.begin, b + passage.begin)) for c, (a, b) in counts]
            counts += [
                (float(m.group()), m.span())
                for m in _NUMBER.finditer(text, passage.begin, passage.stop)
            ]
            spans = next(
                (
                    [c[1], a[1]]
                    for a in amounts
                    for c in counts
                    if 2 <= c[0] <= 12 and c[1] != a[1] and math.isclose(c[0] * a[0], answer.value)
                ),
                [],
            )
        if not spans:
            self._reject(
                "dose",
                f"{answer.value:g} {answer.unit}",
                "this amount with this unit is not in the quoted passage",
            )
            return
        self.record.dose, self.record.dose_unit = answer.value, unit.text
        self._evidence("dose", passage, *spans)

    def _subjects(self, answer: Count) -> None:
        passage = self._locate("n_subjects", answer.value, answer.quote)
        if passage is None:
            return
        text = passage.normal.text[passage.begin : passage.stop]
        a, b = passage.clause()
        if not re.search(
            rf"\b{WHO}\b|\bn\s?=|\benrol|\brandomi[sz]ed", passage.normal.text[a:b], re.I
        ):
            self._reject("n_subjects", answer.value, "the passage does not speak of subjects")
            return
        numbers = [
            (int(m.group()), m.span())
            for m in re.finditer(
                r"(?<![\d.,±-])(?<!± )\d+(?![\d.]*\d|\s?(?:mg|µg|g|h|%|years|kg|mL|ng)\b|\s?±)",
                text,
            )
        ]
        numbers += [
            (word_number(m.group()), m.span()) for m in re.finditer(WORD_NUMBER, text, re.I)
        ]
        spans = [s for n, s in numbers if n == answer.value][:1]
        if not spans:
            spans = next(
                (
                    [x[1], y[1]]
                    for i, x in enumerate(numbers)
                    for y in numbers[i + 1 :]
                    if x[0]
                    and y[0]
                    and x[0] + y[0] == answer.value
                    and re.search(r"\b(?:men|male|women|female)", text)
                ),
                [],
            )
        if not spans:
            self._reject("n_subjects", answer.value, "this number is not in the quoted passage")
            return
        self.record.n_subjects = answer.value
        self._evidence(
            "n_subjects", passage, *[(passage.begin + s, passage.begin + e) for s, e in spans]
        )

    def _route(self, route: str) -> None:
        found = supports_route(route, {k: n.text for k, n in self.normals.items()})
        if found is None:
            self._reject("route", route, "no word of the document says this route")
            return
        self.record.route = route  # type: ignore[assignment]
        source, span = found
        self._evidence("route", Passage(source, self.normals[source], *span), span)

    def _quantity(self, name: str, answer: Quantity) -> None:
        shown = f"{answer.value:g} {answer.unit}"
        unit = parse_unit(normalize(answer.unit).text)
        if unit is None or unit.kind != _KINDS[name]:
            self._reject(name, shown, f"the unit does not measure {_KINDS[name]}")
            return
        passage = self._locate(name, shown, answer.quote)
        if passage is None:
            return
        text = passage.normal.text
        places = [
            m
            for m in _NUMBER.finditer(text, passage.begin, passage.stop)
            if math.isclose(float(m.group()), answer.value, rel_tol=1e-9)
        ]
        if not places:
            self._reject(name, shown, "the number is not in the quoted passage")
            return
        reasons = []
        for place in places:
            reason = quantity_fault(
                name, unit.text, passage, place.span(), self.mentions, self.normals
            )
            if not reason:
                break
            reasons.append(reason)
        else:
            self._reject(name, shown, reasons[0])
            return
        record = self.record
        setattr(record, name, answer.value)
        setattr(record, f"{name}_unit", unit.text)
        setattr(record, f"{name}_type", answer.central_tendency)
        self._evidence(name, passage, place.span())
        self._dispersion(name, answer, passage, place)

    def _dispersion(
        self, name: str, answer: Quantity, passage: Passage, place: re.Match[str]
    ) -> None:
        if answer.dispersion is None:
            return
        text = normalize(str(answer.dispersion)).text
        wanted = [float(x) for x in _NUMBER.findall(text)]
        a, b = passage.clause() if not passage.source.startswith("tables[") else passage.context()
        window = (
            passage.normal.text[place.end() : min(b, place.end() + 80)]
            if a <= place.start()
            else ""
        )
        if passage.source.startswith("tables["):
            window = passage.normal.text[a:b]
        there = [float(x) for x in _NUMBER.findall(window)]
        if not wanted or not all(any(math.isclose(w, t) for t in there) for w in wanted):
            self._reject(
                f"{name}_dispersion",
                answer.dispersion,
                "the dispersion does not stand beside its value",
            )
            return
        setattr(
            self.record,
            f"{name}_dispersion",
            answer.dispersion if isinstance(answer.dispersion, float) else text,
        )
        setattr(self.record, f"{name}_dispersion_type", answer.dispersion_type)


def quantity_fault(
    name: str,
    unit: str,
    passage: Passage,
    place: tuple[int, int],
    mentions: list[Mention],
    normals: dict[str, NormalText],
) -> str:
    """Why the number at `place` cannot be the quantity, or an empty string."""
    text = passage.normal.text
    source = passage.normal.span(*place)
    read = [m for m in mentions if m.source == passage.source and m.number_span(normals) == source]
    if read:
        if all(m.name != name for m in read):
            return f"the document gives this number for {read[0].name}"
        same = [m for m in read if m.name == name]
        if all(m.arm == REFERENCE for m in same):
            return "the document gives this number for the reference product"
        if all(m.unit is not None and m.unit.text != unit for m in same):
            return f"the document gives this number in {same[0].unit.text}"
        return ""
    a, b = passage.context()
    names = find_parameters(text[a:b])
    wanted = {name} if name != "auc0_t" else {"auc0_t"}
    if not any(p.name in wanted for p in names):
        return f"the passage does not name {name}"
    values = [
        v
        for v in find_values(text[a:b], [(p.start, p.end) for p in names])
        if a + v.start <= place[0] < a + v.end
    ]
    if not values:
        return "the number is part of a name or an interval"
    value = values[0]
    if a + value.start != place[0]:
        return "the number is printed as a dispersion"
    if value.unit is not None and value.unit.text != unit:
        return f"the document gives this number in {value.unit.text}"
    if value.unit is None and unit not in _units(text[a:b]):
        return "the unit is not in the passage"
    return ""


def _units(text: str) -> set[str]:
    found = set()
    for match in re.finditer(r"[a-zA-Zµ(]", text):
        if match.start() == 0 or not text[match.start() - 1].isalnum():
            unit = scan_unit(text, match.start())
            if unit:
                found.add(unit[1].text)
    return found
