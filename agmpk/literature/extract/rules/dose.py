"""The administered dose: a single amount with its unit, from the text or the title."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agmpk.literature.text.numbers import WORD_NUMBER, word_number

_AMOUNT = re.compile(
    r"(?<![\w./])(?P<n>\d+(?:\.\d+)?)(?:\s?/\s?\d+(?:\.\d+)?){0,3}(?:(?:,\s\d+(?:\.\d+)?)?,?\s(?:and|or)\s\d+(?:\.\d+)?)?[\s-]?(?P<unit>mg/kg|(?:IU|U)/kg|mg/m2"
    r"|µg/kg|mg|µg|mcg|ug|micrograms?|milligrams?|g|IU|U|mmol)\b"
    r"(?!\s?(?:/|·|\*|per\b|×)\s?(?:d?L\b|mL|ml|h\b|hr)|\s?(?:/|·)\s?(?:d?L|mL|ml)"
    r"|[·\s]h[·\s/])(?!\s?(?:mL|L)-)",
    re.I,
)
_COUNT = re.compile(
    rf"(?P<count>\d{{1,2}}|{WORD_NUMBER})\s?(?:×|x|\*)?\s?(?:of\s)?(?:(?:capsules?"
    rf"|tablets?)\s(?:of|containing)\s?)?$",
    re.I,
)
_GIVEN = re.compile(
    r"\b(?:receiv|administ|took|taking|swallow|given|gave|ingest|single|oral|dose|dosed|dosing"
    r"|treat|infus|inject|drank)",
    re.I,
)
_SINGLE = re.compile(
    r"\b(?:dose of|doses? \(|dose:|dosed at|single(?: oral)?)\s?(?:the\s|a\s)?$", re.I
)
_DOSE_AFTER = re.compile(r"[\s-]*(?:single[\s-]|oral\s)*doses?\b", re.I)
_COMPARED = re.compile(
    r"\b(?:compared|comparison|brands?|manufacturers?|reference|bioequivalen)", re.I
)
_UNITS = {
    "mcg": "µg",
    "ug": "µg",
    "microgram": "µg",
    "micrograms": "µg",
    "milligram": "mg",
    "milligrams": "mg",
    "iu": "IU",
    "u": "IU",
    "g": "g",
}
_FORM = re.compile(
    r"^[\s-]?(?:\)?\s?)?(?:[\w-]+\s){0,2}?(?P<form>tablets?|capsules?|film|ODT|sachets?"
    r"|caplets?)\b",
    re.I,
)


@dataclass(frozen=True)
class Dose:
    """`amount` in `unit`, read at `spans` of `source` (two spans where a count multiplies a
    strength)."""

    amount: float
    unit: str
    source: str
    spans: tuple[tuple[int, int], ...]


def find_dose(texts: dict[str, str], preferred: str | None = None) -> Dose | None:
    """The dose given on one occasion, from normalized texts by source name (title and abstract
    first).

    Sentences that speak of giving it count most; `two 50-mg tablets` and `2 x 50 mg` are
    multiplied.
    `preferred` (such as `2mg`) is the dose whose values were taken, where a study has several.
    """
    options: list[tuple[float, int, Dose]] = []
    order = 0
    counts: dict[float, int] = {}
    for source, text in texts.items():
        for match in _AMOUNT.finditer(text):
            unit = match["unit"]
            unit = _UNITS.get(unit.lower(), unit)
            if unit == "g" and match["unit"] != "g":
                continue
            amount = float(match["n"])
            start, end = match.span()
            before, after = text[max(0, start - 70) : start], text[end : end + 45]
            if amount <= 0 or re.search(
                r"(?:±|weigh\w*|body mass|\d\s?-|LLOQ|\d\s?(?:mg|µg|mcg|g)?\sto|below|range of"
                r"|between)\s?$",
                before[-16:],
            ):
                continue
            score = 2.0 if source == "title" else 0.0
            sentence = re.split(r"[.;]\s", before)[-1]
            if _SINGLE.search(before[-40:]) or _DOSE_AFTER.match(after):
                score += 3.5
            elif _GIVEN.search(sentence) or re.match(
                r"[\s-]*(?:single|oral|once|twice|tablet|capsule|of\b)", after, re.I
            ):
                score += 2.2 if source != "title" else 1.0
            if re.search(r"(?:tablets?|capsules?|sachets?)\s\($", before) and re.match(
                r"\)", after
            ):
                score += 2.0  # `two capsules (500 mg)`: the total
            if re.match(r"[\s-]*strengths?\b", after):
                score -= 2.0  # `the 150 mg strength`: what a tablet holds
            elif re.search(r"\b(?:at|dosed at)\s$", before) and "/kg" in unit:
                score += 2.2
            spans = [(start, end)]
            count = _COUNT.search(before)
            factor = 1
            if count and not re.search(r"\b(?:phase|day|n =)\s*$", before[: count.start()][-8:]):
                word = count["count"]
                factor = int(word) if word.isdigit() else (word_number(word) or 1)
                times = re.search(r"[×x*]\s*$", count.group(), re.I)
                form = _FORM.match(after)
                of = re.search(
                    r"(?:tablets?|capsules?)\s(?:of|containing)\s?$", count.group(), re.I
                )
                if (
                    not 2 <= factor <= 12
                    or not (times or form or of)
                    or (form and not form["form"].lower().endswith("s") and not times)
                ):
                    factor = 1
                elif (
                    re.search(r"\b(?:of|between|compar\w+|the)\s$", before[: count.start()])
                    and factor == 2
                    and not _GIVEN.search(sentence[:40])
                ):
                    factor = 1  # `bioequivalence of two 50 mg tablets` counts products
                elif (
                    factor == 2
                    and not sentence[: -len(count.group())].strip()
                    and _COMPARED.search(re.split(r"\.\s", text[end : end + 200])[0])
                ):
                    factor = 1  # `Two 500-mg tablets, brand A and brand B, were compared`
            if factor > 1:
                # `1 g (four 250 mg capsules)`: the total stands before the count
                first = start - len(before) + count.start()
                spans.insert(0, (first, first + len(count["count"])))
                score += 2.0
            dose = Dose(amount * factor, unit, source, tuple(spans))
            counts[amount * factor] = counts.get(amount * factor, 0) + 1
            options.append((score, -order, dose))
            order += 1
    if not options:
        return None
    wanted = [o for o in options if f"{o[2].amount:g}{o[2].unit}" == preferred]
    options = wanted or options
    best = max(options, key=lambda o: (o[0] + 0.5 * min(counts[o[2].amount], 3), o[1]))[2]
    if (
        len(best.spans) > 1
    ):  # `1 g (four 250 mg capsules)`: the printed total is the better evidence
        totals = [o[2] for o in options if len(o[2].spans) == 1 and _mass(o[2]) == _mass(best)]
        best = totals[0] if totals else best
    return best


def _mass(dose: Dose) -> float:
    return dose.amount * {"g": 1000.0, "µg": 1e-3}.get(dose.unit, 1.0)
