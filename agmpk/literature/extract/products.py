"""Test and reference: by the usual words, and by what a document calls its two products."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from agmpk.literature.extract.tokens import REFERENCE, TEST, any_of, find_names, words

_FORM = any_of("form")
_USUAL = re.compile(f"(?P<test>{any_of('test')})|(?P<reference>{any_of('reference')})", re.I)
_ROLE = rf"(?P<role>{any_of('role')})\b"
_DECLARED = (  # `Glizon (Medex) as the test product`, `syrup (test)`; `test (A)`, `test tablet, T`
    rf"\b(?<![\w-])(?P<name>[A-Z][\w-]{{0,30}}|[a-z]{{4,30}})®?(?: {_FORM})?\s?"
    rf"(?:\((?!test|ref|the)[^()]{{0,40}}\) )?"
    rf"(?:as|\(|,|:|is|was|are|were|being|=)\s?(?:as )?(?:an? |the )?(?:new )?{_ROLE}"
    r"(?! (?:and|or|vs\.?) (?:the )?(?:ref|test|brand|innov|gen))"
    r"(?:[ \w]*[,)]| and| tablet| product| formul| capsule| drug|\.|$)",
    rf"\b{_ROLE}(?: {_FORM})?(?: {_FORM})?\s?[(\[,]\s?(?:{_FORM} )?"
    r"(?P<name>[A-Z]|[A-Z][a-z][\w-]+)®?\s?[)\],;]",
)
_NO_NAME = set(words("no_name"))
_TRADE = (
    r"(?:compared (?:with|to)|versus|vs\.?|against|replace|and) ([A-Z][a-z][\w-]+)\b"
    r"|(?<![\w-])([A-Z][\w-]{1,30})\s?[®™]"
)
_BESIDE = re.compile(  # `test and reference`, `T/R`: between two products
    r"[^.;:\d]{0,45}?(?:\b(?:and|or|vs|versus|then)\b|[/,-])[^;:\d]{0,22}"
)


@dataclass(frozen=True)
class Mark:
    """A product named at `start:end`; two side by side (`test and reference`) set an order."""

    arms: tuple[str, ...]
    start: int
    end: int


class Products:
    """Finds which product a stretch of text speaks of, with what a document calls its two."""

    def __init__(self, text: str) -> None:
        self.names: dict[str, str] = {}
        unclear = set()
        for match in (m for p in _DECLARED for m in re.finditer(p, text)):
            name = match["name"].rstrip("s") if match["name"].islower() else match["name"]
            other = re.match(r"ref|innov|orig|brand|compar|stand|market|import", match["role"])
            arm, against = (REFERENCE, "(?:test|generic|new)") if other else (TEST, "reference")
            if name in _NO_NAME or find_names(name):
                continue
            # `the test tablet` beside `tablet (reference)` is a word for both
            if self.names.setdefault(name, arm) != arm or re.search(
                rf"\b{against} (?:\w+ )?{re.escape(name)}", text, re.I
            ):
                unclear.add(name)
        self.names = {name: arm for name, arm in self.names.items() if name not in unclear}
        if re.search(r"\((?:T|R)\)|\bT (?:and|vs\.?|or|\|) R\b|\bT:", text):
            self.names = {"T": TEST, "R": REFERENCE} | self.names
        for first, second in re.findall(_TRADE, text):  # beside a generic it is the reference
            name = first or second
            often = len(re.findall(rf"\b{name}\b", text)) > 1 and name.lower() not in text
            if often and not find_names(name) and re.search(r"\b(?:test|generic)", text, re.I):
                self.names.setdefault(name, REFERENCE)
        known = sorted(self.names, key=len, reverse=True)
        words = "|".join(re.escape(n) + ("s?" if n.islower() else "") for n in known)
        self._named = re.compile(rf"(?<!-)\b(?:{words})\b(?![-/]\d)" if words else r"(?!)")

    def find(self, text: str) -> list[Mark]:
        """Marks in order; products side by side (`test and reference`) become one mark."""
        found = [Mark((m.lastgroup or "",), *m.span()) for m in _USUAL.finditer(text)]
        for m in self._named.finditer(text):
            arm = self.names.get(m.group()) or self.names[m.group().rstrip("s")]
            found.append(Mark((arm,), *m.span()))
        marks: list[Mark] = []
        for mark in sorted(found, key=lambda m: (m.start, -m.end)):
            last = marks[-1] if marks else Mark((), 0, 0)
            gap = re.sub(r"\([^()]{0,30}\)", "", text[last.end : mark.start])
            again = mark.arms == last.arms[-1:] and len(gap) < 25
            if mark.start < last.end:
                continue
            if again and not re.search(r"[\d.;:]|\band\b", gap):
                marks[-1] = replace(last, end=mark.end)
            elif (
                len(last.arms) == 1
                and not find_names(gap)
                and (_BESIDE.fullmatch(gap) or (gap == "; " and text[last.start - 1] == "("))
            ):
                marks[-1] = Mark(last.arms + mark.arms, last.start, mark.end)
            else:
                marks.append(mark)
        return marks
