"""The three kinds of words that matter in a sentence: names, values and products.

*Names* are Cmax, Tmax and the AUCs in their many spellings, and decoys (half-life, assay limit,
ratio), which take their own values away. *Values* are numbers with unit and dispersion; what is no
plain value (percentages, intervals, signed numbers, limits) is `void`: it fills its place and is
never taken. *Products* are test and reference, by the usual words or by what a document calls them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from agmpk.literature.text import NUMBER_TEXT, power_of_ten
from agmpk.literature.units import Unit, scan_unit

KINDS = {"cmax": "concentration", "tmax": "time", "auc0_t": "auc", "auc0_inf": "auc", "auc": "auc"}
TEST, REFERENCE = "test", "reference"

_MATRIX = r"(?:plasma|serum|whole[- ]blood|blood|drug|observed|mean|measured)"
_B, _E = r"[\s_]?[\[({\s]{0,3}", r"(?:\s?[\])}]){0,2}"  # brackets around a subscript
_END_OF_AUC = (
    r"(?P<inf>∞|tot(?:al)?\b|inf\w*\.?|oo\b|¥|I\b)|(?P<t>t\s?last|last|tlqc|tz|tau|τ|all|ss|t|z|n|x"
    r"|\d+(?:\.\d+)?(?:\s?-?h(?:ours?|rs?)?\b|\s?min\b|\s?days?\b|\s?d\b)?)(?![A-Za-z])"
)
_NAMES = re.compile(
    rf"(?P<tmax>\b[Tt]{_B}[Mm](?:ax|AX){_E}(?:,?\s?ss\b)?|\b[Tt]imes?(?: (?:required|taken|needed))? "
    rf"(?:to|of|until|at which)(?: the)?(?: reach(?:ing)?| attain\w*| achiev\w*)?(?: the)? "
    rf"(?:peaks?|maxim\w+|C{_B}max{_E})(?: {_MATRIX})*(?: concentrations?| levels?)?"
    rf"|\b[Pp]eak times?\b)"
    rf"|(?P<cmax>\b[Cc]{_B}p?\s?[Mm](?:ax|AX){_E}(?:,?\s?ss\b)?|\b(?:[Pp]eak|[Mm]axim(?:um|al)|[Hh]ighest)"
    rf"(?: {_MATRIX}| of)*(?: [a-z-]{{4,20}})?(?: {_MATRIX})* (?:concentrations?|levels?)"
    rf"|\b[Pp]eaks? of(?= \d)|\bpeaked at\b)"
    rf"|(?P<auc>\bAUCs?(?:{_B}(?:(?:0|zero)\s?(?:h\s?)?(?:-|→|~|,|to|/)*\s?)?(?:{_END_OF_AUC}){_E}(?:\s?h\b)?(?:,?ss\b)?)?"
    r"(?P<after> (?:\(?from )?(?:time )?(?:0|zero)? ?(?:extrapolated )?(?:to|-) (?:the )?"
    r"(?:infinity|∞|last|time t|\d+ ?h)[\w ]{0,40}?(?= \d|\)|[,;:.]| was| were| of| for| in))?"
    r"|\b[Aa]reas?(?: under(?: the)?[^,.;:()]{0,60}?curves?)?(?=\W)(?: ?\(AUCs?\))?"
    r"(?P<tail> \(?(?:values )?(?:from |between )?(?:time )?(?:0|zero)?(?: h)?[^,;.()]{0,25}?(?:to|-|and) (?:the )?"
    r"(?:(?P<winf>infinity|∞)|last[\w ]{0,25}?(?:concentration|sample|point)?|time t|\d+ ?h(?:ours)?)\b\)?)?)"
)
# Names whose values are not ours. A `poison` voids every value of its run of names.
_DECOY = re.compile(
    r"(?P<time>\b[tT]\s?\(?(?:1\s?/\s?2|½)\)?\w*|\bhalf[- ]li(?:fe|ves)|\bMRT\w*|\bresidence times?"
    r"|\bT\s?lag|\blag[- ]?time)"
    r"|(?P<level>\bC\s?\(?(?:min|av|avg|trough|ss)\)?\b(?:,ss)?|\b(?:trough|baseline|endogenous) (?:concentr\w+|levels?))"
    r"|(?P<other>\bk\s?\(?el\)?\b|λ\s?z|\bV\s?d?\s?/\s?F|\bCL\s?/\s?F|\bclearance|\bweigh\w+|\bBMI\b|\baged?\b"
    r"|\bheight|\bAUMC\w*|\bAUEC?\w*|\brecover\w+|\bsampl\w+|\bwash-?out)"
    r"|(?P<poison>\bratios?\b|\bGMRs?\b|\bconfidence (?:intervals?|limits?)|\b9[05] ?% ?CIs?(?! ?\))|\bCIs\b|\bpoint estimates?"
    r"|\b(?:L?LOQ|LOD)\b|\b(?:limits?|linear\w*|calibrat\w+|threshold|cut-?off|therapeutic|toxic\w*|target|ceiling)\b"
    r"|\bdifferences? (?:\((?:test|T)|(?:were|was|of|in means?)(?: was)? [-+]?\d|between the means)|\bmean differences?|\bdiffered by|\bdecreas\w+ (?:of|by)|\bincreas\w+ (?:of|by)"
    r"|\b(?:intra|within)-?\s?(?:subject|individual)\b|\b(?:ln|log)-?\s?transformed|\b(?:ln|log)\s?\(?(?=C|A)"
    r"|\b(?:previous(?:ly)?|earlier|literature|published|simulated|predicted)\b)"
)
_VOID_BEFORE = re.compile(
    r"(?:[<>≤≥~]|\b[pPrRfF]2?\s?=|\b[nN]\s?=|[+±]|(?<![\d)] )(?<!\d)-|\b(?:by|day|table|fig\.?|phase|over|above|below|exceed\w*"
    r"|at least|up to|more than|less than|least|within|between|from|\d to) (?:about )?)\s?$"
)
_LABEL = (
    r"(?P<{0}>±|(?:inter|between)[-\w]* ?CV|g?CV[bw]?\s?%?|%\s?g?CV|geometric CV ?%?|s\.?d\.?|standard deviation"
    r"|s\.?e\.?m?\.?|standard error|range|min\s?[-,/]\s?max|IQR|interquartile range|9[05] ?% ?CI|CI(?: 9[05] ?%)?)"
)
_SPREAD = re.compile(
    rf"\s?[(\[,]?\s?±\s?(?:SD |SE )?(?P<pm>{NUMBER_TEXT})\s?(?P<pmp>%)?\s?[)\]]?"
    rf"|\s?[(\[]\s?(?:{_LABEL.format('l1')}\s?[:,=]?\s?(?:of )?)?±?\s?(?P<a>{NUMBER_TEXT})\s?(?P<pa>%)?"
    rf"(?:\s?(?:-|to|,|;)\s?(?P<b>{NUMBER_TEXT})\s?(?P<pb>%)?)?(?P<rest>[^()\[\]\d]{{0,16}})[)\]]"
    rf"|\s?,?\s(?:with a )?{_LABEL.format('l2')}\s?[:,=]?\s?(?:of )?(?P<c>{NUMBER_TEXT})\s?(?P<pc>%)?",
    re.I,
)


@dataclass(frozen=True)
class Name:
    """A parameter name; `kind` is the kind of unit its values carry, empty for a decoy without."""

    name: str
    start: int
    end: int
    kind: str = ""
    unit: Unit | None = None  # printed behind the name: `Cmax (ng/mL)`


@dataclass(frozen=True)
class Value:
    """A printed number at `start:end` (its digits at `start:stop`) with unit and dispersion."""

    number: float
    start: int
    stop: int
    end: int
    unit: Unit | None = None
    dispersion: float | str | None = None
    dispersion_type: str | None = None
    void: bool = False

    @property
    def kind(self) -> str:
        return self.unit.kind if self.unit else ""


@dataclass(frozen=True)
class Mark:
    """A product named at `start:end`; two adjacent ones (`test and reference`) set an `order`."""

    arms: tuple[str, ...]
    start: int
    end: int


def find_names(text: str) -> list[Name]:
    """Parameter names in order; a name spelled out and abbreviated in brackets is one."""
    found: list[Name] = []
    for match in _DECOY.finditer(text):
        kind = {"time": "time", "level": "concentration"}.get(match.lastgroup or "", "")
        name = "poison" if match.lastgroup == "poison" else "decoy"
        found.append(Name(name, *match.span(), kind))
    for match in _NAMES.finditer(text):
        if any(n.start <= match.start() < n.end or match.start() <= n.start < match.end() for n in found if n.name == "decoy"):
            continue
        name = next(k for k in ("tmax", "cmax", "auc") if match[k])
        if name == "auc":
            tail = (match["after"] or match["tail"] or "").lower()
            lead = text[max(0, match.start() - 30) : match.start()].lower()
            if match["inf"] or "inf" in tail or "∞" in tail or "extrapolated" in lead + tail or "to infinity, " in lead:
                name = "auc0_inf"
            elif match["t"] or tail:
                name = "auc0_t"
        end = match.end() - (match.group().count(")") > match.group().count("("))  # of `(Cmax)`
        found.append(Name(name, match.start(), end, KINDS[name]))
    merged: list[Name] = []
    for item in sorted(found, key=lambda n: n.start):
        last = merged[-1] if merged else None
        if last and item.start < last.end:
            continue
        if last and last.kind == item.kind != "" and (last.name == item.name or last.name == "auc"):
            between = text[last.end : item.start]
            if re.fullmatch(r"[^.;:,\d]{0,40}[(\[]\s?", between) and "decoy" not in (last.name, item.name):
                merged[-1] = replace(item, start=last.start)
                continue
        merged.append(item)
    return [replace(n, unit=_unit_behind(text, n)) if n.kind else n for n in merged]


def _unit_behind(text: str, name: Name) -> Unit | None:
    match = re.compile(r"\s?[(\[,]\s?").match(text, name.end)
    found = scan_unit(text, match.end()) if match else None
    if found and found[1].kind == name.kind and text[found[0] : found[0] + 2].strip()[:1] in ")],:;":
        return found[1]
    return None


def spread_type(label: str | None, percent: bool, text: str) -> str | None:
    """The kind of a dispersion: by its own label, its percent sign, or what the text announces."""
    word = re.sub(r"[\s.]", "", (label or "").lower())
    if "ci" in word.replace("coefficient", ""):
        return "90% CI" if "90" in word else "95% CI"
    if percent or "cv" in word:
        return "CV%"
    if word in ("se", "sem", "standarderror"):
        return "SEM"
    if word in ("iqr", "interquartilerange"):
        return "IQR"
    if word.startswith(("range", "min")):
        return "range"
    if word in ("sd", "standarddeviation"):
        return "SD"
    if re.search(r"(?:±\s?|\(\s?±?\s?|\[|/|, )(?:SEM?|standard errors?)\b", text):
        return "SEM"
    if re.search(r"[(\[,]\s?%?\s?g?CV[bw]?\s?%?\s?[)\]]|geometric CV\b|\bCVs? %|%\s?CV", text) and word != "±":
        return "CV%"
    if word == "±" or re.search(r"\bSDs?\b|\bS\.D\.|standard deviations?", text):
        return "SD"
    return None


def find_values(text: str, names: list[Name], announced: str = "") -> list[Value]:
    """Every number that is not part of a name, in order; what is no plain value is `void`."""
    values: list[Value] = []
    at = 0
    for match in re.finditer(rf"(?<![\w.^])(?<![A-Za-z]-){NUMBER_TEXT}(?![\w]*\d)", text):
        if match.start() < at or any(n.start <= match.start() < n.end for n in names):
            continue
        value = _read_value(text, match, announced)
        if value is not None:
            values.append(value)
            at = max(value.end, match.end())
    return _shared_units(text, values)


def _read_value(text: str, match: re.Match[str], announced: str) -> Value | None:
    if re.match(r"-[A-Za-z]|\s?(?:st|nd|rd|th|fold|years?)\b|\s?(?:of|out of)\s\d", text[match.end() :]):
        return None
    factor, stop = power_of_ten(text, match.end())
    void = bool(_VOID_BEFORE.search(text[max(0, match.start() - 14) : match.start()]))
    void |= factor is None  # `1.2 × 103`: a power of ten that lost its exponent
    void |= match.group() == "10" and text[stop : stop + 1] == "^"
    number = float(match.group()) * (factor or 1.0)
    value = Value(number, match.start(), stop, stop, void=void)
    footnote = re.compile(r"\^\d").match(text, stop)
    cursor = footnote.end() if footnote else stop
    plain = re.compile(rf"\s?(?:-|to|–)\s?[+-]?{NUMBER_TEXT}").match(text, cursor)
    if plain:
        return replace(value, end=plain.end(), void=True)
    for _ in range(4):
        label = re.compile(r"\s?\((?:test|reference|[A-Z])\)(?=\s?[a-zµ(])").match(text, cursor)
        found = None if value.unit else scan_unit(text, label.end() if label else cursor)
        if found:
            cursor = found[0] + (text[found[0] : found[0] + 1] in ")]" and text.count("(", stop, found[0]) > 0)
            if found[1].kind in ("mass", "mass/weight", "volume"):
                return None
            value = replace(value, unit=found[1], void=value.void or found[1].kind == "percent")
            continue
        spread = None if value.dispersion is not None else _SPREAD.match(text, cursor)
        if spread and (read := _read_spread(text, spread, value, announced)):
            value, cursor = read, spread.end()
            continue
        if text[match.start() - 1 : match.start()] in ("(", "[") and (close := re.compile(r"\s?[)\]]").match(text, cursor)):
            cursor = close.end()
            continue
        break
    return replace(value, end=cursor)


def _read_spread(text: str, m: re.Match[str], value: Value, announced: str) -> Value | None:
    label = m["l1"] or m["l2"] or ("±" if m["pm"] or "±" in m.group() else None)
    factor, _ = power_of_ten(text, m.start("pm") + len(m["pm"])) if m["pm"] else (1.0, 0)
    rest = (m["rest"] or "").strip()
    inner = scan_unit(rest) if rest else None
    if rest and not (inner and inner[1].kind == value.kind) and not re.fullmatch(r"(?:g?CV|SD|[a-z*†‡])%?", rest):
        return None
    if m["b"]:
        if m["pa"] or m["pb"] or float(m["a"]) > float(m["b"]):
            return None
        words = announced.lower()
        kind = spread_type(label, False, "") if label else None
        kind = kind or ("IQR" if "iqr" in words or "interquartile" in words else None)
        kind = kind or ("95% CI" if re.search(r"95 ?% ?ci", words) else "range")
        return replace(value, dispersion=f"{m['a']}-{m['b']}", dispersion_type=kind)
    number = m["pm"] or m["a"] or m["c"]
    percent = bool(m["pmp"] or m["pa"] or m["pc"])
    kind = spread_type(label if label != "±" or m["pm"] else None, percent or "cv" in rest.lower(), announced)
    if kind is None or factor is None or (kind in ("SD", "SEM") and factor == 1.0 and _has_power(text, value)):
        return value if label is None else None
    return replace(value, dispersion=float(number) * factor, dispersion_type=kind)


def _has_power(text: str, value: Value) -> bool:
    return bool(re.search(r"[×x*]\s?10", text[value.start : value.stop]))


_CONNECTOR = re.compile(
    r"(?:[\s,;/:()\[\].-]|\b(?:and|or|vs|versus|against|to|with|for|in|after|by|following|from|the|of|a|an|compared"
    r"|respectively|was|were|than|while|whereas|mean|at|that|tablets?|capsules?|products?|formulations?|groups?|test"
    r"|reference|generic|brand\w*|innovator|originator|[A-Z]\w*)\b)*"
)


def _shared_units(text: str, values: list[Value]) -> list[Value]:
    """`6.0 and 6.3 ng/mL`: a number without a unit takes that of the next one in its list."""
    result = list(values)
    for i in range(len(result) - 2, -1, -1):
        here, after = result[i], result[i + 1]
        if here.unit or here.void or after.void or after.kind not in KINDS.values():
            continue
        if _CONNECTOR.fullmatch(text, here.end, after.start):
            result[i] = replace(here, unit=after.unit)
    return result


# ------------------------------------------------------------------------------------- products
_FORM = r"(?:products?|formulations?|tablets?|capsules?|brands?|drugs?|preparations?|suspensions?|treatments?|forms?|medications?|arms?|groups?|lots?|syrups?|solutions?|versions?|patch(?:es)?|ODTs?|granules)"
_WORDS = {
    TEST: rf"\b(?<!-)(?<!to )(?<![ 'a-z]t )test\b(?! for\b| of\b| was used|-day)|\bgenerics?\b|\bbiosimilar\b|\bcandidate\b"
    rf"|\b(?:new|local|newly developed|proposed|study|investigational|experimental|domestic|novel)\b(?= (?:[\w-]+ ){{0,2}}?{_FORM}\b)|\bthe former\b",
    REFERENCE: rf"\breference\b|(?<!test )(?<!reference )(?<!each )(?<!either )(?<!other )(?<!new )\bbrand(?:ed|[- ]name)?\b(?! (?:[A-Z]|I+)\b)|\binnovator\b|\boriginator\b|\bcomparator\b|\bRLD\b|\bthe latter\b"
    rf"|\b(?:marketed|conventional|standard|established|original|older|commercial|listed|imported)\b(?= (?:[\w-]+ ){{0,2}}?{_FORM}\b)",
}
_ROLE = r"(?P<role>test|reference|generic|innovator|originator|brand(?:ed| name)?|comparator|biosimilar|new generic|new|standard|marketed|imported|domestic|local)"
_DECLARED = tuple(
    re.compile(p)
    for p in (
        # Glizon (Medex) as the test product; A (test); syrup (test); treatment A, test
        rf"\b(?P<name>[A-Z][\w-]*|[a-z]{{4,}})®?(?: {_FORM})?\s?(?:\((?!test|ref|the)[^()]{{0,40}}\) )?(?:as|\(|,|:|is|was|are|were|being|=)\s?(?:as )?(?:an? |the )?(?:new )?{_ROLE}\b(?! (?:and|or|vs\.?) (?:the )?(?:ref|test|brand|innov|gen))(?:[ \w]*[,)]| and| tablet| product| formul| capsule| drug|\.|$)",
        # test (A); reference product (Diamicron); test tablet, T
        rf"\b{_ROLE}(?: {_FORM})?(?: {_FORM})?\s?[(\[,]\s?(?:{_FORM} )?(?P<name>[A-Z]|[A-Z][a-z][\w-]+)®?\s?[)\],;]",
    )
)


class Products:
    """Finds which product a stretch of text speaks of, with what a document calls its two."""

    def __init__(self, text: str) -> None:
        self.names: dict[str, str] = {}
        clashing: set[str] = set()
        for pattern in _DECLARED:
            for m in pattern.finditer(text):
                arm = REFERENCE if re.search(r"ref|innov|orig|brand|compar|stand|market|import", m["role"]) else TEST
                name = m["name"].rstrip("s") if m["name"].islower() else m["name"]
                if not re.fullmatch(r"and|with|test|reference|product|formulation|drug|treatment|brand|generic|which|this|dose|subject|volunteer|group|preparation|new|the", name):
                    clashing |= {name} if self.names.setdefault(name, arm) != arm else set()
        opposite = {TEST: "reference", REFERENCE: "(?:test|generic|new)"}
        for name, arm in self.names.items():  # `test tablet` and `tablet (reference)`
            if re.search(rf"\b{opposite[arm]} (?:\w+ )?{re.escape(name)}", text, re.I):
                clashing.add(name)
        self.names = {n: a for n, a in self.names.items() if n not in clashing}
        if re.search(r"\((?:T|R)\)|\bT (?:and|vs\.?|or) R\b|\bT:", text) and "T" not in self.names:
            self.names |= {"T": TEST, "R": REFERENCE}
        tests = re.search(_WORDS[TEST], text, re.I)
        for m in re.finditer(r"(?:compared (?:with|to)|versus|vs\.?|against|replace|and) (?P<n>[A-Z][a-z][\w-]+)\b|\b(?P<m>[A-Z][\w-]+)\s?[®™]", text):
            name = m["n"] or m["m"]
            repeated = len(re.findall(rf"\b{name}\b", text)) > 1
            if tests and repeated and name not in self.names and name.lower() not in text.replace(name, ""):
                self.names[name] = REFERENCE
        named = "|".join(f"{re.escape(n)}s?" if n.islower() else re.escape(n) for n in sorted(self.names, key=len, reverse=True))
        self._named = re.compile(rf"(?<!-)\b(?P<n>{named})\b(?![-/]\d)" if named else r"(?!)")
        self._words = [(arm, re.compile(p, re.I)) for arm, p in _WORDS.items()]

    def _arm(self, name: str) -> str:
        return self.names.get(name) or self.names[name.rstrip("s")]

    def find(self, text: str) -> list[Mark]:
        """Marks in order; products side by side (`test and reference`) become one mark."""
        found = [Mark((arm,), *m.span()) for arm, p in self._words for m in p.finditer(text)]
        found += [Mark((self._arm(m["n"]),), *m.span()) for m in self._named.finditer(text)]
        marks: list[Mark] = []
        for mark in sorted(found, key=lambda m: (m.start, -m.end)):
            last = marks[-1] if marks else None
            if last and mark.start < last.end:
                continue
            if last:
                gap = re.sub(r"\([^()]{0,30}\)", "", text[last.end : mark.start])
                if mark.arms == last.arms[-1:] and re.fullmatch(rf"[\s(,]*(?:{_FORM}|the|an?|\(?|,|\s|[\w-]+){{0,4}}[\s(,]*", gap) and len(gap) < 25 and not re.search(r"\d", gap):
                    marks[-1] = replace(last, end=mark.end)
                    continue
                if re.fullmatch(r"[^.;:\d]{0,45}?(?:\band\b|\bor\b|\bvs\.?|\bversus\b|/|,|-|\bthen\b)[^.;:\d]{0,22}|; ?", gap) and len(last.arms) < 2 and not find_names(gap):
                    marks[-1] = Mark(last.arms + mark.arms, last.start, mark.end)
                    continue
            marks.append(mark)
        return marks
