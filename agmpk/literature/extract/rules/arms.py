"""Which product a value belongs to: words for the test and the reference arm, and aliases a text
defines."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agmpk.literature.extract.rules.arm_words import (
    ARM_WORDS,
    BRAND_BESIDE,
    DEFINED,
    EQUIVALENT,
    FORMS,
    LETTER_NAMED,
    LETTERED,
    LETTERS,
    NO_ALIAS,
    RATIO,
    REFERENCE,
    REFERENCE_ROLE,
    ROLE_FIRST,
    SECOND,
    STATED,
    TEST,
    TEST_ROLE,
    TOO_GENERAL,
)
from agmpk.literature.extract.rules.lexicon import NOT_DRUGS, is_drug

__all__ = ["REFERENCE", "SECOND", "TEST", "Arm", "ArmFinder"]


@dataclass(frozen=True)
class Arm:
    """A mention of an arm at `start:end`."""

    label: str
    start: int
    end: int


def _role(word: str) -> str:
    if word in LETTERS:
        return LETTERS[word]
    return TEST if re.fullmatch(TEST_ROLE, word, re.I) else REFERENCE


def _is_article(text: str, start: int, end: int) -> bool:
    """Whether a lone letter is the word `A` at the start of a sentence, or a unit, rather than a
    label."""
    if text[start:end] not in ("A", "I"):
        return False
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
        for match in DEFINED.finditer(text):
            self._learn(match["alias"], _role(match["role"]))
            if match["letter"]:
                self._learn(match["letter"], _role(match["role"]))
        for match in (*ROLE_FIRST.finditer(text), *LETTERED.finditer(text)):
            self._learn(match["letter"], _role(match["role"]))
        for match in STATED.finditer(text):
            self._learn(match["alias"], _role(match["role"]))
            if match["alias2"]:
                self._learn(match["alias2"], _role(match["role2"]))
        for match in EQUIVALENT.finditer(text):
            self._learn(match["a"], TEST)
        if re.search(
            r"\(T\)|\bT/R\b|\bT and R\b|\bproduct T\b|\bR and T\b|\(R\)|\bT vs\.? R\b", text
        ):
            self.aliases.setdefault("T", TEST)
            self.aliases.setdefault("R", REFERENCE)
        for match in BRAND_BESIDE.finditer(text):
            if not is_drug(match["brand"]) and match["brand"].lower() not in NOT_DRUGS:
                self._learn(match["brand"], REFERENCE)
        self._numbered(text)
        self._partners(text)
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
        if NO_ALIAS.fullmatch(alias):
            return
        letter = re.fullmatch(r"[A-Z]|I{1,2}", alias) is not None
        if (alias.lower() in TOO_GENERAL and not letter) or re.fullmatch(
            r"\d{2,}.*|\d+\.\d+", alias
        ):
            return
        singular = re.sub(r"s$", "", alias).lower() if len(alias) > 3 else alias
        if re.fullmatch(rf"{TEST_ROLE}|{REFERENCE_ROLE}", singular, re.I):
            return
        if self.aliases.get(singular, role) != role:
            self.aliases.pop(singular)  # the same word for both arms tells nothing
            return
        self.aliases[singular] = role

    def _numbered(self, text: str) -> None:
        """Several test products: `T1, T2 and R`; `brand A and brand B`, where brand C is the
        reference."""
        if re.search(r"\bT1\b", text) and re.search(r"\bT2\b", text):
            self.aliases |= {"T1": TEST, "T2": SECOND, "T3": SECOND}
            if re.search(r"\bR\b", text):
                self.aliases.setdefault("R", REFERENCE)
        letters = list(dict.fromkeys(m["letter"] for m in LETTER_NAMED.finditer(text)))
        roles = {self.aliases.get(a) for a in letters}
        if len(letters) == 3 and roles == {None, REFERENCE}:
            unnamed = [a for a in letters if a not in self.aliases]
            self.aliases |= dict(zip(unnamed, (TEST, SECOND), strict=False))

    def _partners(self, text: str) -> None:
        """`Simvas and Zocor`, where Zocor is the reference: the other brand is the test."""
        for name, role in list(self.aliases.items()):
            if len(name) < 4 or re.fullmatch(FORMS, name, re.I):
                continue
            pair = re.search(
                rf"\b(?:(?P<a>[A-Z][a-z]{{3,20}})\s(?:and|or|vs\.?|versus)\s{re.escape(name)}\b"
                rf"|{re.escape(name)}\s(?:and|or|vs\.?|versus)\s(?P<b>[A-Z][a-z]{{3,20}})\b)",
                text,
                re.I,
            )
            other = (pair["a"] or pair["b"]) if pair else None
            if other and other[0].isupper() and other.lower() not in self.aliases:
                self._learn(other, REFERENCE if role == TEST else TEST)

    def _complement(self, text: str) -> None:
        forms = [
            f
            for f in dict.fromkeys(
                m.group().lower() for m in re.finditer(rf"\b(?:{FORMS})", text, re.I)
            )
        ]
        known = {a.lower(): r for a, r in self.aliases.items() if re.fullmatch(FORMS, a, re.I)}
        others = [f for f in forms if f not in known]
        if len(known) == 1 and len(others) == 1:
            other = REFERENCE if next(iter(known.values())) == TEST else TEST
            self.aliases[others[0]] = other

    def find(self, text: str) -> list[Arm]:
        """Arms in order; names joined into a ratio (`test-to-reference ratio`) are no arms."""
        found = [
            Arm(TEST if m["test"] else REFERENCE, m.start(), m.end())
            for m in ARM_WORDS.finditer(text)
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
        ratio = [m.span() for m in RATIO.finditer(text)]
        return [a for a in found if not any(s <= a.start < e for s, e in ratio)]
