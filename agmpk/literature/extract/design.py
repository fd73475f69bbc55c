"""What a study was: compound, dose, number of subjects and route, each with the place it stands at.

Where a text says two things (two doses, a count per group) the clearest one is taken and flagged,
or nothing is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from agmpk.literature.extract.lexicon import any_of, words
from agmpk.literature.text import WORD_NUMBER, word_number

_STEMS, _NAMES, _NEVER = (set(words(name)) for name in ("stems", "names", "never"))
SALTS, _ESTERS = set(words("salts")), set(words("esters"))
WHO = any_of("who")
_STEM = re.compile(rf"[a-z-]{{2,}}{any_of('stems')}|(?:cef|sulfa)[a-z]{{3,}}")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*")


@dataclass(frozen=True)
class Found:
    """A value with the source and spans it was read from; `flag` says what was in doubt."""

    value: object
    source: str
    spans: tuple[tuple[int, int], ...]
    unit: str | None = None
    flag: str = ""


# ------------------------------------------------------------------------ compound and analytes
def is_drug(word: str) -> bool:
    """Whether `word` is a known drug name or carries an INN stem."""
    low = word.lower()
    if low in _NEVER | SALTS or len(low) < 5 or low.endswith("ivalent"):
        return False
    known = low in _NAMES or (len(low) > 6 and low in _STEMS)
    return known or _STEM.fullmatch(low) is not None


def find_compound(title: str, abstract: str) -> Found | None:
    """The first drug name of the title, else the most frequent of the abstract.

    Trade names are never printed in lower case, so a word without an INN stem counts only where the
    title gives it a dose or form and the abstract repeats it in lower case.
    """
    source, text = "title", title
    drugs = [m for m in _WORD.finditer(title) if is_drug(m.group())]
    if not drugs:
        form = r"\b([A-Za-z][a-z]{4,})(?= (?:\d|tablets?|capsules?|oral|suspension|injection))"
        typed = [m for m in re.finditer(form, title) if m[1].lower() not in _NEVER]
        drugs = [m for m in typed if len(re.findall(rf"\b{m[1].lower()}\b", abstract)) > 1]
    if not drugs:
        source, text = "abstract", abstract
        drugs = [m for m in _WORD.finditer(text) if is_drug(m.group())]
        all_names = [m.group().lower() for m in drugs]
        drugs.sort(key=lambda m: -all_names.count(m.group().lower()))
    if not drugs:
        return None
    name, (start, end) = drugs[0].group(), drugs[0].span()
    more = re.compile(r" ([A-Za-z]+)").match(text, end)
    if more and more[1].lower() in _ESTERS:
        name, end = f"{name} {more[1]}", more.end()
    first, *others = name.split("-")
    if others and all(map(is_drug, (first, *others))):  # artesunate-mefloquine: the first
        name, end = first, start + len(first)
    return Found(name.lower(), source, ((start, end),))


class Analytes:
    """Finds which analyte a stretch of text speaks of; the empty name is the studied compound."""

    _METABOLITE = re.compile(rf"\b{any_of('metabolite')}\b")

    def __init__(self, compound: Found | None) -> None:
        self.main = str(compound.value).split()[0] if compound else ""

    def find(self, text: str) -> list[tuple[int, str]]:
        """`(position, analyte)` in order."""
        found = {m.start(): m.group().lower() for m in self._METABOLITE.finditer(text)}
        for match in _WORD.finditer(text):
            if is_drug(match.group()):
                found.setdefault(match.start(), match.group().lower())
        same = self.main[:6] or "-"
        return [
            (at, "" if name.startswith(same) and not name.endswith("at") else name)
            for at, name in sorted(found.items())
        ]


# ------------------------------------------------------------------------------------- the dose
_AMOUNT = re.compile(
    r"(?<![\w./±-])(?P<n>\d+(?:\.\d+)?)(?:\s?/\s?\d+(?:\.\d+)?)*[\s-]?(?P<unit>(?:mg|µg|IU|U)/kg|mg/m2"
    r"|mg|µg|mcg|ug|micrograms?|milligrams?|g|IU)\b(?!\s?(?:/|·|\*|per\b|×)\s?(?:d?L|m[lL]|h\b|min\b)"
    r"|\s?h?[·.* ]?\s?h?/?m[lL]|\sm[lL]-)"
)
_NO_DOSE = re.compile(r"(?:weigh\w*|LLOQ|[<>≤≥±]|\d ?-|range of)\s?$")
_GIVEN = re.compile(rf"\b{any_of('given')}", re.I)
_GIVEN_BEHIND = re.compile(
    r"[\s-]*(?:single |oral )*(?:doses?\b|(?:tablets |capsules )?(?:was|were) "
    r"(?:given|taken|admin\w+)|once|twice|\((?:\d|two))"
)
_TIMES = re.compile(  # `2 x`, `two`, `three tablets of` before an amount
    rf"\b(?P<k>\d|{WORD_NUMBER})(?:(?P<x>\s?[×x*]\s?)|\s(?:of )?(?:[a-z]+ )?"
    r"|\s(?:tablets|capsules) (?:of|containing) )$",
    re.I,
)
_STRENGTH = re.compile(r"[\s-]*(?:[a-z-]+ ){0,2}(?:tablets?|capsules?|strength)")
_UNITS = {"mcg": "µg", "ug": "µg", "microgram": "µg", "milligram": "mg", "U/kg": "IU/kg"}


def find_dose(texts: dict[str, str]) -> Found | None:
    """The amount given on one occasion: from a sentence that speaks of giving, else the first one.

    `two 500-mg tablets` and `2 x 500 mg` are multiplied where the sentence says they were taken.
    """
    options: list[tuple[int, Found]] = []
    for source, text in texts.items():
        for match in _AMOUNT.finditer(text):
            start, end = match.span()
            before = re.split(r"[.;]\s", text[max(0, start - 90) : start])[-1]
            after = text[end : end + 40]
            if _NO_DOSE.search(before):
                continue
            given = bool(_GIVEN.search(before) or _GIVEN_BEHIND.match(after))
            times, factor, spans = _TIMES.search(before), 1, ((start, end),)
            if times and (times["x"] or given):
                plural = re.search(r"tablets|capsules", times.group() + after[:24])
                # `bioequivalence of two 50 mg tablets` counts products
                products = re.search(r"(?:of|between|compar\w+|the) $", before[: times.start()])
                count = _count(times["k"]) or 1
                taken = times["x"] or (plural and not (products and count == 2))
                factor = count if taken and 2 <= count <= 12 else 1
            if factor > 1:
                first = start - len(before) + times.start("k")
                spans = ((first, first + len(times["k"])), *spans)
            strength = factor == 1 and _STRENGTH.match(after) is not None
            rank = 3 * given + 2 * (factor > 1) + (source == "title") - strength
            unit = _UNITS.get(match["unit"].rstrip("s"), match["unit"])
            options.append((rank, Found(float(match["n"]) * factor, source, spans, unit)))
    if not options:
        return None
    top, dose = max(options, key=lambda o: o[0])
    if len(dose.spans) > 1:  # `1 g (four 250 mg capsules)`: the printed total
        return next((d for _, d in options if len(d.spans) == 1 and _mg(d) == _mg(dose)), dose)
    others = {_mg(d) for rank, d in options if rank == top or d.source == "title"}
    return replace(dose, flag="several amounts are named" if others > {_mg(dose)} else "")


def _mg(dose: Found) -> float:
    return float(dose.value) * {"g": 1e3, "µg": 1e-3}.get(dose.unit or "", 1.0)  # type: ignore[arg-type]


# --------------------------------------------------------------------------- subjects and route
_N = rf"\d{{1,4}}|{WORD_NUMBER}"
_SEX = r"(?:healthy )?(?:men|women|(?:fe)?males?)"
_TO = r"(?:received|given|took|(?:allocated|randomi[sz]ed|assigned) to) (?:the )?"
_NO_ADJECTIVE = "of h hours days? weeks? mg to periods? and tablets? were received in with".split()
_COUNTS = tuple(  # (how clear, what to say, pattern); the groups of a pattern are added up
    (clear, flag, re.compile(pattern, re.I))
    for clear, flag, pattern in (
        (1.4, "", rf"\b({_N}) {_SEX},?(?: and)? ({_N}) {_SEX}\b"),  # 14 women and 14 men
        (2.6, "", rf"\b({_N}) (?:{WHO} )?(?:were )?{_TO}(?:test|generic|biosimilar)\b[^.;]{{0,40}}?"
                  rf" and ({_N})\b[^.;]{{0,40}}?(?:reference|brand|innov|orig)"),
        (3.0, "", rf"(?:of (?:whom|them|which)|and|,),? ({_N})(?: {WHO})? were "
                  r"(?:enrol\w*|random\w*|included)(?! in (?:the )?(?:\w+ ){0,2}anal)"),
        (2.7, "two groups are counted",
         rf"\b({_N}) and (?:{_N}) (?:[\w-]+ ){{0,3}}{WHO}\b(?=[^.]{{0,80}}(?:respectively|fast))"),
        (2.0, "", rf"(?<![\w.,/±-])({_N}) (?:(?!(?:{'|'.join(_NO_ADJECTIVE)})\b)\(?[A-Za-z][\w-]*"
                  rf"\)?,? ){{0,5}}?{WHO}\b"),
        (2.0, "", rf"\b{WHO} ?\((\d{{1,4}})\)"),
        (1.5, "", r"\bn\s?=\s?(\d{1,4})\b(?!\s?%)"),
    )
)  # fmt: skip
_DONE = re.compile(r"complet|finish|analy[sz]|evaluat|withdr|dropped|excluded|discontinu")
_IN = re.compile(
    r"enrol|randomi|includ\w*(?! in (?:the )?(?:\w+ ){0,2}anal)|recruit|particip|took part|total of"
)
_NOT_THE_STUDY = re.compile(
    r" ?\(\d+(?:\.\d+)? ?%|[^.,;]{0,15}screened"
    r"| (?:reported|experienced|had|withdrew|vomited|showed)| (?:per (?!study)|in each)"
)


def _count(text: str) -> int | None:
    return int(text) if text.isdigit() else word_number(text)


def find_subjects(texts: dict[str, str]) -> Found | None:
    """Subjects enrolled: a total, else a sum of two groups; a count per group alone is unclear."""
    options: list[tuple[float, Found]] = []
    for source, text in texts.items():
        summed: set[int] = set()  # places that are part of a sum
        for clear, flag, pattern in _COUNTS:
            for m in pattern.finditer(text):
                spans = m.regs[1:]
                number = sum(_count(text[a:b]) or 0 for a, b in spans)
                score, said = clear, flag
                if len(spans) > 1:
                    summed |= set(range(*m.span()))
                elif clear <= 2.0:
                    lead = re.split(r"[.;]", text[max(0, m.start() - 40) : m.start()])[-1]
                    clause = re.split(r"[.;,]| and ", text[m.end() : m.end() + 50])[0]
                    other = _NOT_THE_STUDY.match(text, m.end()) or re.search(r"\d (?:to|-) $", lead)
                    if other or m.start() in summed:
                        continue
                    entered = _IN.search(clause)
                    if _DONE.search(clause) and not entered:
                        score, said = clear - 1.0, "completed"
                    elif entered or _IN.search(lead):
                        score += 0.6
                if 3 <= number <= 5000:
                    options.append((score, Found(number, source, spans, flag=said)))
    if not options:
        return None
    top, best = max(options, key=lambda o: o[0])
    if best.flag:
        return best
    fewer = [f.value for _, f in options if f.flag == "completed" and f.value < best.value]
    unclear = any(score == top > 2 and f.value != best.value for score, f in options)
    completed = f"{max(fewer)} completed" if fewer else ""
    return replace(best, flag="another count is named" if unclear else completed)


_ROUTES = "intravenous subcutaneous intramuscular inhaled topical other oral".split()
_ORAL_FORM = rf"\b{any_of('oral_form')}\b"


def route_evidence(route: str, texts: dict[str, str]) -> Found | None:
    """A word that says `route`, in the first source that has one; oral forms say oral."""
    for pattern in (any_of(route), _ORAL_FORM)[: 1 + (route == "oral")]:
        for source, text in texts.items():
            match = re.search(pattern, text, re.I)
            if match:
                return Found(route, source, (match.span(),))
    return None


def find_route(texts: dict[str, str]) -> Found | None:
    """The route the title, else the text names; an oral form in the title outweighs injections."""
    form = re.search(_ORAL_FORM, texts.get("title", ""), re.I)
    for source, text in texts.items():
        named = [f for route in _ROUTES if (f := route_evidence(route, {source: text}))]
        if named:
            oral = named[-1].value == "oral" and form and named[0].value != "other"
            return named[-1] if oral else named[0]
    return None
