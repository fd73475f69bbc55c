"""The studied compound, and the analytes a text names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agmpk.literature.extract.rules.lexicon import ESTERS, NOT_DRUGS, SALTS, is_drug

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*")
_METABOLITE = re.compile(
    r"\b(?:(?:nor|des|desmethyl|hydroxy|dihydro|deacetyl|desacetyl|N-desmethyl|O-desmethyl|\d+-hydroxy|\d+-OH-?|carboxy"
    r"|dehydro|monohydroxy)[-\w]{3,40}|(?:[\w-]{1,40}\s)?metabolites?|\w{1,40}\s(?:acid|sulfone"
    r"|sulfoxide|glucuronide|N-oxide|lactone)\b|[A-Z]{2,}-?\d{2,}\w*|M[1-9]\b|(?:S"
    r"|R)-\(?[+-]?\)?-?[a-z]{5,}|MHD|MPA\b|[\w-]{1,40} derivative)"
)

_INSULIN = re.compile(r"\s(?:aspart|glargine|lispro|degludec|detemir|glulisine)", re.I)
_ENDINGS = tuple(
    "ly ing tion tions ness ity ment ence ance ics ogy ies ous ed ise ize".split()
)  # of English words that are no drug names


@dataclass(frozen=True)
class Name:
    """A drug name: `text` as canonical lower case, standing at `start:end` of its source."""

    text: str
    start: int
    end: int
    source: str


def _extended(text: str, match: re.Match[str]) -> tuple[str, int]:
    """The name with an ester or `acid` after it; salts are left out."""
    end = match.end()
    name = match.group()
    following = re.compile(r"\s([A-Za-z]+)").match(text, end)
    parts = name.split("-")
    if len(parts) > 1 and all(is_drug(part) for part in parts):
        return parts[0], match.start() + len(parts[0])  # artesunate-mefloquine: the first
    if following and (following[1].lower() in ESTERS or _INSULIN.fullmatch(following.group())):
        return f"{name} {following[1]}", following.end()
    return name, end


def find_compound(title: str, abstract: str) -> Name | None:
    """The compound of the study: from the title, else the most frequent drug name of the abstract.

    Positions refer to normalized `title` or `abstract` (`source` says which). None where no word
    of the title can be told from the ordinary words of such titles.
    """
    best: tuple[float, int, Name] | None = None
    lowered = abstract.lower()
    for match in _WORD.finditer(title):
        word = match.group()
        low = word.lower()
        parts = low.split("-")
        if (
            low in NOT_DRUGS
            or len(low) < 4
            or low in SALTS
            or all(p in NOT_DRUGS or p.isdigit() for p in parts)
        ):
            continue
        if low.endswith(_ENDINGS) and not is_drug(low):
            continue
        if re.search(
            r"(?:-dose|-release|-coated|-label|-blind|-way|-period|-center|-mg|-free|-state)$", low
        ):
            continue
        acid = low.endswith("ic") and title[match.end() :].lower().startswith(" acid")
        score = 3.0 if is_drug(low) or acid else 0.0
        count = len(re.findall(rf"\b{re.escape(low)}", lowered))
        score += min(count, 4) * 0.6
        before, after = title[: match.start()].lower(), title[match.end() :]
        if (
            re.search(
                r"\b(?:of|for|between|to)\s(?:(?:two|generic|oral|single|new|a|the|\w+ed"
                r"|\w+-release|intra\w+|subcutaneous|rectal|topical)\s)*$",
                before,
            )
            or match.start() == 0
        ):
            score += 1.0
        if re.match(
            r"\s?\(?\d|\s(?:"
            + "|".join(SALTS)
            + r")\b|\s(?:tablet|capsule|oral|suspension|film|extended|syrup|sachet)",
            after,
            re.I,
        ):
            score += 1.0
        if re.search(r"\b(?:in|healthy|by|using)\s$", before):
            score -= 1.5
        if (
            word[0].isupper()
            and match.start() > 0
            and title[:1].isupper()
            and not is_drug(low)
            and not title.istitle()
        ):
            score -= 0.5
        name, end = _extended(title, match)
        if score >= 1.0 and (best is None or score > best[0] + 0.9):
            best = (
                score,
                match.start(),
                Name(name.lower() if not name.isupper() else name, match.start(), end, "title"),
            )
    if best:
        return _first_of_list(title, best[2])
    counts: dict[str, list[re.Match[str]]] = {}
    for match in _WORD.finditer(abstract):
        if is_drug(match.group()) and match.group().lower() not in SALTS:
            counts.setdefault(match.group().lower(), []).append(match)
    if not counts:
        return None
    top = max(counts, key=lambda w: (len(counts[w]), -counts[w][0].start()))
    name, end = _extended(abstract, counts[top][0])
    return Name(name.lower(), counts[top][0].start(), end, "abstract")


def _first_of_list(title: str, name: Name) -> Name:
    """The first drug of `ezetimibe/simvastatin` or `tramadol and paracetamol`."""
    drugs = [m for m in _WORD.finditer(title) if is_drug(m.group()) and m.start() < name.start]
    for match in reversed(drugs):
        between = title[match.end() : name.start]
        salt = "|".join(SALTS)
        if not re.fullmatch(
            rf"(?:\s(?:{salt}))?\s?(?:[\d.]+\s?(?:mg|µg|g)?\s?)?(?:/|,|\+|and|-|plus|with)\s?",
            between,
            re.I,
        ):
            break
        text, end = _extended(title, match)
        name = Name(text.lower(), match.start(), end, "title")
    return name


class AnalyteFinder:
    """Finds which analyte a stretch of text speaks about: `""` is the studied compound itself."""

    def __init__(self, compound: str | None, title: str) -> None:
        self.main = compound.lower().split()[0] if compound else ""
        self.title_drugs = {
            m.group().lower() for m in _WORD.finditer(title) if is_drug(m.group())
        } - {self.main}

    def find(self, text: str) -> list[tuple[int, int, str]]:
        """`(start, end, analyte)` in order; the studied compound is the empty string."""
        found = []
        taken: list[tuple[int, int]] = []
        for match in _METABOLITE.finditer(text):
            word = match.group().lower()
            if self.main and (
                word == self.main or (word.endswith(" acid") and word.split()[0] == self.main)
            ):
                continue
            if word.split()[-1] in ("acid",) and word.split()[0] in (
                "in",
                "of",
                "formic",
                "acetic",
                "phosphoric",
                "nucleic",
                "the",
                "and",
            ):
                continue
            if re.fullmatch(
                r"(?:described|normal\w*|design\w*|desired|desktop|nord\w*|north\w*|normaliz\w*"
                r"|normalis\w*|despite|hplc-\w+|lc-\w+|cyp\w+|c\d+|auc\d*\w*|design)",
                word,
            ):
                continue
            found.append((match.start(), match.end(), word))
            taken.append(match.span())
        for match in _WORD.finditer(text):
            if any(a <= match.start() < b for a, b in taken):
                continue
            word = match.group().lower()
            if self.main and (word == self.main or word.startswith(self.main)):
                found.append((match.start(), match.end(), ""))
            elif self.main and self.main in word and word != self.main:
                found.append((match.start(), match.end(), word))
            elif word in self.title_drugs or (is_drug(word) and word not in SALTS):
                found.append((match.start(), match.end(), word))
        return sorted(found)
