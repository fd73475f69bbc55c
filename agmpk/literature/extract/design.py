"""What a study was: compound, dose, number of subjects and route, each with the place it stands at.

Where a text says two things (two doses, a count per group) the clearest one is taken and flagged,
or nothing is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from agmpk.literature.extract.tokens import any_of, words
from agmpk.literature.text import NUMBER_TEXT, WORD_NUMBER, word_number
from agmpk.literature.units import Unit, scan_unit

_STEMS, _NAMES, _NEVER = (set(words(name)) for name in ("stems", "names", "never"))
SALTS, _ESTERS = set(words("salts")), set(words("esters"))
WHO = any_of("who")
_STEM = re.compile(rf"[a-z-]{{2,}}{any_of('stems')}|(?:cef|sulfa)[a-z]{{3,}}")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*")
_METABOLITE = re.compile(rf"\b{any_of('metabolite')}\b")


@dataclass(frozen=True)
class Found:
    """A value (None where it is not clear) with the source and spans it was read from; `flag` says
    what was in doubt."""

    value: object
    source: str
    spans: tuple[tuple[int, int], ...]
    unit: str | None = None
    flag: str = ""


# ------------------------------------------------------------------------ compound and analytes
def _drugs(text: str) -> list[re.Match[str]]:
    """The words of `text` that are known drug names or carry an INN stem; trade names do not."""

    def known(word: str) -> bool:
        if word in _NEVER | SALTS or len(word) < 5 or word.endswith("ivalent"):
            return False
        return word in _NAMES or (len(word) > 6 and word in _STEMS) or bool(_STEM.fullmatch(word))

    return [m for m in _WORD.finditer(text) if known(m.group().lower())]


def find_compound(title: str, abstract: str) -> Found:
    """The first drug name of the title, else the most frequent of the abstract."""
    source, text, drugs = "title", title, _drugs(title)
    if not drugs:
        source, text, drugs = "abstract", abstract, _drugs(abstract)
        all_names = [m.group().lower() for m in drugs]
        drugs.sort(key=lambda m: -all_names.count(m.group().lower()))
    if not drugs:
        return Found(None, source, (), flag="no known drug name in title or abstract")
    name, (start, end) = drugs[0].group(), drugs[0].span()
    more = re.compile(r" ([A-Za-z]+)").match(text, end)
    if more and more[1].lower() in _ESTERS:
        name, end = f"{name} {more[1]}", more.end()
    if "-" in name and all(map(_drugs, name.split("-"))):  # artesunate-mefloquine: the first
        name = name.split("-")[0]
        end = start + len(name)
    return Found(name.lower(), source, ((start, end),))


def find_analytes(text: str, compound: str) -> list[str]:
    """The analytes that `text` names, in order; the studied compound itself is the empty name."""
    found = sorted([*_METABOLITE.finditer(text), *_drugs(text)], key=lambda m: m.start())
    names = [m.group().lower() for m in found]
    same = compound[:6] or "-"
    return ["" if n.startswith(same) and not n.endswith("at") else n for n in names]


# ------------------------------------------------------------------------------------- the dose
_AMOUNT = re.compile(rf"(?<![\w./±-])({NUMBER_TEXT})(?:\s?/\s?{NUMBER_TEXT})*[\s-]?")
_NO_DOSE = re.compile(r"(?:weigh\w*|LLOQ|[<>≤≥±]|\d ?-|range of)\s?$")
_GIVEN = re.compile(rf"\b{any_of('given')}", re.I)
_GIVEN_BEHIND = re.compile(rf"[\s-]*(?:single |oral )*{any_of('given_behind')}")
_SEVERAL = re.compile(rf"\b(?!one |1 )(?:\d|{WORD_NUMBER}){any_of('several')}$", re.I)
_STRENGTH = re.compile(r"[\s-]*(?:[a-z-]+ ){0,2}(?:tablets?|capsules?|strength)")


def amounts(text: str) -> Iterator[tuple[float, Unit, int, int]]:
    """`(number, unit, start, end)` of every mass, activity or mass per weight, in order."""
    for match in _AMOUNT.finditer(text):
        end, unit = scan_unit(text, match.end()) or (0, None)
        if unit and unit.kind in ("mass", "mass/weight"):
            yield float(match[1]), unit, match.start(), end


def find_dose(texts: dict[str, str]) -> Found | None:
    """The amount given on one occasion: from a sentence that speaks of giving, else the first one.

    Where several units of it were taken (`two 500-mg tablets`) nothing is: the dose may be the sum.
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
            options.append((rank, found))
            if times := _SEVERAL.search(before):
                units = re.search(r"(?:tablet|capsule|dose|sachet)s\b", times.group() + after[:24])
                if (given and units) or times.group().rstrip()[-1] in "×x*":
                    several.add(_mg(found))
    if not options:
        return None
    top, dose = max(options, key=lambda o: o[0])
    if _mg(dose) in several:
        return replace(dose, value=None, unit=None, flag="several units of it may have been taken")
    others = {_mg(d) for rank, d in options if rank == top or d.source == "title"}
    return replace(dose, flag="several amounts are named" if others > {_mg(dose)} else "")


def _mg(dose: Found) -> float:
    return float(dose.value) * {"g": 1e3, "µg": 1e-3}.get(dose.unit or "", 1.0)  # type: ignore[arg-type]


# --------------------------------------------------------------------------- subjects and route
_N = rf"(?:\b\d{{1,4}}|{WORD_NUMBER})"
_WHOLE = {"sum": 1.4, "enrolled": 3.0, "groups": 2.7, "people": 2.0, "n": 1.5}  # how clear
_COUNTS = re.compile(
    "|".join(f"(?P<{k}>{any_of(f'count_{k}')})" for k in _WHOLE).replace("#", _N), re.I
)
_DONE, _ENTERED = re.compile(any_of("done")), re.compile(any_of("entered"))
_NOT_THE_STUDY = re.compile(any_of("not_the_study"))


def _count(text: str) -> int:
    return int(text) if text.isdigit() else word_number(text) or 0


def find_subjects(texts: dict[str, str]) -> Found | None:
    """Subjects enrolled: a total, else a sum of men and women; where only completers or groups are
    counted nothing is clear."""
    options: list[tuple[float, Found]] = []
    for source, text in texts.items():
        for m in _COUNTS.finditer(text):
            score, flag = _WHOLE[m.lastgroup], ""
            numbers = list(re.compile(_N, re.I).finditer(text, *m.span()))
            numbers = numbers if m.lastgroup == "sum" else numbers[:1]
            number = sum(_count(n.group()) for n in numbers)
            if m.lastgroup == "groups":
                number, numbers, flag = None, [], "groups are counted, and no total"
            elif m.lastgroup in ("people", "n"):
                lead = re.split(r"[.;]", text[max(0, m.start() - 40) : m.start()])[-1]
                clause = re.split(r"[.;,]| and ", text[m.end() : m.end() + 50])[0]
                if _NOT_THE_STUDY.match(text, m.end()) or re.search(r"\d (?:to|-) $", lead):
                    continue
                entered = _ENTERED.search(clause)
                if _DONE.search(clause) and not entered:
                    score, flag = score - 1.0, "completed"
                elif entered or _ENTERED.search(lead):
                    score += 0.6
            if number is None or 3 <= number <= 5000:
                spans = tuple(n.span() for n in numbers)
                options.append((score, Found(number, source, spans, flag=flag)))
    if not options:
        return None
    top, best = max(options, key=lambda o: o[0])
    unclear = any(score == top > 2 and f.value != best.value for score, f in options)
    return replace(best, flag=best.flag or "another count is named" * unclear)


_ROUTES = "intravenous subcutaneous intramuscular inhaled topical other oral".split()


def find_route(texts: dict[str, str], routes: list[str] = _ROUTES) -> Found | None:
    """The first of `routes` that the title, else the text names; a tablet or fasting says oral."""
    for words_of in (any_of, lambda route: any_of("oral_form") if route == "oral" else "(?!)"):
        for source, text in texts.items():
            for route in routes:
                if match := re.search(words_of(route), text, re.I):
                    return Found(route, source, (match.span(),))
    return None
