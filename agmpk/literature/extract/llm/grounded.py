"""From a model's answer to a record: only what stands in the document under its own name is
taken."""

from __future__ import annotations

import math
import re

from agmpk.literature.document import Document
from agmpk.literature.extract.llm.answers import Amount, Count, ExtractionAnswer, Quantity, Text
from agmpk.literature.extract.llm.fault import quantity_fault
from agmpk.literature.extract.rules.arms import ArmFinder
from agmpk.literature.extract.rules.compound import AnalyteFinder, find_compound
from agmpk.literature.extract.rules.engine import all_mentions
from agmpk.literature.extract.rules.route import supports_route
from agmpk.literature.extract.rules.subject_words import WHO
from agmpk.literature.extract.schema import QUANTITIES, Extraction, Rejection, Span
from agmpk.literature.ground.locate import Passage, locate
from agmpk.literature.text import normalize, parse_unit, scan_unit, word_number
from agmpk.literature.text.numbers import WORD_NUMBER

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
