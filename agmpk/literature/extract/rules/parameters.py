"""Names of pharmacokinetic parameters in normalized text."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_GAP = r"[\s_]?"
_BETWEEN = r"\s?(?:-|to|→|~|,|/)+\s?"
_INF = r"(?:∞|inf(?:inity|inite|\.)?\b|oo\b|INF\b|¥|infinity\b)"
_HORIZON = (
    r"(?:t\s?last|last|tlqc|lqc|tz|z|n|τ|tau|t|T|x|"
    r"\d+(?:\.\d+)?\s?-?(?:h(?:ours?|rs?)?\b|min\b|days?\b|d\b)?)"
)
_MATRIX = r"(?:plasma|serum|blood|whole[- ]blood|circulating)"

_TMAX = re.compile(
    rf"\b[Tt]{_GAP}\(?[mM](?:ax|AX)\b\)?(?:[,\s]{{0,2}}ss\b)?"
    r"|\b[Tt]imes?(?:[- ]|\s(?:required\s|taken\s|needed\s)?)(?:to|of|until"
    r"|for)(?:\sthe)?(?:\s(?:reach(?:ing)?|attain(?:ing)?|achiev(?:e|ing)|occurrence of))?"
    rf"(?:\s(?:the|mean))?\s(?:peak|maxim(?:um|al)|C{_GAP}\(?max\)?)(?:\s(?:observed"
    rf"|drug))?(?:\s{_MATRIX})?(?:\s(?:drug\s)?(?:concentrations?|levels?|exposure))?"
    rf"|\b(?:[Pp]eak|[Mm]aximum)(?:\s{_MATRIX})? (?:concentrations?|levels?) (?:was|were) "
    r"(?:reached|attained|achieved|seen) (?:later|earlier|faster|sooner"
    r"|more (?:rapid|slow|quick)ly)\b"
    r"|\b[Pp]eak times?\b|\b[Pp]eaks? (?:appeared|occurred|(?:was|were) (?:reached|attained"
    r"|seen))\b"
)
_CMAX = re.compile(
    rf"\bC{_GAP}\(?p?{_GAP}[mM](?:ax|AX)\b\)?(?:[,\s]{{0,2}}ss\b)?|\bCp\s?max\b"
    rf"|\bc{_GAP}\(?max\)?\b"
    rf"|\b(?:[Pp]eak|[Mm]axim(?:um|al)|[Hh]ighest)(?:\s(?:observed|measured|mean|drug"
    rf"|achieved))?(?:\s{_MATRIX})?(?:\s[a-z][\w-]{{1,30}}){{0,2}}?"
    r"\s(?:concentrations?|levels?|exposure)\b"
)
_AUC_INF = re.compile(
    rf"\bAUC{_GAP}[\[(]?(?:0|zero){_BETWEEN}{_INF}[\])]?|\bAUC{_GAP}[\[(]?(?:0)?{_INF}[\])]?"
    rf"|\b(?:extrapolated|total) AUC\b|\bAUC (?:extrapolated )?(?:from (?:time )?(?:0"
    rf"|zero) )?(?:extrapolated )?to (?:infinity|∞)"
    rf"|\bAUC{_GAP}[\[(]?0∞[\])]?|\bAUC{_GAP}I(?=[\s,)])|\bAUCINF(?:obs|pred)?\b|\bAUC{_GAP}tot(?:al)?\b"
)
_AUC_T = re.compile(
    rf"\bAUC{_GAP}[\[(]?(?:0|zero){_BETWEEN}{_HORIZON}[\])]?(?:\s?h\b)?(?:[,\s]{{0,2}}ss\b)?"
    rf"|\bAUC{_GAP}[\[(]?(?:last|tlast|t|0t|τ|tau|all|ss)\b[\])]?(?:,ss\b)?"
    r"|\bAUC (?:from (?:time )?(?:0|zero) )?to (?:the )?(?:last|t\b|time t"
    r"|\d+\s?h)[\w\s]{0,30}?(?:concentration|sample|time point|timepoint|h\b|(?=[\s,;:]))"
    rf"|\bAUC{_GAP}(?:\d+)(?:\s?h)?\b(?!\s?%)"
)
_AUC_WORDS = re.compile(
    rf"\b[Aa]reas?(?: under the)?(?: (?:{_MATRIX} )?(?:drug )?(?:concentrations?"
    rf"|levels?)?(?:[- ](?:versus|vs\.?|against)?[- ]?time)?(?: profile)? ?curves?)?(?: "
    rf"\(AUCs?\))?"
    r"(?P<tail>(?: \(?(?:(?:calculated )?from )?(?:time )?(?:0|zero)(?: h)?(?:\s?(?:to"
    r"|-)\s?)(?:the )?(?:time of the )?[\w∞ ]{1,40}?(?=[,;.()]|\s(?:was|were|of|and|for|averaged"
    r"|came|amounted|equalled)\b)\)?)|(?: (?:extrapolated )?to (?:the )?(?:infinity|∞"
    r"|last[\w ]{0,30}?(?=[,;.()]|\s(?:was|were|of|and|for|averaged)\b))))?"
)
_AUC_BARE = re.compile(r"\bAUE?Cs?\b")
_OTHER = re.compile(
    r"\b[tT]\s?\(?1\s?/\s?2\)?(?:\s?(?:β|beta|z|el|λz|e))?\b|\b[tT]\s?½(?:β|z)?|\bhalf[- ]li(?:fe"
    r"|ves)\b|\bK\s?el\b|\bk\s?e\b|λ\s?z|\bLambda\s?z\b|\bMRT\b(?:\s?0-(?:t|∞|inf))?"
    r"|\bresidence times?\b"
    r"|\bV\s?[dzc]?\s?/\s?F\b|\bVd\b|\bvolume of distribution\b|\bCL\s?/\s?F\b|\bclearance\b"
    r"|\bC\s?min(?:,ss)?\b|\bC\s?(?:av|avg|trough|τ)\b|\bfluctuation\b"
    r"|\brelative bioavailability\b|\bswing\b|\blag\s?-?time\b|\bT\s?lag\b|\bLLOQ\b|\bLOQ\b"
    r"|\blimit of quantitation\b|\bweight\b|\bBMI\b|\baged?\b(?! of)|\bA\s?max\b|\bA\s?e\b"
    r"|\bAUMC\b"
    r"|\brecovery\b|\baccuracy\b|\bprecision\b|\blinear(?:ity)?\b|\bAUEC\S*|\bcell count\b"
    r"|\bbody mass index\b|\bheight\b|\bsampl(?:es|ing)\b|\b[Ee]xtrapolated (?:fraction|portion)\b"
)


_LOGARITHM = re.compile(
    r"(?:\b(?:log|ln|natural log(?:arithm)?)|\b(?:log|ln|logarithm\w*)[- ]?transformed)"
    r"\s?(?:(?:mean|means|values?|data|the|of)\s)*[(]?$",
    re.I,
)


@dataclass(frozen=True)
class Parameter:
    """A parameter's name in the text: `name` is a quantity of the schema, `auc` (which one
    unsaid) or `other`."""

    name: str
    start: int
    end: int
    horizon: str = ""

    @property
    def kind(self) -> str:
        """The kind of unit a value of this parameter carries."""
        return {
            "cmax": "concentration",
            "tmax": "time",
            "auc0_t": "auc",
            "auc0_inf": "auc",
            "auc": "auc",
        }.get(self.name, "")


def find_parameters(text: str) -> list[Parameter]:
    """All parameter names in normalized `text`, in order, without overlaps; decoys are `other`."""
    found: list[Parameter] = []
    taken = [False] * (len(text) + 1)

    def add(name: str, start: int, end: int, horizon: str = "") -> None:
        while end > start and text[end - 1] == " ":
            end -= 1
        if (
            end > start
            and text[end - 1] == ")"
            and text[start:end].count("(") < text[start:end].count(")")
        ):
            end -= 1
        if end > start and not any(taken[start:end]):
            taken[start:end] = [True] * (end - start)
            found.append(Parameter(name, start, end, horizon))

    for match in _TMAX.finditer(text):
        add("tmax", *match.span())
    for match in _AUC_INF.finditer(text):
        add("auc0_inf", *match.span())
    for match in _AUC_T.finditer(text):
        add("auc0_t", *match.span(), horizon=match.group())
    for match in _AUC_WORDS.finditer(text):
        tail = (match["tail"] or "").lower()
        lead = text[max(0, match.start() - 40) : match.start()].lower()
        if "inf" in tail or "∞" in tail or "extrapolated to inf" in lead:
            add("auc0_inf", *match.span())
        elif tail:
            add("auc0_t", *match.span(), horizon=tail)
        else:
            add("auc", *match.span())
    for match in _CMAX.finditer(text):
        add("cmax", *match.span())
    for match in _AUC_BARE.finditer(text):
        if match.group().startswith("AUE"):
            add("other", *match.span())
        else:
            add("auc", *match.span())
    for match in _OTHER.finditer(text):
        add("other", *match.span())
    plain = [
        replace(p, name="other") if _LOGARITHM.search(text[max(0, p.start - 60) : p.start]) else p
        for p in found
    ]
    return _merged(sorted(plain, key=lambda p: p.start), text)


def _merged(found: list[Parameter], text: str) -> list[Parameter]:
    """A spelled-out name followed by its abbreviation in brackets is one mention."""
    result: list[Parameter] = []
    for item in found:
        if result:
            last = result[-1]
            between = text[last.end : item.start]
            after = text[item.end : item.end + 1] or "."
            same = last.name == item.name or (last.name == "auc" and item.name.startswith("auc"))
            opened = re.fullmatch(r"\s?[(\[]\s?", between) is not None and after[:1] in ")]"
            spaced = (
                re.fullmatch(r"[^.;:,()]{0,60}[(\[]\s?", between) is not None and after[:1] in ")]"
            )
            if (same and (opened or spaced)) or (
                last.name == "cmax" and item.name == "cmax" and opened
            ):
                result[-1] = Parameter(
                    item.name, last.start, item.end + 1, item.horizon or last.horizon
                )
                continue
        result.append(item)
    return result
