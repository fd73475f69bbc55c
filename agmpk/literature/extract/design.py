"""What a study was: compound, dose, number of subjects and route, each with the place it stands at.

Where a text says two things (two doses, a count per group) the clearest one is taken and flagged,
or nothing is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from importlib.resources import files

import yaml

from agmpk.literature.text import WORD_NUMBER, word_number

_LEXICON = yaml.safe_load(files(__package__).joinpath("lexicon.yaml").read_text(encoding="utf-8"))
_LISTS = {name: words.split() for name, words in _LEXICON.items()}
SALTS = tuple(_LISTS["salts"])
_STEM = re.compile(rf"[a-z-]{{2,}}(?:{'|'.join(_LISTS['stems'])})|(?:cef|sulfa)[a-z]{{3,}}")
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
    if low in _LISTS["never"] or low in SALTS or len(low) < 5 or low.endswith("ivalent"):
        return False
    known = low in _LISTS["names"] or (len(low) > 6 and low in _LISTS["stems"])
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
        words = [m for m in re.finditer(form, title) if m[1].lower() not in _LISTS["never"]]
        drugs = [m for m in words if len(re.findall(rf"\b{m[1].lower()}\b", abstract)) > 1]
    if not drugs:
        source, text = "abstract", abstract
        drugs = [m for m in _WORD.finditer(text) if is_drug(m.group())]
        words = [m.group().lower() for m in drugs]
        drugs.sort(key=lambda m: -words.count(m.group().lower()))
    if not drugs:
        return None
    name, (start, end) = drugs[0].group(), drugs[0].span()
    more = re.compile(r" ([A-Za-z]+)").match(text, end)
    if more and more[1].lower() in _LISTS["esters"]:
        name, end = f"{name} {more[1]}", more.end()
    first, *others = name.split("-")
    if others and all(map(is_drug, (first, *others))):  # artesunate-mefloquine: the first
        name, end = first, start + len(first)
    return Found(name.lower(), source, ((start, end),))


class Analytes:
    """Finds which analyte a stretch of text speaks of; the empty name is the studied compound."""

    _METABOLITE = re.compile(
        r"\b(?:(?:nor|desmethyl|hydroxy|dihydro|desacetyl|\d-hydroxy|carboxy|dehydro)-?[a-z]{4,30}"
        r"|[\w-]+ glucuronide|[A-Z]{2,4}-?\d{2,}\w*|R-\d+|M\d|MHD|MPA"
        r"|(?:active |major )?metabolite)\b"
    )

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
_GIVEN = re.compile(
    r"\b(?:receiv|administ|took|taken|taking|swallow|given|gave|ingest|single|dos(?:e|ed|ing)\b|inject"
    r"|drank|after)",
    re.I,
)
_GIVEN_BEHIND = re.compile(
    r"[\s-]*(?:single |oral )*(?:doses?\b|(?:tablets |capsules )?(?:was|were) "
    r"(?:given|taken|admin\w+)|once|twice|\((?:\d|two))"
)
_TIMES = re.compile(  # `2 x`, `two`, `three tablets of` before an amount
    rf"\b(?P<k>\d|{WORD_NUMBER})(?:(?P<x>\s?[×x*]\s?)|\s(?:of )?(?:[a-z]+ )?"
    r"|\s(?:tablets|capsules) (?:of|containing) )$",
    re.I,
)
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
                if times["x"] or (plural and not (products and count == 2)):
                    factor = count if 2 <= count <= 12 else 1
            if factor > 1:
                first = start - len(before) + times.start("k")
                spans = ((first, first + len(times["k"])), *spans)
            form = re.match(r"[\s-]*(?:[a-z-]+ ){0,2}(?:tablets?|capsules?|strength)", after)
            strength = form is not None and factor == 1
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
WHO = (
    r"(?:subjects?|volunteers?|participants?|patients?|individuals?|adults?|men|women|males?"
    r"|females?|persons?|people|children|metaboli[sz]ers?|students?|adolescents?)"
)
_SEX = r"(?:healthy )?(?:men|women|(?:fe)?males?)"
_GIVEN_TO = r"(?:received|given|took|(?:allocated|randomi[sz]ed|assigned) to)"
_COUNTS = tuple(  # (how clear, pattern); groups a and b of one pattern are added up
    (clear, re.compile(pattern, re.I))
    for clear, pattern in (
        # `14 women and 14 men`; `40 received the test and 40 the reference`
        (1.4, rf"\b(?P<a>{_N}) {_SEX},?(?: and)? (?P<b>{_N}) {_SEX}\b"),
        (2.6, rf"\b(?P<a>{_N}) (?:{WHO} )?(?:were )?{_GIVEN_TO} (?:the )?(?:test|generic|biosimilar)"
              rf"\b[^.;]{{0,40}}? and (?P<b>{_N})\b[^.;]{{0,40}}?(?:reference|brand|innov|orig)"),
        (3.0, rf"(?:of (?:whom|them|which)|and),? (?P<a>{_N})(?: {WHO})? were "
              r"(?:enrol\w*|random\w*|included)(?! in (?:the )?(?:\w+ ){0,2}anal)"),
        (2.0, rf"(?<![\w.,/±-])(?P<a>{_N}) (?!of\b|h\b|hours|days?\b|weeks?|mg|to\b|periods?|and\b"
              rf"|tablets?)(?:(?!and\b|were\b|received\b|in\b|of\b|with\b)\(?[A-Za-z][\w-]*\)?,? )"
              rf"{{0,5}}?{WHO}\b"),
        (2.0, rf"\b{WHO} ?\((?P<a>\d{{1,4}})\)"),
        (1.5, r"\bn\s?=\s?(?P<a>\d{1,4})\b(?!\s?%)"),
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
    completed: list[int] = []
    for source, text in texts.items():
        sums: list[tuple[int, int]] = []
        for clear, pattern in _COUNTS:
            for m in pattern.finditer(text):
                groups = [k for k in ("a", "b") if m.groupdict().get(k)]
                number = sum(_count(m[k]) or 0 for k in groups)
                found = Found(number, source, tuple(m.span(k) for k in groups))
                lead = re.split(r"[.;]", text[max(0, m.start() - 40) : m.start()])[-1]
                clause = re.split(r"[.;,]| and ", text[m.end() : m.end() + 50])[0]
                sums += [m.span()] if len(groups) > 1 else []
                score = clear
                if clear <= 2.0 and len(groups) == 1:
                    if any(a <= m.start() < b for a, b in sums):
                        continue
                    if _NOT_THE_STUDY.match(text, m.end()) or re.search(r"\d (?:to|-) $", lead):
                        continue
                    if _DONE.search(clause) and not _IN.search(clause):
                        completed.append(number)
                        score -= 1.0
                    elif _IN.search(clause + lead):
                        score += 0.6
                    if clear == 1.5 and re.search(r"\b(?:fed|women|per)\b[^,.]*$", lead):
                        score -= 1.5
                pair = re.search(rf"\b({_N}) and $", lead, re.I)
                if pair and re.search(r"respectively|fast", text[m.end() : m.end() + 90], re.I):
                    at = m.start() - len(lead)  # `24 and 28 subjects ... fasting and fed`
                    span, score = (at + pair.start(1), at + pair.end(1)), score + 0.5
                    flag = "two groups are counted"
                    found = Found(_count(pair[1]), source, (span,), flag=flag)
                if 3 <= found.value <= 5000:
                    options.append((score, found))
    if not options:
        return None
    top, best = max(options, key=lambda o: o[0])
    fewer = [c for c in completed if 0 < c < best.value]
    flag = f"{max(fewer)} completed" if fewer else ""
    if any(score == top > 2 and f.value != best.value for score, f in options):
        flag = "another count is named"
    return replace(best, flag=best.flag or flag)


_ROUTES = {
    "intravenous": r"\bintravenous|\bi\.?v\.? (?:bolus|infusion|dose|administ)|\binfus(?:ed|ion)\b",
    "subcutaneous": r"\bsubcutaneous|\bs\.c\.",
    "intramuscular": r"\bintramuscular|\bi\.m\.",
    "inhaled": r"\binhal(?:ed|ations?|ers?)\b|\bnebuli[sz]|\bmetered[- ]dose|\bdry[- ]powder",
    "topical": r"\btransdermal|\btopical|\bpatch(?:es)?\b|\bcream\b|\bointment",
    "other": r"\brectal|\bsuppositor|\bsublingual|\bbuccal|\b(?:intra)?nasal|\bvaginal|\bimplant",
    "oral": r"\boral(?:ly)?\b(?! (?:contracept|temperature))|\bper os\b|\bby mouth\b|\bswallow",
}
_ORAL_FORM = (
    r"\b(?:tablets?|capsules?|caplets?|syrup|sachets?|suspensions?|granules|orodispersible|took|elixir"
    r"|(?:sustained|delayed|prolonged|modified|controlled|extended)-release|fasting|fasted|breakfast"
    r"|(?:enteric|film|sugar)-coated|overnight fast)\b"
)


def route_evidence(route: str, texts: dict[str, str]) -> Found | None:
    """A word that says `route`, in the first source that has one; oral forms say oral."""
    for words in (_ROUTES[route], _ORAL_FORM) if route == "oral" else (_ROUTES[route],):
        for source, text in texts.items():
            match = re.search(words, text, re.I)
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
