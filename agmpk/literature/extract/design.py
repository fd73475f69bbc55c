"""What a study was: compound, dose, number of subjects and route, each with the place it stands at.

Where a text says two things (two doses, a count per group) the clearest one is taken and flagged,
or nothing is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from agmpk.literature.extract.tokens import any_of, words
from agmpk.literature.text import WORD_NUMBER, word_number

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
    rf"\b(?!one |1 )(?:\d|{WORD_NUMBER})(?:\s?[×x*]\s?|\s(?:of )?(?:[a-z]+ )?"
    r"|\s(?:tablets|capsules) (?:of|containing) )$",
    re.I,
)
_STRENGTH = re.compile(r"[\s-]*(?:[a-z-]+ ){0,2}(?:tablets?|capsules?|strength)")
_UNITS = {"mcg": "µg", "ug": "µg", "microgram": "µg", "milligram": "mg", "U/kg": "IU/kg"}


def find_dose(texts: dict[str, str]) -> Found | None:
    """The amount given on one occasion: from a sentence that speaks of giving, else the first one.

    Where several units of it were taken (`two 500-mg tablets`) nothing is: the dose may be the sum.
    """
    options: list[tuple[int, Found]] = []
    several = set()
    for source, text in texts.items():
        for match in _AMOUNT.finditer(text):
            start, end = match.span()
            before = re.split(r"[.;]\s", text[max(0, start - 90) : start])[-1]
            after = text[end : end + 40]
            if _NO_DOSE.search(before):
                continue
            given = bool(_GIVEN.search(before) or _GIVEN_BEHIND.match(after))
            rank = 3 * given + (source == "title") - bool(_STRENGTH.match(after))
            unit = _UNITS.get(match["unit"].rstrip("s"), match["unit"])
            found = Found(float(match["n"]), source, (match.span(),), unit)
            options.append((rank, found))
            if times := _TIMES.search(before):
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
_N = rf"\d{{1,4}}|{WORD_NUMBER}"
_SEX = r"(?:healthy )?(?:men|women|(?:fe)?males?)"
_NO_ADJECTIVE = "of h hours days? weeks? mg to periods? and tablets? were received in with".split()
_COUNTS = tuple(  # (how clear, pattern); counts of a pattern are added up, without one all is open
    (clear, re.compile(pattern, re.I))
    for clear, pattern in (
        (1.4, rf"\b({_N}) {_SEX},?(?: and)? ({_N}) {_SEX}\b"),  # 14 women and 14 men
        (2.7, rf"\b(?:{_N}) (?:{WHO} )?(?:were )?(?:received|given|took|\w+ed to) (?:the )?test\b"),
        (2.7, rf"\b(?:{_N}) and (?:{_N}) (?:[\w-]+ ){{0,3}}{WHO}\b"),
        (3.0, rf"(?:of (?:whom|them|which)|and|,),? ({_N})(?: {WHO})? were "
              r"(?:enrol\w*|random\w*|included)(?! in (?:the )?(?:\w+ ){0,2}anal)"),
        (2.0, rf"(?<![\w.,/±-])({_N}) (?:(?!(?:{'|'.join(_NO_ADJECTIVE)})\b)\(?[A-Za-z][\w-]*"
              rf"\)?,? ){{0,5}}?{WHO}\b"),
        (2.0, rf"\b{WHO} ?\((\d{{1,4}})\)"),
        (1.5, r"\bn\s?=\s?(\d{1,4})\b(?!\s?%)"),
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
    """Subjects enrolled: a total, else a sum of men and women; where only completers or groups are
    counted nothing is clear."""
    options: list[tuple[float, Found]] = []
    for source, text in texts.items():
        summed: set[int] = set()  # places that are part of a sum
        for clear, pattern in _COUNTS:
            for m in pattern.finditer(text):
                spans = m.regs[1:]
                number = sum(_count(text[a:b]) or 0 for a, b in spans) if spans else None
                score, flag = clear, "" if spans else "groups are counted, and no total"
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
                        score, flag = clear - 1.0, "completed"
                    elif entered or _IN.search(lead):
                        score += 0.6
                if number is None or 3 <= number <= 5000:
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
