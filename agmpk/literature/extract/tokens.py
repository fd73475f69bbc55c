"""The three kinds of words that matter in a sentence: names, values and products.

*Names* are Cmax, Tmax and the AUCs in their many spellings, and decoys (half-life, assay limit,
ratio), which take their own values away. *Values* are numbers with unit and dispersion; what is no
plain value (percentages, intervals, signed numbers, limits) is `void`: it fills its place and is
never taken. *Products* are test and reference, by the usual words or by what a document calls them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from agmpk.literature.schema import dispersion_type
from agmpk.literature.text import NUMBER_TEXT, power_of_ten
from agmpk.literature.units import Unit, scan_unit

KINDS = {"cmax": "concentration", "tmax": "time", "auc0_t": "auc", "auc0_inf": "auc", "auc": "auc"}
TEST, REFERENCE = "test", "reference"

# B and E are the brackets around a subscript, M what is measured; blanks are written \s.
_PARTS = {
    "B": r"[\s_]?[\[({\s]{0,3}",
    "E": r"(?:\s?[\])}]){0,2}(?:,?\s?ss\b)?",
    "M": r"(?:plasma|serum|whole[-\s]blood|blood|drug|observed|mean|measured)",
}
_NAMES = re.compile(
    r"""(?P<tmax> \bt<B>max<E> | \bpeak\stimes?\b | \btimes?(?:\s(?:required|taken|needed))?
        \s(?:to|of|until|at\swhich)(?:\sthe)?(?:\s(?:reach|attain|achiev)\w*)?(?:\sthe)?
        \s(?:peaks?|maxim\w+|C<B>max<E>)(?:\s<M>)*(?:\s(?:concentrations?|levels?))?)
    | (?P<cmax> \bC<B>p?\s?max<E> | \bpeaks?\sof(?=\s\d) | \bpeaked\sat\b
        | \b(?:peak|maxim(?:um|al)|highest)(?:\s<M>|\sof)*(?:\s[a-z-]{4,20})?(?:\s<M>)*
        \s(?:concentrations?|levels?))
    | (?P<auc> \bAUCs?(?:<B>(?:(?:0|zero)\s?(?:h\s?)?(?:-|→|~|,|to|/)*\s?)?
            (?:(?P<inf>∞|tot(?:al)?\b|inf\w*\.?|oo\b|¥|I\b)|(?P<t>t\s?last|last|tlqc|tz|tau|τ|all
            |ss|t|z|n|x|\d+(?:\.\d+)?(?:\s?-?h(?:ours?|rs?)?\b|\s?min\b|\s?d(?:ays?)?\b)?)
            (?![A-Za-z]))<E>(?:\s?h\b)?)?
          (?P<after>\s(?:\(?from\s)?(?:time\s)?(?:0|zero)?\s?(?:extrapolated\s)?(?:to|-)\s(?:the\s)?
            (?:infinity|∞|last|time\st|\d+\s?h)[\w\s]{0,40}?
            (?=\s\d|\)|[,;:.]|\swas|\swere|\sof|\sfor|\sin))?
        | \bareas?(?:\sunder(?:\sthe)?[^,.;:()]{0,60}?curves?)?(?=\W)(?:\s?\(AUCs?\))?
          (?P<tail>\s\(?(?:values\s)?(?:from\s|between\s)?(?:time\s)?(?:0|zero)?(?:\sh)?
            [^,;.()]{0,25}?(?:to|-|and)\s(?:the\s)?(?:infinity|∞|time\st|\d+\s?h(?:ours)?
            |last[\w\s]{0,25}?(?:concentration|sample|point)?)\b\)?)?)""".replace(
        "<B>", _PARTS["B"]
    )
    .replace("<E>", _PARTS["E"])
    .replace("<M>", _PARTS["M"]),
    re.X | re.I,
)
# Names whose values are not ours. A `poison` voids every value of its run of names.
_DECOY = re.compile(
    r"""(?P<time> \bt\s?\(?(?:1\s?/\s?2|½)\)?\w* | \bhalf[-\s]li(?:fe|ves) | \bMRT\w* | \bT\s?lag
        | \bresidence\stimes? | \blag[-\s]?time)
    | (?P<level> \bC\s?\(?(?:min|av|avg|trough|ss)\)?\b(?:,ss)?
        | \b(?:trough|baseline|endogenous)\s(?:concentr\w+|levels?))
    | (?P<decoy> \bk\s?\(?el\)?\b | λ\s?z | \bV\s?d?\s?/\s?F | \bCL\s?/\s?F | \bclearance | \bBMI\b
        | \bweigh\w+ | \baged?\b | \bheight | \bAUMC\w* | \bAUEC?\w* | \brecover\w+ | \bsampl\w+)
    | (?P<poison> \bratios?\b | \bGMRs?\b | \bconfidence\s(?:intervals?|limits?) | \bCIs\b
        | \b9[05]\s?%\s?CIs?(?!\s?\)) | \bpoint\sestimates? | \bL?LO[QD]\b | \blimits?\b | \blinear
        | \bcalibrat | \bthreshold | \bcut-?off | \btherapeutic | \btoxic | \btarget\b
        | \bmean\sdifferences? | \bdifferences?\s\((?:test|T)
        | \bdifferences?\sin\b(?=[^.;\d]{0,40}\s(?:was|were)\s[-+]?\d)
        | \bdifferences?\sbetween\sthe\smeans
        | \bdifferences?\s(?:were|was|of|in)(?:\swas)?\s[-+]?\d | \bdiffered\sby
        | \b\w+creas\w+\s(?:of|by)
        | \b(?:intra|within)-?\s?(?:subject|individual)\b | \b(?:ln|log)\b
        | \b(?:previous(?:ly)?|earlier|literature|published|simulated|predicted)\b)""",
    re.X | re.I,
)
_VOID_BEFORE = re.compile(
    r"(?:[<>≤≥~]|\b[pPrRfF]2?\s?=|\b[nN]\s?=|[+±]|(?<![\d)] )(?<!\d)-|\b(?:by|day|table"
    r"|fig\.?|phase|over|above|below|exceed\w*|up to|than|least|within|between"
    r"|from|\d to) (?:about )?)\s?$"
)
_KIND = (
    r"(?:\b(?:inter|between)[-\w]* ?)?(?:g?CV[bw]?\s?%?|%\s?g?CV|geometric CV ?%?|s\.?d\.?"
    r"|standard deviation|s\.?e\.?m?\.?|standard error|range|min\s?[-,/]\s?max|IQR"
    r"|interquartile range|9[05] ?% ?CI|CI(?: 9[05] ?%)?)"
)
_SPREAD = re.compile(  # `± 1.5`, `(CV 31%)`, `(1.0-4.0)`, `, SD 0.9`
    rf"\s?[(\[,]?\s?±\s?(?:SD |SE )?(?P<pm>{NUMBER_TEXT})\s?(?P<pmp>%)?\s?[)\]]?"
    rf"|\s?[(\[]\s?(?:(?P<l1>{_KIND})\s?[:,=]?\s?(?:of )?)?±?\s?(?P<a>{NUMBER_TEXT})\s?(?P<pa>%)?"
    rf"(?:\s?(?:-|to|,|;)\s?(?P<b>{NUMBER_TEXT})\s?(?P<pb>%)?)?(?P<rest>[^()\[\]\d]{{0,16}})[)\]]"
    rf"|\s?,?\s(?:with a )?(?P<l2>{_KIND})\s?[:,=]?\s?(?:of )?(?P<c>{NUMBER_TEXT})\s?(?P<pc>%)?",
    re.I,
)


@dataclass(frozen=True)
class Name:
    """A parameter name; `kind` is the kind of unit its values carry, empty for a decoy without;
    `unit` the one printed behind it (`Cmax (ng/mL)`)."""

    name: str
    start: int
    end: int
    kind: str = ""
    unit: Unit | None = None


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
    """A product named at `start:end`; two side by side (`test and reference`) set an order."""

    arms: tuple[str, ...]
    start: int
    end: int


def find_names(text: str) -> list[Name]:
    """Parameter names in order; a name spelled out and abbreviated in brackets is one."""
    kinds = {"time": ("decoy", "time"), "level": ("decoy", "concentration")}
    found = []
    for match in _DECOY.finditer(text):
        name, kind = kinds.get(match.lastgroup or "", (match.lastgroup or "", ""))
        found.append(Name(name, *match.span(), kind))
    for match in _NAMES.finditer(text):
        name = next(k for k in ("tmax", "cmax", "auc") if match[k])
        words = f"{text[max(0, match.start() - 14) : match.start()]}{match['after']}{match['tail']}"
        if match["inf"] or re.search(r"inf|∞|extrapolated", words.lower()):
            name = "auc0_inf" if name == "auc" else name
        elif match["t"] or match["after"] or match["tail"]:
            name = "auc0_t" if name == "auc" else name
        end = match.end() - (match.group().count(")") > match.group().count("("))  # of `(Cmax)`
        found.append(Name(name, match.start(), end, KINDS[name], _unit_behind(text, end, name)))
    merged: list[Name] = []
    for item in sorted(found, key=lambda n: (n.start, -n.end)):
        last = merged[-1] if merged else None
        if last and item.start < last.end:
            continue
        if last and last.kind == item.kind != "" and last.name in (item.name, "auc"):
            if re.fullmatch(r"[^.;:,\d]{0,40}[(\[]\s?", text[last.end : item.start]):
                merged[-1] = replace(item, start=last.start)
                continue
        merged.append(item)
    return merged


def _unit_behind(text: str, end: int, name: str) -> Unit | None:
    match = re.compile(r"\s?[(\[,]\s?").match(text, end)
    found = scan_unit(text, match.end()) if match else None
    if found and found[1].kind == KINDS[name] and text[found[0] :].lstrip()[:1] in ")],:;":
        return found[1]
    return None


def find_values(text: str, names: list[Name], announced: str = "") -> list[Value]:
    """Every number that is not part of a name, in order; what is no plain value is `void`.

    `announced` is the text that says what a bare number in brackets is: `mean (SD)`.
    """
    values: list[Value] = []
    at = 0
    for match in re.finditer(rf"(?<![\w.^])(?<![A-Za-z]-){NUMBER_TEXT}(?![\w]*\d)", text):
        if match.start() < at or any(n.start <= match.start() < n.end for n in names):
            continue
        value = _read_value(text, match, announced)
        if value is not None:
            values.append(value)
            at = max(value.end, match.end())
    for i in range(len(values) - 2, -1, -1):  # `6.0 and 6.3 ng/mL`: the unit of the next one
        here, after = values[i], values[i + 1]
        if not (here.unit or here.void or after.void) and after.kind in KINDS.values():
            if _CONNECTOR.fullmatch(text, here.end, after.start):
                values[i] = replace(here, unit=after.unit)
    return values


_CONNECTOR = re.compile(
    r"(?:[\s,;/:()\[\].-]|\b(?:and|or|vs|versus|against|to|with|for|in|after|by|following|from|the|of"
    r"|an?|compared|respectively|was|were|than|while|whereas|mean|at|that|tablets?|capsules?|groups?"
    r"|products?|formulations?|test|reference|generic|brand\w*|innovator|originator|[A-Z]\w*)\b)*"
)


def _read_value(text: str, match: re.Match[str], announced: str) -> Value | None:
    behind = text[match.end() :]
    if re.match(r"-[A-Za-z]|\s?(?:st|nd|rd|th|fold|years?)\b|\s?(?:of|out of)\s\d", behind):
        return None
    factor, stop = power_of_ten(text, match.end())
    void = factor is None or (match.group() == "10" and behind[:1] == "^")
    void |= _VOID_BEFORE.search(text[max(0, match.start() - 14) : match.start()]) is not None
    number = float(match.group()) * (factor or 1.0)
    cursor = stop + 2 * bool(re.match(r"\^\d", text[stop:]))  # a footnote mark
    value = Value(number, match.start(), stop, stop, void=void)
    interval = re.compile(rf"\s?(?:-|to)\s?[+-]?{NUMBER_TEXT}").match(text, cursor)
    if interval:
        return replace(value, end=interval.end(), void=True)
    for _ in range(4):
        label = re.compile(r"\s?\((?:test|reference|[A-Z])\)(?=\s?[a-zµ(])").match(text, cursor)
        found = None if value.unit else scan_unit(text, label.end() if label else cursor)
        spread = None if value.dispersion is not None else _SPREAD.match(text, cursor)
        closing = re.compile(r"\s?[)\]]").match(text, cursor)
        if found:
            cursor = found[0] + (
                text[found[0] : found[0] + 1] in ")]" and "(" in text[stop : found[0]]
            )
            if found[1].kind in ("mass", "mass/weight", "volume"):
                return None
            value = replace(value, unit=found[1], void=value.void or found[1].kind == "percent")
        elif spread and (read := _read_spread(text, spread, value, announced)):
            value, cursor = read, spread.end()
        elif closing and text[match.start() - 1 : match.start()] in ("(", "["):
            cursor = closing.end()
        else:
            break
    if re.match(r"\s?[×x*]\s?10\b", text[cursor:]):  # `(1.2 ± 0.3) × 10³`: of what is not clear
        value = replace(value, void=True)
    return replace(value, end=cursor)


def _read_spread(text: str, m: re.Match[str], value: Value, announced: str) -> Value | None:
    """The value with its dispersion; None where the bracket holds something else."""
    rest = (m["rest"] or "").strip()
    inner = scan_unit(rest)[1].kind if rest and scan_unit(rest) else ""
    if rest and inner != value.kind and not re.fullmatch(r"(?:g?CV|SD|[a-z*†‡])%?", rest):
        return None
    label = m["l1"] or m["l2"] or rest.replace("%", " CV") or None
    if m["b"]:
        if m["pa"] or m["pb"] or float(m["a"]) > float(m["b"]):
            return None
        kind = dispersion_type(label) or dispersion_type(_interval_word(announced)) or "range"
        return replace(value, dispersion=f"{m['a']}-{m['b']}", dispersion_type=kind)
    plus = m["pm"] is not None or "±" in m.group()
    kind = "CV%" if m["pmp"] or m["pa"] or m["pc"] else dispersion_type(label)
    kind = kind or _announced(announced, plus)
    if kind is None or power_of_ten(text, m.end())[0] != 1.0:
        return value
    return replace(value, dispersion=float(m["pm"] or m["a"] or m["c"]), dispersion_type=kind)


def _interval_word(announced: str) -> str:
    found = re.search(r"IQR|interquartile|95 ?% ?CI", announced)
    return found.group() if found else ""


def _announced(text: str, plus: bool) -> str | None:
    """What a number behind ± or in brackets is, by what the text says of its numbers."""
    if re.search(r"(?:±\s?|[(\[/]\s?±?\s?|, )(?:SEM?|standard errors?)\b", text):
        return "SEM"
    if not plus and re.search(
        r"[(\[,]\s?%?\s?g?CV[bw]?\s?%?\s?[)\]]|geometric CV\b|CVs? ?%|% ?CV", text
    ):
        return "CV%"
    return "SD" if plus or re.search(r"\bSDs?\b|\bS\.D\.|standard deviations?", text) else None


# ------------------------------------------------------------------------------------- products
_FORM = (
    r"(?:products?|formulations?|tablets?|capsules?|brands?|drugs?|preparations?|suspensions?|forms?"
    r"|treatments?|medications?|arms?|groups?|lots?|syrups?|solutions?|versions?|ODTs?|devices?)"
)
_USUAL = re.compile(
    rf"""(?P<test> (?<!-)(?<!to\s)(?<!['a-z\s]\st\s)(?<!\bt\s)\btest\b(?!\sfor\b|\sof\b)
        | \bgenerics?\b
        | \bbiosimilar\b | \bcandidate\b | \bthe\sformer\b
        | \b(?:new|local|newly\sdeveloped|proposed
        |study|investigational|domestic|novel)\b(?=\s(?:[\w-]+\s){{0,2}}?{_FORM}\b))
    | (?P<reference> \breference\b | \binnovator\b | \boriginator\b | \bcomparator\b | \bRLD\b
        | (?<!test\s)(?<!reference\s)(?<!each\s)(?<!either\s)(?<!other\s)(?<!new\s)
        \bbrand(?:ed|[-\s]name)?\b(?!\s(?-i:[A-Z]|I+)\b) | \bthe\slatter\b
        | \b(?:marketed|conventional|standard|established|original|older|commercial|imported)\b
        (?=\s(?:[\w-]+\s){{0,2}}?{_FORM}\b))""",
    re.X | re.I,
)
_ROLE = (
    r"(?P<role>test|reference|generic|innovator|originator|brand(?:ed| name)?|comparator|biosimilar"
    r"|new|standard|marketed|imported|domestic|local)\b"
)
_DECLARED = (  # `Glizon (Medex) as the test product`, `syrup (test)`; `test (A)`, `test tablet, T`
    rf"\b(?<![\w-])(?P<name>[A-Z][\w-]{{0,30}}|[a-z]{{4,30}})®?(?: {_FORM})?\s?"
    rf"(?:\((?!test|ref|the)[^()]{{0,40}}\) )?"
    rf"(?:as|\(|,|:|is|was|are|were|being|=)\s?(?:as )?(?:an? |the )?(?:new )?{_ROLE}"
    r"(?! (?:and|or|vs\.?) (?:the )?(?:ref|test|brand|innov|gen))"
    r"(?:[ \w]*[,)]| and| tablet| product| formul| capsule| drug|\.|$)",
    rf"\b{_ROLE}(?: {_FORM})?(?: {_FORM})?\s?[(\[,]\s?(?:{_FORM} )?"
    r"(?P<name>[A-Z]|[A-Z][a-z][\w-]+)®?\s?[)\],;]",
)
_NO_NAME = (
    "and with test reference product formulation drug treatment brand generic which this dose "
    "subject volunteer group preparation new the"
).split()
_BRAND = (
    r"(?:compared (?:with|to)|versus|vs\.?|against|replace|and) (?P<n>[A-Z][a-z][\w-]+)\b"
    r"|(?<![\w-])(?P<m>[A-Z][\w-]{1,30})\s?[®™]"
)


class Products:
    """Finds which product a stretch of text speaks of, with what a document calls its two."""

    def __init__(self, text: str) -> None:
        found: list[tuple[str, str]] = []
        for match in (m for p in _DECLARED for m in re.finditer(p, text)):
            name = match["name"].rstrip("s") if match["name"].islower() else match["name"]
            of_reference = re.match(
                r"ref|innov|orig|brand|compar|stand|market|import", match["role"]
            )
            if name not in _NO_NAME and not find_names(name):
                found.append((name, REFERENCE if of_reference else TEST))
        opposite = {TEST: "reference", REFERENCE: "(?:test|generic|new)"}
        clash = {n for n, arm in found if (n, TEST if arm == REFERENCE else REFERENCE) in found}
        clash |= {  # `the test tablet` beside `tablet (reference)`
            n
            for n, arm in found
            if re.search(rf"\b{opposite[arm]} (?:\w+ )?{re.escape(n)}", text, re.I)
        }
        self.names = {n: arm for n, arm in reversed(found) if n not in clash}
        if re.search(r"\((?:T|R)\)|\bT (?:and|vs\.?|or) R\b|\bT:", text) and "T" not in self.names:
            self.names |= {"T": TEST, "R": REFERENCE}
        for match in re.finditer(_BRAND, text):  # a trade name beside a generic is the reference
            name = match["n"] or match["m"]
            if (
                name not in self.names
                and not find_names(name)
                and len(re.findall(rf"\b{name}\b", text)) > 1
            ):
                if any(m["test"] for m in _USUAL.finditer(text)) and name.lower() not in text:
                    self.names[name] = REFERENCE
        known = sorted(self.names, key=len, reverse=True)
        words = "|".join(re.escape(n) + ("s?" if n.islower() else "") for n in known)
        self._named = re.compile(rf"(?<!-)\b(?:{words})\b(?![-/]\d)" if words else r"(?!)")

    def find(self, text: str) -> list[Mark]:
        """Marks in order; products side by side (`test and reference`) become one mark."""
        found = [Mark((m.lastgroup or "",), *m.span()) for m in _USUAL.finditer(text)]
        for m in self._named.finditer(text):
            arm = self.names.get(m.group()) or self.names[m.group().rstrip("s")]
            found.append(Mark((arm,), *m.span()))
        marks: list[Mark] = []
        for mark in sorted(found, key=lambda m: (m.start, -m.end)):
            last = marks[-1] if marks else Mark(("",), 0, 0)
            gap = re.sub(r"\([^()]{0,30}\)", "", text[last.end : mark.start])
            if mark.start < last.end:
                continue
            if (
                mark.arms == last.arms[-1:]
                and len(gap) < 25
                and not re.search(r"[\d.;:]|\band\b", gap)
            ):
                marks[-1] = replace(last, end=mark.end)
            elif (
                last.arms != ("",)
                and len(last.arms) == 1
                and re.fullmatch(
                    r"[^.;:\d]{0,45}?(?:\b(?:and|or|vs|versus|then)\b|[/,-])[^;:\d]{0,22}|; ?", gap
                )
                and not find_names(gap)
            ):
                marks[-1] = Mark(last.arms + mark.arms, last.start, mark.end)
            else:
                marks.append(mark)
        return marks
