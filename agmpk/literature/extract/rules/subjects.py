"""How many subjects took part: digits or words, enrolled rather than screened or completed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agmpk.literature.text.numbers import WORD_NUMBER, word_number

_N = rf"(?P<n>\d{{1,4}}|{WORD_NUMBER})"
WHO = (
    r"(?:subjects?|volunteers?|participants?|patients?|individuals?|adults?|men|women|males?"
    r"|females?|persons?|people|"
    r"adolescents?|children|metaboli[sz]ers?|students?)"
)
_ADJ = r"(?:\(?[A-Za-z][\w-]{0,30}\)?,?\s){0,6}?"
_PEOPLE = re.compile(
    rf"(?<![\w.,/±-])(?<!\d )(?:a total of\s)?{_N}(?:\s?\(\s?(?:[nN]\s?=\s?)?\d{{1,4}}\s?\))?\s"
    rf"(?!of\b|h\b|hours\b|mg\b|days?\b|weeks?\b"
    rf"|periods?\b|to\b|mL\b|and\b|tablets?\b|capsules?\b"
    rf"|brands?\b)(?P<adj>{_ADJ})(?P<who>{WHO})\b",
    re.I,
)
_LABELLED = re.compile(
    rf"(?:\b[nN]\s?=\s?|\b{WHO}\s?:\s?|\b{WHO}\s?\((?=\d+\)))(?P<n>\d{{1,4}})\b(?!\s?(?:%|per"
    rf"|years|kg|\.\d|mg|±|-))",
    re.I,
)
_BARE = re.compile(
    rf"(?<![\w.,/±-]){_N}\s(?:others\s)?(?:(?:of\s(?:them|whom|these)\s)?(?:were\s"
    rf"|was\s)?(?P<verb>randomi[sz]ed|enrol\w*|includ\w*|recruit\w*|complet\w*|finish\w*|start\w*"
    rf"|dosed|analy[sz]ed|evaluated|screened|withdrew|dropped)"
    rf"|(?:in|per)\s(?:the\s)?(?P<state>fast\w*|fed)\b|(?P<fast2>fasting)\b)",
    re.I,
)
_OF_THOSE = re.compile(
    rf"\bof (?:the )?{_N}\s(?:{WHO}\s)?(?:who\s)?(?P<verb>enrol\w*|randomi[sz]ed|start\w*"
    rf"|recruit\w*"
    rf"|complet\w*|finish\w*|dropped|withdr\w*|discontinu\w*|entered|received)",
    re.I,
)
_SEXES = re.compile(
    rf"\b(?P<a>\d{{1,3}}|{WORD_NUMBER})\s(?:healthy\s)?(?P<x>men|women|males?"
    rf"|females?)(?:\s(?:and|plus)|,(?:\sand)?)\s(?P<b>\d{{1,3}}"
    rf"|{WORD_NUMBER})\s(?:healthy\s)?(?P<y>men|women|males?|females?)\b",
    re.I,
)
_DONE = re.compile(
    r"complet|finish|analy|evaluat|withdr|dropped|contribut|excluded|discontinu", re.I
)
_START = re.compile(
    r"enrol|randomi|includ|recruit|start|entered|particip|took part|received|given|dosed|studied"
    r"|swallow",
    re.I,
)


_PAIR = re.compile(
    rf"(?<![\w.,/±-]){_N}\sand\s(?P<m>\d{{1,4}}|{WORD_NUMBER})\s{_ADJ}{WHO}\b"
    r"[^.;]{0,90}?\b(?P<first>fast\w*|fed|postprandial\w*)\b",
    re.I,
)
_FOOD_GROUPS = (  # sizes of fasting and fed groups; their sum confirms a printed total
    re.compile(
        r"\b(?:fast\w*|fed|postprandial\w*|high-fat\w*)\b(?:\s(?!and\b|\d)\w+){0,3}?\s?[(\[,:]?\s?"
        r"(?:[nN]\s?=\s?)(?P<n>\d{1,3})\b",
        re.I,
    ),
    re.compile(
        rf"(?<![\w.,/±-])(?P<n>\d{{1,3}}|{WORD_NUMBER})(?:\s(?!and\b)[a-z]+){{0,3}}?"
        rf"\s(?:(?:in|under|for|per|to)\s(?:the\s)?)?(?:fast\w*|fed|postprandial\w*)\b",
        re.I,
    ),
)


@dataclass(frozen=True)
class Subjects:
    """`n` subjects, read at `spans` of `source`; `completed` where fewer are said to have
    finished."""

    n: int
    source: str
    spans: tuple[tuple[int, int], ...]
    completed: int | None = None


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else word_number(text)


def find_subjects(texts: dict[str, str]) -> Subjects | None:
    """Subjects enrolled, from normalized texts by source name: the printed total of a fasting and
    a fed group, or the fasting group where no total is printed."""
    options: list[tuple[float, int, int, str, tuple[tuple[int, int], ...]]] = []
    completed: list[int] = []

    def offer(score: float, number: int | None, source: str, *spans: tuple[int, int]) -> None:
        if number is not None and 3 <= number <= 2000:
            options.append((score, -len(options), number, source, spans))

    for source, text in texts.items():
        base = {"title": 1.2, "abstract": 1.0}.get(source, 0.0)
        for match in _SEXES.finditer(text):
            a, b = _number(match["a"]), _number(match["b"])
            if a and b and match["x"].lower()[0] != match["y"].lower()[0]:
                offer(base + 2.2, a + b, source, match.span("a"), match.span("b"))
        taken = [m.span() for m in _SEXES.finditer(text)]
        for match in _PEOPLE.finditer(text):
            if any(s <= match.start("n") < e for s, e in taken):
                continue
            if re.match(r"\s?\(\d+(?:\.\d+)?\s?%", text[match.end() :]) or re.search(
                r"\d\s?(?:to|-)\s?$", text[: match.start("n")]
            ):
                continue  # `in 3 subjects (7.5%)`; `from 12 to 58 subjects`
            number = _number(match["n"])
            around = text[match.end() : match.end() + 60].split(". ")[0]
            before = text[max(0, match.start() - 30) : match.start()]
            clause = re.split(r"[;,]|\band\b", around)[0]
            if re.search(
                r"\b(?:and|or|with|to|in|were|of which|including)\b", match["adj"]
            ) and not re.search(
                r"\bmen and women|male and female|male or female", match.group(), re.I
            ):
                if not re.search(
                    r"\bmen and\b|\bmale and\b|\bmen or\b|\bnon-|\bmale or", match["adj"], re.I
                ):
                    continue
            score = base + 1.5
            if re.search(r"\bhealthy\b", match.group(), re.I):
                score += 0.5
            if re.search(r"screened", clause):
                score -= 2.0
            elif _DONE.search(clause) and not _START.search(clause):
                completed.append(number or 0)
                score -= 1.0
            elif _START.search(clause):
                score += 0.7
            if re.search(r"\b(?:\d+ of|out of|in)\s(?:the\s)?$", before):
                score -= 0.4
            if re.search(
                r"^\s?(?:reported|experienced|had|showed|vomited|withdrew)|adverse", clause
            ):
                score -= 1.5
            if match["who"].lower() in ("women", "men", "female", "females") and re.search(
                r"\(\s?$", before
            ):
                score -= 1.5
            if re.search(r"\b(?:fast\w*)\b", text[match.start() : match.end() + 40], re.I):
                score += 0.3
            offer(score, number, source, match.span("n"))
        for match in _LABELLED.finditer(text):
            near = text[max(0, match.start() - 40) : match.end() + 20]
            own_group = re.search(
                r"fast\w*(?:\s\w+){0,2}\s?[(\[,]\s?$",
                text[max(0, match.start() - 40) : match.start()],
                re.I,
            )
            score = (
                base
                + (2.6 if own_group else 0.0)
                + 1.3
                + (0.4 if re.search(r"fast", near, re.I) else 0.0)
                - (0.5 if re.search(r"\bfed\b|women\s?\($|per ", near) else 0.0)
            )
            offer(score, int(match["n"]), source, match.span("n"))
        for match in _BARE.finditer(text):
            number = _number(match["n"])
            verb = (match["verb"] or "").lower()
            if match["state"] or match["fast2"]:
                if (match["state"] or match["fast2"]).lower().startswith("fast"):
                    offer(base + 2.9, number, source, match.span("n"))
            elif verb.startswith(("random", "enrol", "includ", "recruit", "start", "dosed")):
                sentence = text[max(0, match.start() - 120) : match.start()]
                if verb.startswith(("includ", "dosed")) and not re.search(
                    r"enrol|screen", sentence
                ):
                    offer(base + 0.9, number, source, match.span("n"))
                else:
                    offer(base + 2.3, number, source, match.span("n"))
            elif verb.startswith(("complet", "finish", "analy", "evaluat")):
                completed.append(number or 0)
                offer(base + 0.4, number, source, match.span("n"))
        for match in _OF_THOSE.finditer(text):
            offer(base + 2.4, _number(match["n"]), source, match.span("n"))
        for match in _PAIR.finditer(text):
            name = "n" if match["first"].lower().startswith("fast") else "m"
            offer(base + 4.0, _number(match[name]), source, match.span(name))
        sizes = [_number(m["n"]) for p in _FOOD_GROUPS for m in p.finditer(text)]
        totals = {a + b for i, a in enumerate(sizes) for b in sizes[i + 1 :] if a and b}
        options = [
            (score + 4.0 * (number in totals and where == source), order, number, where, spans)
            for score, order, number, where, spans in options
        ]
    if not options:
        return None
    _, _, number, source, spans = max(options, key=lambda o: (o[0], o[1]))
    fewer = [c for c in completed if 0 < c < number]
    return Subjects(number, source, spans, max(fewer) if fewer else None)
