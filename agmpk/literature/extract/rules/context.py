"""What a value was measured under: fed or fasted, which analyte, which dose; and the kind of
statistics."""

from __future__ import annotations

import re

from agmpk.literature.extract.rules.values import label_kind

FASTED, FED = "fasted", "fed"
_STATE = re.compile(
    r"(?P<fed>\b(?:fed\b|non-?fasting|postprandial\w*|high[- ]fat|after (?:a "
    r"|the )?(?:standard(?:ized|ised)? |light |high-fat |fatty )*(?:meal|breakfast|food|lunch)"
    r"|with (?:food|a meal)|following (?:a |the )?(?:high-fat |standard )*(?:meal|breakfast)))"
    r"|(?P<fasted>\b(?:fast(?:ed|ing)\b|(?<!high-)overnight fast\b|without (?:food|a meal)"
    r"|pre-?prandial))",
    re.I,
)
_HINT = re.compile(
    r"(?P<center>geometric (?:LS |least[- ]squares? )?means?|(?:arithmetic )?means?|medians?"
    r"|averages?|values?|LS ?means?|data)\s?(?:values?\s)?(?:are |is |expressed as |presented as "
    r"|as )?"
    r"(?P<style>±|\+/-|[(\[,])\s?(?:±\s?)?(?P<kind>(?:geometric\s|arithmetic\s)?(?:g?CV\s?%?"
    r"|%\s?CV|coefficients? of variation|s\.?\s?d\.?|standard deviations?|s\.?e\.?m?\.?"
    r"|standard errors?|range|min\w*\s?[-–,]\s?max\w*|IQR|interquartile range|(?:95"
    r"|90)\s?%\s?CI))(?![a-z])",
    re.I,
)
_PARENTHESES = re.compile(
    r"(?P<kind>standard deviations?|SDs?|CVs?%?|coefficients? of variation|ranges?"
    r"|geometric CVs?%?)\s(?:in|within|between) (?:parentheses|brackets)|(?:parentheses"
    r"|brackets):? (?:geometric )?(?P<kind2>CV%?|SD|range)|\bmeans? with (?P<kind3>ranges?|SDs?"
    r"|standard deviations)\b|mean,\s(?P<kind4>(?:95|90)\s?% CI)",
    re.I,
)
_CENTER = re.compile(
    r"(?P<g>geometric|\bgeo\.?mean|\bGM\b|\bGLSM|least[- ]squares? geometric)|(?P<m>\bmedian)"
    r"|(?P<a>\b(?:arithmetic )?mean\b|\baverag)",
    re.I,
)


def states(text: str) -> list[tuple[int, str]]:
    """`(position, fasted|fed)` of every food state named in normalized text."""
    return [(m.start(), FED if m["fed"] else FASTED) for m in _STATE.finditer(text)]


def dispersion_hint(text: str, style: str, before: int | None = None) -> str:
    """What `mean (SD)`, `mean ± SE`, `median (range)` in the text say a printed dispersion is,
    or ''.

    `style` is how the dispersion is printed: `plus` (after ±) or `brackets`. `before` asks for
    the last
    hint before that position.
    """
    kinds = []
    for match in _HINT.finditer(text):
        plus = match["style"] in ("±", "+/-") or "±" in match.group()
        if (style == "plus") != plus and style == "plus":
            continue
        if style == "brackets" and plus and match["style"] == "±":
            continue
        kind = re.sub(r"^(?:geometric|arithmetic)\s", "", match["kind"], flags=re.I)
        if kind.lower().startswith("coefficient"):
            kind = "CV"
        if kind.lower().startswith("standard dev"):
            kind = "SD"
        if kind.lower().startswith("standard err"):
            kind = "SE"
        if before is None or match.start() < before:
            kinds.append(label_kind(kind))
    if kinds:
        return kinds[-1]
    if style == "brackets":
        for match in _PARENTHESES.finditer(text):
            kind = next(k for k in match.groups() if k)
            kind = (
                "SD"
                if kind.lower().startswith("standard")
                else "CV"
                if kind.lower().startswith("coeff")
                else kind
            )
            return label_kind(re.sub(r"s$", "", kind))
    return ""


def center_type(text: str, position: int) -> str | None:
    """`mean`, `geometric mean` or `median`, whichever is named last before `position`."""
    last = None
    for match in _CENTER.finditer(text, 0, position):
        if (
            match["a"]
            and last is not None
            and last[1].startswith("geometric")
            and match.start() - last[0] < 40
        ):
            continue
        last = (
            match.start(),
            "geometric mean" if match["g"] else "median" if match["m"] else "mean",
        )
    return last[1] if last else None
