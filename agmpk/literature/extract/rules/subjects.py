"""How many subjects took part: digits or words, enrolled rather than screened or completed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice

from agmpk.literature.extract.rules.subject_words import (
    BARE,
    DONE,
    FOOD_GROUPS,
    LABELLED,
    OF_THOSE,
    PAIR,
    PARALLEL,
    PEOPLE,
    SEXES,
    START,
)
from agmpk.literature.text.numbers import word_number


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
        for match in SEXES.finditer(text):
            a, b = _number(match["a"]), _number(match["b"])
            if a and b and match["x"].lower()[0] != match["y"].lower()[0]:
                offer(base + 2.2, a + b, source, match.span("a"), match.span("b"))
        taken = [m.span() for m in SEXES.finditer(text)]
        for match in PEOPLE.finditer(text):
            if any(s <= match.start("n") < e for s, e in taken):
                continue
            if re.match(
                r"\s?\(\d+(?:\.\d+)?\s?%", text[match.end() : match.end() + 16]
            ) or re.search(
                r"\d\s?(?:to|-)\s?$", text[max(0, match.start("n") - 8) : match.start("n")]
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
            elif DONE.search(clause) and not START.search(clause):
                completed.append(number or 0)
                score -= 1.0
            elif START.search(clause):
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
        for match in LABELLED.finditer(text):
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
        for match in BARE.finditer(text):
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
        for match in OF_THOSE.finditer(text):
            offer(base + 2.4, _number(match["n"]), source, match.span("n"))
        for match in PAIR.finditer(text):
            first = match["first"] or match["earlier"]
            name = "n" if first.lower().startswith("fast") else "m"
            offer(base + 4.0, _number(match[name]), source, match.span(name))
        for match in PARALLEL.finditer(text):
            a, b = _number(match["a"]), _number(match["b"])
            offer(base + 2.4, (a or 0) + (b or 0), source, match.span("a"), match.span("b"))
        sizes = [_number(m["n"]) for p in FOOD_GROUPS for m in islice(p.finditer(text), 20)]
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
