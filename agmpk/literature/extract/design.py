"""What a study was: compound, dose, number of subjects and route, each with the place it stands at.

Where a text says two things (two doses, a count per group) the first clear one is taken and flagged,
or nothing is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files

import yaml

from agmpk.literature.text import WORD_NUMBER, word_number

_LISTS = {
    name: words.split()
    for name, words in yaml.safe_load(
        files(__package__).joinpath("lexicon.yaml").read_text(encoding="utf-8")
    ).items()
}
SALTS = tuple(_LISTS["salts"])
_NAMES, _NEVER, _ESTERS = (set(_LISTS[k]) for k in ("names", "never", "esters"))
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
    if low in _NEVER or low in SALTS or len(low) < 5:
        return False
    if low in _NAMES or (len(low) > 6 and low in _LISTS["stems"]):
        return True
    return (_STEM.fullmatch(low) is not None and not low.endswith("ivalent"))


def find_compound(title: str, abstract: str) -> Found | None:
    """The first drug name of the title, else the most frequent of the abstract.

    Trade names are never printed in lower case, so a word without an INN stem counts only where the
    title gives it a dose or form and the abstract repeats it in lower case.
    """
    for source, text in (("title", title), ("abstract", abstract)):
        drugs = [m for m in _WORD.finditer(text) if is_drug(m.group())]
        if source == "abstract" and drugs:
            words = [m.group().lower() for m in drugs]
            drugs = [m for m in drugs if m.group().lower() == max(words, key=words.count)]
        if drugs:
            return _named(text, drugs[0], source)
        if source == "title":
            for match in re.finditer(
                r"\b([A-Za-z][a-z]{4,})(?= (?:\d|tablets?|capsules?|oral|suspension|injection))", text
            ):
                low = match[1].lower()
                if low not in _NEVER and len(re.findall(rf"\b{low}\b(?! tablets? of)", abstract)) > 1:
                    return _named(text, match, source)
    return None


def _named(text: str, match: re.Match[str], source: str) -> Found:
    name, end = match.group(), match.end()
    more = re.compile(r" ([A-Za-z]+)").match(text, end)
    if more and more[1].lower() in _ESTERS:
        name, end = f"{name} {more[1]}", more.end()
    parts = name.split("-")
    if len(parts) > 1 and all(map(is_drug, parts)):  # artesunate-mefloquine: the first
        name, end = parts[0], match.start() + len(parts[0])
    return Found(name.lower(), source, ((match.start(), end),))


class Analytes:
    """Finds which analyte a stretch of text speaks of; the empty name is the studied compound."""

    _METABOLITE = re.compile(
        r"\b(?:(?:nor|desmethyl|hydroxy|dihydro|desacetyl|\d-hydroxy|carboxy|dehydro)-?[a-z]{4,30}"
        r"|[\w-]+ glucuronide|[A-Z]{2,4}-?\d{2,}\w*|R-\d+|M\d\b|MHD|MPA|(?:active |major )?metabolite)\b"
    )

    def __init__(self, compound: Found | None) -> None:
        self.main = str(compound.value).split()[0] if compound else ""

    def find(self, text: str) -> list[tuple[int, str]]:
        """`(position, analyte)` in order; the studied compound is the empty string."""
        found = {m.start(): m.group().lower() for m in self._METABOLITE.finditer(text)}
        for match in _WORD.finditer(text):
            low = match.group().lower()
            if is_drug(low) and match.start() not in found:
                found[match.start()] = "" if low == self.main else low
        acid = {a for a, w in found.items() if self.main and w.startswith(self.main[:6])}
        return [(a, "" if a in acid and not w.endswith("at") else w) for a, w in sorted(found.items())]


# ------------------------------------------------------------------------------------- the dose
_AMOUNT = re.compile(
    r"(?<![\w./±-])(?P<n>\d+(?:\.\d+)?)(?:\s?/\s?\d+(?:\.\d+)?)*[\s-]?(?P<unit>mg/kg|µg/kg|IU/kg|mg/m2|mg|µg"
    r"|mcg|ug|micrograms?|milligrams?|g|IU)\b(?!\s?(?:/|·|\*|per\b|×)\s?(?:d?L|m[lL]|h\b|min\b)|\s?h?[·.* ]?\s?h?/?m[lL]|\sm[lL]-)"
)
_GIVEN = r"\b(?:receiv|administ|took|taken|taking|swallow|given|gave|ingest|single|dos(?:e|ed|ing)\b|inject|drank|after)"
_UNITS = {"mcg": "µg", "ug": "µg", "microgram": "µg", "milligram": "mg"}
_TIMES = re.compile(
    rf"\b(?P<k>\d|{WORD_NUMBER})\s?(?:[×x*]\s?|(?:of )?(?:[a-z]+ )?|(?:tablets?|capsules?) (?:of|containing) )$", re.I
)


def find_dose(texts: dict[str, str]) -> Found | None:
    """The amount given on one occasion: from a sentence that speaks of giving, else the first one.

    `two 500-mg tablets` and `2 x 500 mg` are multiplied where the sentence says they were taken.
    """
    options: list[tuple[int, int, Found]] = []
    for source, text in texts.items():
        for match in _AMOUNT.finditer(text):
            start, end = match.span()
            before = re.split(r"[.;]\s", text[max(0, start - 90) : start])[-1]
            after = text[end : end + 40]
            if float(match["n"]) <= 0 or re.search(r"(?:weigh\w*|LLOQ|[<>≤≥±]|\d ?-|range of)\s?$", before):
                continue
            unit = _UNITS.get(match["unit"].rstrip("s"), match["unit"])
            given = bool(re.search(_GIVEN, before, re.I) or re.match(r"[\s-]*(?:single |oral )*(?:doses?\b|(?:tablets |capsules )?(?:was|were) (?:given|taken|administered)|once|twice|\((?:\d|two))", after))
            times = _TIMES.search(before) if re.match(r"[\s-]*(?:[a-z-]+ )?(?:tablets|capsules|\)|$)|[)\s]*", after) else None
            factor = 1
            if times and (given or re.search(r"\d ?[×x*] ?$", times.group())):
                word = times["k"]
                factor = int(word) if word.isdigit() else word_number(word) or 1
                factor = factor if 2 <= factor <= 12 and re.search(r"[×x*]|tablets|capsules", times.group() + after[:30]) else 1
                if factor == 2 and not re.search(r"[×x*]", times.group()) and re.search(r"(?:of|between|compar\w+|the) $", before[: times.start()]):
                    factor = 1  # `bioequivalence of two 50 mg tablets` counts products
            spans = ((start, end),)
            if factor > 1:
                first = start - len(before) + times.start("k")
                spans = ((first, first + len(times["k"])), (start, end))
            strength = bool(re.match(r"[\s-]*(?:[a-z-]+ ){0,2}(?:tablets?|capsules?|strength)", after)) and factor == 1
            rank = 3 * given + 2 * (factor > 1) + (source == "title") - strength
            options.append((rank, -len(options), Found(float(match["n"]) * factor, source, spans, unit)))
    if not options:
        return None
    best = max(options, key=lambda o: o[:2])
    total = [o for o in options if len(best[2].spans) > 1 and len(o[2].spans) == 1 and _mg(o[2]) == _mg(best[2])]
    best = total[0] if total else best  # `1 g (four 250 mg capsules)`: the printed total
    rivals = {_mg(o[2]) for o in options if o[0] == best[0]}
    rivals |= {_mg(o[2]) for o in options if o[2].source == "title" and len(best[2].spans) == 1}
    flag = "" if len(rivals) == 1 else "several amounts are named"
    return Found(*[getattr(best[2], k) for k in ("value", "source", "spans", "unit")], flag=flag)


def _mg(dose: Found) -> float:
    return float(dose.value) * {"g": 1000.0, "µg": 1e-3}.get(dose.unit or "", 1.0)  # type: ignore[arg-type]


# --------------------------------------------------------------------------- subjects and route
_N = rf"(?P<n>\d{{1,4}}|{WORD_NUMBER})"
WHO = (
    r"(?:subjects?|volunteers?|participants?|patients?|individuals?|adults?|men|women|males?"
    r"|females?|persons?|people|children|metaboli[sz]ers?|students?|adolescents?)"
)
_PEOPLE = re.compile(
    rf"(?<![\w.,/±-]){_N} (?!of\b|h\b|hours|days?\b|weeks?|mg|to\b|periods?|and\b|tablets?)"
    rf"(?:(?!and\b|were\b|received\b|in\b|of\b|with\b)\(?[A-Za-z][\w-]*\)?,? ){{0,5}}?(?P<who>{WHO})\b"
    rf"|\b[nN]\s?=\s?(?P<m>\d{{1,4}})\b(?!\s?%)|\b{WHO} ?\((?P<b>\d{{1,4}})\)", re.I
)
_SEXES = re.compile(
    rf"\b(?P<a>\d{{1,3}}|{WORD_NUMBER}) (?:healthy )?(?P<x>men|women|males?|females?),?(?: and)? (?P<b>\d{{1,3}}"
    rf"|{WORD_NUMBER}) (?:healthy )?(?P<y>men|women|males?|females?)\b", re.I
)
_ARMS = re.compile(
    rf"\b(?P<a>\d{{1,3}}|{WORD_NUMBER}) (?:{WHO} )?(?:were )?(?:received|given|took|allocated to|randomi[sz]ed to|assigned to)"
    rf" (?:the )?(?:test|generic|biosimilar)\b[^.;]{{0,40}}? and (?P<b>\d{{1,3}}|{WORD_NUMBER})\b[^.;]{{0,40}}?(?:reference|brand|innovator|originator)", re.I
)
_OF_WHOM = re.compile(rf"(?:of (?:whom|them|which)|and),? {_N}(?: {WHO})? were (?:enrol\w*|random\w*|included)(?! in (?:the )?(?:\w+ ){{0,2}}anal)", re.I)
_DONE = r"complet|finish|analy[sz]|evaluat|withdr|dropped|excluded|discontinu"
_IN = r"enrol|randomi|includ\w*(?! in (?:the )?(?:\w+ ){0,2}anal)|recruit|particip|took part|total of"


def _count(text: str | None) -> int | None:
    return None if text is None else int(text) if text.isdigit() else word_number(text)


def find_subjects(texts: dict[str, str]) -> Found | None:
    """Subjects enrolled: a total, else a sum of two groups; a count per group alone is unclear."""
    options: list[tuple[float, int, Found]] = []
    completed: list[int] = []

    def offer(score: float, n: int | None, source: str, *spans: tuple[int, int], flag: str = "") -> None:
        if n is not None and 3 <= n <= 5000:
            options.append((score, -len(options), Found(n, source, spans, flag=flag)))

    for source, text in texts.items():
        sums = [(m, 2.5) for m in _ARMS.finditer(text)] + [(m, 1.4) for m in _SEXES.finditer(text) if m["x"][0].lower() != m["y"][0].lower()]
        for m, score in sums:
            offer(score, (_count(m["a"]) or 0) + (_count(m["b"]) or 0), source, m.span("a"), m.span("b"))
        for m in _OF_WHOM.finditer(text):
            offer(3.0, _count(m["n"]), source, m.span("n"))
        for m in _PEOPLE.finditer(text):
            key = next(k for k in ("n", "m", "b") if m[k])
            near = re.split(r"[.;]", text[m.end() : m.end() + 50])[0]
            lead = re.split(r"[.;]", text[max(0, m.start() - 40) : m.start()])[-1]
            if any(s.start() <= m.start() < s.end() for s, _ in sums) or re.match(r" ?\(\d+(?:\.\d+)? ?%", text[m.end() : m.end() + 12]):
                continue
            if re.search(r"screened", near[:25]) or re.match(r" (?:reported|experienced|had|withdrew|vomited|showed)", near):
                continue
            if re.search(r"\d (?:to|-) $", lead):
                continue  # `12 to 58 subjects`
            clause = re.split(r",| and ", near)[0]
            score = 2.0 - 0.5 * (key == "m")
            if re.search(_DONE, clause) and not re.search(_IN, clause):
                completed.append(_count(m[key]) or 0)
                score -= 1.0
            elif re.search(_IN, clause + lead):
                score += 0.6
            if re.search(r"\b(?:fed|women|per)\b[^,.]*$", lead) and key == "m" or re.match(r" (?:per (?!study)|in each|each)|\s?/ ?(?:group|arm|seq)", near):
                score -= 1.5
            pair = re.search(rf"(?P<n>\d{{1,4}}|{WORD_NUMBER}) and $", lead, re.I)
            if pair and re.search(r"respectively|fast", text[m.end() : m.end() + 90], re.I):
                at = m.start() - len(lead)
                offer(score + 0.5, _count(pair["n"]), source, (at + pair.start("n"), at + pair.end("n")), flag="two groups are counted")
                continue
            per = re.match(r" (?:per (?!study)|in each)", near)
            offer(score, None if per else _count(m[key]), source, m.span(key))
    if not options:
        return None
    best = max(options, key=lambda o: o[:2])[2]
    fewer = [c for c in completed if 0 < c < best.value]
    return Found(best.value, best.source, best.spans, flag=f"{max(fewer)} completed" if fewer else "")


_ROUTES = (
    ("intravenous", r"\bintravenous(?:ly)?\b|\bi\.?v\.? (?:bolus|infusion|dose|administ)|\binfus(?:ed|ion)\b"),
    ("subcutaneous", r"\bsubcutaneous(?:ly)?\b|\bs\.c\."),
    ("intramuscular", r"\bintramuscular(?:ly)?\b|\bi\.m\."),
    ("inhaled", r"\binhal(?:ed|ations?|ers?)\b|\bnebuli[sz]|\bmetered[- ]dose|\bdry[- ]powder"),
    ("topical", r"\btransdermal|\btopical|\bpatch(?:es)?\b|\bcream\b|\bointment"),
    ("other", r"\brectal(?:ly)?\b|\bsuppositor|\bsublingual|\bbuccal|\b(?:intra)?nasal|\bvaginal|\bimplant"),
    ("oral", r"\boral(?:ly)?\b(?! (?:contracept|temperature|cavity))|\bper os\b|\bby mouth\b|\bswallow"),
)
_ORAL_FORM = (
    r"\b(?:tablets?|capsules?|caplets?|syrup|sachets?|suspensions?|granules|orodispersible|elixir|overnight fast"
    r"|(?:sustained|delayed|prolonged|modified|controlled|extended)-release|(?:enteric|film|sugar)-coated|fasting|fasted|breakfast|took)\b"
)


def route_evidence(route: str, texts: dict[str, str]) -> Found | None:
    """A word that says `route`, in the first source that has one; oral forms say oral."""
    pattern = dict(_ROUTES)[route]
    for words in (pattern, _ORAL_FORM) if route == "oral" else (pattern,):
        for source, text in texts.items():
            match = re.search(words, text, re.I)
            if match:
                return Found(route, source, (match.span(),))
    return None


def find_route(texts: dict[str, str]) -> Found | None:
    """The route the title or text names; oral only where no other route is named before it."""
    for source in texts:
        here = {source: texts[source]}
        named = [f for route, _ in _ROUTES if (f := route_evidence(route, here)) is not None]
        other = [f for f in named if f.value != "oral"]
        oral = next((f for f in named if f.value == "oral"), None)
        if other and not (oral and re.search(_ORAL_FORM, texts.get("title", ""), re.I) and other[0].value != "other"):
            return other[0]
        if oral:
            return oral
    return None
