"""The route of administration, from what the text says of giving the product."""

from __future__ import annotations

import re

_ROUTES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "intravenous",
        re.compile(
            r"\bintravenous(?:ly)?\b|\bi\.?v\.?\b(?= (?:bolus|infusion|dose|administ))"
            r"|\binfus(?:ed|ion)\b",
            re.I,
        ),
    ),
    ("subcutaneous", re.compile(r"\bsubcutaneous(?:ly)?\b|\bs\.c\.", re.I)),
    ("intramuscular", re.compile(r"\bintramuscular(?:ly)?\b|\bi\.m\.", re.I)),
    (
        "inhaled",
        re.compile(
            r"\binhal(?:ed|ations?|ers?)\b|\bnebuli[sz]|\bmetered[- ]dose\b|\bdry[- ]powder\b", re.I
        ),
    ),
    (
        "topical",
        re.compile(r"\btransdermal|\btopical|\bpatch(?:es)?\b|\bcream\b|\bointment\b", re.I),
    ),
    (
        "other",
        re.compile(
            r"\brectal(?:ly)?\b|\bsuppositor|\bsublingual|\bbuccal|\b(?:intra)?nasal|\bvaginal"
            r"|\bimplant",
            re.I,
        ),
    ),
    (
        "oral",
        re.compile(
            r"\boral(?:ly)?\b(?! (?:contracept|charcoal|temperature|cavity))|\bper os\b"
            r"|\bp\.o\.|\bby mouth\b|\bswallow",
            re.I,
        ),
    ),
)
_ORAL_FORM = re.compile(
    r"\b(?:tablets?|capsules?|caplets?|syrup|sachets?|suspension|oral(?:ly)?[- ]\w+|granules"
    r"|fixed-dose combination|orodispersible|elixir|film strip|(?:sustained|delayed|prolonged"
    r"|modified|controlled)-release|(?:enteric|film|sugar)-coated|extended-release)\b",
    re.I,
)
_ORAL_HINT = re.compile(
    r"\b(?:took|drank|overnight fast|fasting|fasted|breakfast|mL of water|ml of water|high-fat)\b",
    re.I,
)


def find_route(texts: dict[str, str]) -> tuple[str, str, tuple[int, int]] | None:
    """`(route, source, span)`; oral dosage forms and fasting imply `oral`. None where nothing
    says it."""
    for source in ("title", "abstract", "body"):
        text = texts.get(source, "")
        found = []
        for route, pattern in _ROUTES:
            match = pattern.search(text)
            if match:
                found.append((route, match.span()))
        if found:
            named = [f for f in found if f[0] != "oral"]
            form = _ORAL_FORM.search(texts.get("title", "") + " " + text)
            if named and not (form and any(f[0] == "oral" for f in found)):
                return named[0][0], source, named[0][1]
            oral = next((f for f in found if f[0] == "oral"), None)
            if oral:
                return "oral", source, oral[1]
        match = _ORAL_FORM.search(text)
        if match and not _injected(texts):
            return "oral", source, match.span()
    for source in ("title", "abstract", "body"):
        match = _ORAL_HINT.search(texts.get(source, ""))
        if match and not _injected(texts):
            return "oral", source, match.span()
    return None


def _injected(texts: dict[str, str]) -> bool:
    joined = " ".join(texts.get(s, "") for s in ("title", "abstract"))
    return any(
        p.search(joined)
        for r, p in _ROUTES
        if r in ("intravenous", "subcutaneous", "intramuscular")
    )


def supports_route(route: str, texts: dict[str, str]) -> tuple[str, tuple[int, int]] | None:
    """`(source, span)` of a word that says `route`, or None where no word of the texts does."""
    for source, text in texts.items():
        for name, pattern in _ROUTES:
            match = pattern.search(text) if name == route else None
            if match:
                return source, match.span()
    if route == "oral":
        for source, text in texts.items():
            match = _ORAL_FORM.search(text) or _ORAL_HINT.search(text)
            if match:
                return source, match.span()
    return None
