"""Which product a value belongs to: words for the test and the reference arm, and aliases a text
defines."""

from __future__ import annotations

import re
from dataclasses import dataclass

TEST, REFERENCE = "test", "reference"
_PRODUCT = (
    r"(?:formulations?|products?|tablets?|capsules?|drugs?|preparations?|treatments?|brands?"
    r"|medications?|generics?|"
    r"suspensions?|solutions?|syrups?|sachets?|versions?|arms?|groups?|articles?|medicines?|ones?"
    r"|combinations?|dosage forms?)"
)
_TEST = (
    rf"(?<![-–] )(?<!\bt[- ])(?<!rank )(?<!sum )(?<!Wilcoxon )(?<!signed )(?<!Student )(?<!['’]s "
    rf")(?<!the same )\b[Tt]est\b(?! (?:was|were) (?:used|applied|performed))(?:\s{_PRODUCT})?"
    rf"|\b[Gg]enerics?\b(?:\s{_PRODUCT})?|\b(?:[Cc]andidate|[Nn]ew|[Nn]ovel|[Ss]tudy|[Tt]rial"
    rf"|[Ll]ocal|[Dd]omestic|[Dd]eveloped|[Ii]nvestigational|[Bb]iosimilar) {_PRODUCT}\b"
    r"|\bbiosimilar\b|\b[Cc]andidate\b|\bnewly developed\b"
)
_REFERENCE = (
    rf"\b[Rr]eference\b(?:\s{_PRODUCT})?|\b[Ii]nnovators?\b(?:'s)?(?:\s{_PRODUCT})?"
    rf"|\b[Oo]riginators?\b(?:'s)?(?:\s{_PRODUCT})?"
    rf"|\b[Cc]omparator\b(?:\s{_PRODUCT})?|\b(?<!test )(?<!local )(?<!two )(?<!reference "
    rf")(?<!each )(?<!either )[Bb]rand(?:ed|[- ]name)?\b(?!s)(?! [A-Z]\b)(?:\s{_PRODUCT})?"
    rf"|\b(?:[Oo]riginal|[Ss]tandard|[Mm]arketed|[Cc]onventional|[Cc]ommercial(?:ly available)?"
    rf"|[Ii]mported|[Cc]omparison|[Rr]egistered|[Pp]roprietary) {_PRODUCT}\b|\boriginal\b(?=,)"
)
_LETTERS = {"T": TEST, "R": REFERENCE}
_FORMS = (
    r"tablet|capsule|suspension|solution|syrup|sachet|granule|film|ODT|pellet|powder|drop|gel|"
    r"chewable|elixir|lozenge"
)
_WORD_TEST = r"(?:test|new|trial|generic|candidate|study|local)"
_WORD_REFERENCE = r"(?:reference|standard|originator|innovator|brand|comparator|original|marketed)"
_DEFINED = re.compile(
    rf"(?P<alias>[\w-]{{1,40}})\s\((?:(?:the|treatment|formulation|product"
    rf"|as)\s)?(?:(?P<letter>[A-Z]|I{{1,2}}|[12]),?\s)?"
    rf"(?P<role>{_WORD_TEST}|{_WORD_REFERENCE}|T|R)\b(?:[\s,][^()]{{0,40}})?\)"
)
_LETTERED = re.compile(
    rf"(?:treatment|formulation|product|preparation|brand)\s(?P<letter>[A-Z]|I{{1,2}}"
    rf"|[12]),\s(?P<role>{_WORD_TEST}|{_WORD_REFERENCE})\b",
    re.I,
)
_ROLE_FIRST = re.compile(
    rf"\b(?P<role>{_WORD_TEST}|{_WORD_REFERENCE})(?:\s\w{{1,30}}){{0,2}}\s?\(\s?(?:(?:formulation"
    rf"|treatment|product|brand)\s)?(?P<letter>(?-i:[A-Z][\w-]{{0,14}})|[12])(?:®|™)?\s?\)",
    re.I,
)
_NO_ALIAS = re.compile(r"C_?max|t_?max|AUC.*|SD|CV|CI|SEM|IQR|GMR|N|RLD|FDC|mg|USA|UK", re.I)
_STATED = re.compile(
    rf"\b(?P<alias>[\w-]{{1,40}})\s(?:is|was|were|being|served as"
    rf"|as)\s(?:the\s)?(?P<role>{_WORD_TEST}|{_WORD_REFERENCE})\b"
    rf"(?:\s\w{{1,30}})?(?:,?\sand\s(?:the\s)?(?:\w{{1,30}}\s)?(?P<alias2>[\w-]{{1,40}})\s(?:(?:is"
    rf"|was|were|as)\s)?(?:the\s)?(?P<role2>{_WORD_TEST}|{_WORD_REFERENCE})\b)?",
    re.I,
)
_EQUIVALENT = re.compile(
    rf"\b(?P<a>{_FORMS})s?\b(?:(?!\b(?:{_FORMS})s?\b)[^.;]){{0,60}}?\b(?:is|are|was"
    rf"|were)\s(?:bio)?equivalent to\b",
    re.I,
)
_WORDS = re.compile(rf"(?P<test>{_TEST})|(?P<reference>{_REFERENCE})")
_RATIO = re.compile(
    r"\b(?:test|generic|T)(?:[ -]to[ -]|[-/])(?:reference|brand|originator"
    r"|R)\b(?=[^.;,]{0,30}\b(?:ratios?|percent))"
    r"|\bratios?\b[^.;,]{0,25}\b(?:test|T)\s?(?:[ -]to[ -]|[-/]|over|and)\s?(?:the )?(?:reference"
    r"|R)\b",
    re.I,
)
_TOO_GENERAL = {
    "product",
    "products",
    "formulation",
    "formulations",
    "drug",
    "preparation",
    "treatment",
    "brand",
    "group",
    "cmax",
    "auc",
    "tmax",
    "mean",
    "values",
    "value",
    "for",
    "of",
    "the",
    "a",
    "an",
    "it",
    "which",
    "ml",
    "mg",
    "h",
    "and",
    "or",
    "with",
    "after",
    "parameters",
    "data",
    "this",
    "that",
    "in",
    "by",
    "subjects",
    "used",
    "tablets a",
    "results",
    "drugs",
    "preparations",
    "compared",
    "given",
    "administered",
    "received",
    "acted",
    "served",
    "such",
    "t",
    "r",
}


@dataclass(frozen=True)
class Arm:
    """A mention of an arm at `start:end`."""

    label: str
    start: int
    end: int


def _role(word: str) -> str:
    if word in _LETTERS:
        return _LETTERS[word]
    return TEST if re.fullmatch(_WORD_TEST, word, re.I) else REFERENCE


def _is_article(text: str, start: int, end: int) -> bool:
    """Whether a lone letter is the word `A` at the start of a sentence, or a unit, rather than a
    label."""
    first = start == 0 or re.search(r"[.:;]\s$", text[:start]) is not None
    return (first and re.match(r"\s[a-z]", text[end:]) is not None) or text[start - 1 : start] in (
        "'",
        "’",
    )


class ArmFinder:
    """Finds arms in a document after learning the aliases that its text defines.

    Examples of definitions: `formulation A (test)`, `as test (A) or reference (B)`, `The syrup
    is the
    test product`. Where one dosage form is named as one arm, the other dosage form is the other
    arm.
    """

    def __init__(self, text: str) -> None:
        self.aliases: dict[str, str] = {}
        for match in _DEFINED.finditer(text):
            self._learn(match["alias"], _role(match["role"]))
            if match["letter"]:
                self._learn(match["letter"], _role(match["role"]))
        for match in (*_ROLE_FIRST.finditer(text), *_LETTERED.finditer(text)):
            self._learn(match["letter"], _role(match["role"]))
        for match in _STATED.finditer(text):
            self._learn(match["alias"], _role(match["role"]))
            if match["alias2"]:
                self._learn(match["alias2"], _role(match["role2"]))
        for match in _EQUIVALENT.finditer(text):
            self._learn(match["a"], TEST)
        if re.search(
            r"\(T\)|\bT/R\b|\bT and R\b|\bproduct T\b|\bR and T\b|\(R\)|\bT vs\.? R\b", text
        ):
            self.aliases.setdefault("T", TEST)
            self.aliases.setdefault("R", REFERENCE)
        self._complement(text)
        names = [re.escape(a) for a in sorted(self.aliases, key=len, reverse=True)]
        words = [n if len(n) <= 3 else f"(?i:{n}s?)" for n in names]
        self._aliased = (
            re.compile(
                rf"(?<![\w/.-])(?:(?:[Tt]reatment|[Ff]ormulation|[Pp]roduct|[Bb]rand"
                rf"|[Pp]reparation|[Tt]ablets?|[Cc]apsules?)\s)?"
                rf"(?:{'|'.join(words)})(?![\w-]|/F|\.\d)"
            )
            if words
            else None
        )

    def _learn(self, alias: str, role: str) -> None:
        if _NO_ALIAS.fullmatch(alias):
            return
        letter = re.fullmatch(r"[A-Z]|I{1,2}", alias) is not None
        if (alias.lower() in _TOO_GENERAL and not letter) or re.fullmatch(
            r"\d{2,}.*|\d+\.\d+", alias
        ):
            return
        singular = re.sub(r"s$", "", alias).lower() if len(alias) > 3 else alias
        if re.fullmatch(rf"{_WORD_TEST}|{_WORD_REFERENCE}", singular, re.I):
            return
        if self.aliases.get(singular, role) != role:
            self.aliases.pop(singular)  # the same word for both arms tells nothing
            return
        self.aliases[singular] = role

    def _complement(self, text: str) -> None:
        forms = [
            f
            for f in dict.fromkeys(
                m.group().lower() for m in re.finditer(rf"\b(?:{_FORMS})", text, re.I)
            )
        ]
        known = {a.lower(): r for a, r in self.aliases.items() if re.fullmatch(_FORMS, a, re.I)}
        others = [f for f in forms if f not in known]
        if len(known) == 1 and len(others) == 1:
            other = REFERENCE if next(iter(known.values())) == TEST else TEST
            self.aliases[others[0]] = other

    def find(self, text: str) -> list[Arm]:
        """Arms in order; names joined into a ratio (`test-to-reference ratio`) are no arms."""
        found = [
            Arm(TEST if m["test"] else REFERENCE, m.start(), m.end()) for m in _WORDS.finditer(text)
        ]
        taken = [(a.start, a.end) for a in found]
        for match in self._aliased.finditer(text) if self._aliased else ():
            if any(s < match.end() and match.start() < e for s, e in taken):
                continue
            if len(match.group()) == 1 and _is_article(text, match.start(), match.end()):
                continue
            token = re.split(r"\s", match.group())[-1]
            label = (
                self.aliases.get(token)
                or self.aliases.get(re.sub(r"s$", "", token.lower()))
                or self.aliases.get(token.lower())
            )
            if label:
                found.append(Arm(label, match.start(), match.end()))
        found.sort(key=lambda arm: arm.start)
        # `the chewable (test) tablet`: a noun right behind an arm belongs to that arm
        found = [
            arm
            for i, arm in enumerate(found)
            if i == 0
            or found[i - 1].label == arm.label
            or not re.fullmatch(r"\)\s", text[found[i - 1].end : arm.start])
        ]
        ratio = [m.span() for m in _RATIO.finditer(text)]
        return [a for a in found if not any(s <= a.start < e for s, e in ratio)]
