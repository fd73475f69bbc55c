"""The three kinds of words that matter in a sentence: names, values and products.

*Names* are Cmax, Tmax and the AUCs in their many spellings, and decoys (half-life, assay limit,
ratio), which take their own values away. *Values* are numbers with unit and dispersion; what is no
plain value (percentages, intervals, signed numbers, limits) is `void`: it fills its place and is
never taken. *Products* are test and reference, by the usual words or by what a document calls them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from agmpk.config import load_yaml
from agmpk.literature.schema import dispersion_type
from agmpk.literature.text import NUMBER_TEXT, power_of_ten
from agmpk.literature.units import Unit, scan_unit

_LEXICON = load_yaml(Path(__file__).with_name("lexicon.yaml"))


def words(name: str) -> list[str]:
    """The entries of a list of `lexicon.yaml`, in order."""
    return _LEXICON[name].split()


@cache
def fill(pattern: str) -> str:
    """`pattern` with any entry of a list where `{name}` stands, also inside the entries."""
    return re.sub(r"{([a-z]\w+)}", lambda m: f"(?:{fill('|'.join(words(m[1])))})", pattern)


def regex(pattern: str, flags: int = re.I) -> re.Pattern[str]:
    """A compiled pattern, filled."""
    return re.compile(fill(pattern), flags)


KINDS = {"tmax": "time", "cmax": "concentration", "auc0_inf": "auc", "auc0_t": "auc", "auc": "auc"}
_DECOYS = {"time": "time", "level": "concentration", "decoy": "", "poison": ""}
TEST, REFERENCE = "test", "reference"

_NAMES = regex("|".join(f"(?P<{k}>{{{k}}})" for k in (*KINDS, *_DECOYS)))
_VOID_BEFORE, _BEHIND = regex(r"{void}\s?$", 0), regex("{void_behind}", 0)
_COUNTED, _INTERVAL = regex("{counted}", 0), regex("{interval}", 0)
_SPREAD = re.compile(  # `± 1.5`, `(CV 31%)`, `(1.0-4.0)`, `, SD 0.9`; in brackets a `rest`
    rf"[\s,]{{0,3}}(?P<open>[(\[]\s?)?(?:with a )?"
    rf"(?:(?P<label>(?:\b(?:inter|between)[-\w]* ?)?{fill('{spread}')})\s?[:,=]?\s?(?:of )?)?"
    rf"(?P<pm>±\s?(?:SD |SE )?)?(?P<a>{NUMBER_TEXT})\s?(?P<percent>%)?"
    rf"(?(open)(?:\s?(?:-|to|,|;)\s?(?P<b>{NUMBER_TEXT})(?P<twice>\s?%)?)?(?P<rest>[^()\[\]\d]"
    rf"{{0,16}})[)\]]|(?(pm)\s?[)\]]?|(?(label)(?:\s?(?:-|to)\s?(?P<c>{NUMBER_TEXT}))?|(?!))))",
    re.I,
)
_SAID = {"SEM": "{said_sem}", "CV%": "{said_cv}", "SD": "{said_sd}"}  # of all numbers: `mean (SD)`
_CONNECTOR = regex(r"(?:[\s,;/:()\[\].-]|\b{connector}\b)*", 0)


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


def find_names(text: str) -> list[Name]:
    """Names and decoys in order; a name spelled out and abbreviated in brackets is one."""
    found: list[Name] = []
    for match in _NAMES.finditer(text):
        name, kind = match.lastgroup, (KINDS | _DECOYS)[match.lastgroup]
        start, end = match.span()
        last = found[-1] if found else Name("", 0, 0)
        between = re.fullmatch(r"[^.;:,\d]{0,40}[(\[]\s?", text[last.end : start])
        if between and last.kind == kind != "" and last.name in (name, "auc"):
            start = found.pop().start
        unit = scan_unit(text, re.compile(r"\s?[(\[,;]?\s?").match(text, end).end())
        closed = unit and unit[1].kind == kind and text[unit[0] :].lstrip()[:1] in ")],:;"
        found.append(Name(name, start, end, kind, unit[1] if closed else None))
    return found


def find_values(text: str, names: list[Name], announced: str = "") -> list[Value]:
    """Every number that is not part of a name, in order; what is no plain value is `void`.

    `announced` is the text that says what a bare number in brackets is: `mean (SD)`.
    """
    values: list[Value] = []
    for match in re.finditer(rf"(?<![\w.^])(?<![A-Za-z]-){NUMBER_TEXT}(?![\w]*\d)", text):
        taken = any(x.start <= match.start() < x.end for x in (*names, *values[-1:]))
        if not taken and (value := _read_value(text, match, announced)):
            values.append(value)
    for i in range(len(values) - 2, -1, -1):  # `6.0 and 6.3 ng/mL`: the unit of the next one
        here, after = values[i], values[i + 1]
        bare = not (here.unit or here.void or after.void) and after.kind in KINDS.values()
        if bare and _CONNECTOR.fullmatch(text, here.end, after.start):
            values[i] = replace(here, unit=after.unit)
    return values


def _read_value(text: str, match: re.Match[str], announced: str) -> Value | None:
    """The number with what stands behind it; None where it counts or weighs something else."""
    behind, before = text[match.end() :], text[max(0, match.start() - 20) : match.start()]
    if _COUNTED.match(behind):
        return None
    factor, stop = power_of_ten(text, match.end())
    void = factor is None or (match.group() == "10" and behind[:1] == "^")
    void |= _VOID_BEFORE.search(before) is not None
    cursor = stop + 2 * bool(re.match(r"\^\d", text[stop:]))  # a footnote mark
    value = Value(float(match.group()) * (factor or 1.0), match.start(), stop, stop, void=void)
    if interval := _INTERVAL.match(text, cursor):
        return replace(value, end=interval.end(), void=True)
    for _ in range(4):
        label = re.compile(r"\s?\((?:test|reference|[A-Z])\)(?=\s?[a-zµ(])").match(text, cursor)
        found = None if value.unit else scan_unit(text, label.end() if label else cursor)
        spread = None if value.dispersion is not None else _SPREAD.match(text, cursor)
        if found:
            cursor = found[0]
            if found[1].kind in ("mass", "mass/weight", "volume"):
                return None
            value = replace(value, unit=found[1], void=value.void or found[1].kind == "percent")
        elif spread and (read := _read_spread(text, spread, value, announced)):
            value, cursor = read, spread.end()
        else:
            break
    return replace(value, end=cursor, void=value.void or bool(_BEHIND.match(text, cursor)))


def _read_spread(text: str, m: re.Match[str], value: Value, announced: str) -> Value | None:
    """The value with its dispersion; None where the bracket holds something else."""
    rest = (m["rest"] or "").strip()
    inner = scan_unit(rest)[1].kind if rest and scan_unit(rest) else ""
    if rest and inner != value.kind and not re.fullmatch(r"(?:g?CV|SD|[a-z*†‡])%?", rest):
        return None
    label = m["label"] or rest.replace("%", " CV") or None
    if high := m["b"] or m["c"]:
        if m["percent"] or m["twice"] or float(m["a"]) > float(high):
            return None
        word = re.search(r"IQR|interquartile|Q1|95 ?% ?CI", announced)
        kind = dispersion_type(label) or dispersion_type(word and word.group()) or "range"
        return replace(value, dispersion=f"{m['a']}-{high}", dispersion_type=kind)
    said = [kind for kind, name in _SAID.items() if re.search(fill(name), announced)]
    said = [kind for kind in said if kind == "SEM"] + ["SD"] if m["pm"] else [*said, None]
    kind = "CV%" if m["percent"] else dispersion_type(label) or said[0]
    if kind is None or power_of_ten(text, m.end())[0] != 1.0:
        return value
    return replace(value, dispersion=float(m["a"]), dispersion_type=kind)


# ------------------------------------------------------------------------------------- products
_DECLARED = [regex(f"{{{k}}}", 0) for k in ("product_is_role", "role_is_product", "equivalent_to")]
_NO_NAME, _TRADE, _BESIDE = regex("{no_name}"), regex("{trade}", 0), regex("{beside}", 0)
_COMBINATION = regex("{combined_test}"), regex("{combined_reference}")
_LETTERS = regex("{letter_test}", 0), regex("{letter_reference}", 0)


@dataclass(frozen=True)
class Mark:
    """A product named at `start:end`; two side by side (`test and reference`) set an order."""

    arms: tuple[str, ...]
    start: int
    end: int


class Products:
    """Finds which product a stretch of text speaks of, with what a document calls its two."""

    def __init__(self, text: str) -> None:
        def usable(name: str) -> bool:
            return not (_NO_NAME.fullmatch(name) or find_names(name))

        declared: dict[str, set[str]] = {}
        for match in (m for p in _DECLARED for m in p.finditer(text)):
            name = match["name"].rstrip("s") if match["name"].islower() else match["name"]
            if usable(name) and not (match.re is _DECLARED[-1] and find_drugs(name)):
                declared.setdefault(name, set()).add(TEST if match["test"] else REFERENCE)
        names = {name: arms.pop() for name, arms in declared.items() if len(arms) == 1}
        if all(letter.search(text) for letter in _LETTERS):
            names = {"T": TEST, "R": REFERENCE} | names
        beside_generic = re.search(r"\b(?:test|generic)", text, re.I)
        for name in (m[1] or m[2] for m in _TRADE.finditer(text) if beside_generic):
            often = len(re.findall(rf"\b{name}\b", text)) > 1 and name.lower() not in text
            if often and usable(name):
                names.setdefault(name, REFERENCE)
        arms = []
        combined = "|{{combined_{0}}}" if all(p.search(text) for p in _COMBINATION) else ""
        for arm in (TEST, REFERENCE):
            usual = fill(f"{{{arm}}}" + combined.format(arm))
            own = "|".join(re.escape(n) + "s?" * n.islower() for n in names if names[n] == arm)
            arms.append(f"(?P<{arm}>(?i:{usual})|(?<!-)\\b(?:{own or '(?!)'})\\b(?![-/]\\d))")
        self._marks = re.compile("|".join(arms))

    def find(self, text: str) -> list[Mark]:
        """Marks in order; products side by side (`test and reference`) become one mark."""
        marks: list[Mark] = []
        for match in self._marks.finditer(text):
            arms, (start, end) = (match.lastgroup,), match.span()
            last = marks[-1] if marks else Mark((), 0, 0)
            gap = re.sub(r"\([^()]{0,30}\)", "", text[last.end : start])
            again = arms == last.arms[-1:] and len(gap) < 25
            if again and not re.search(r"[\d.;:]|\band\b", gap):
                marks[-1] = replace(last, end=end)
            elif len(last.arms) == 1 and not find_names(gap) and _BESIDE.fullmatch(gap):
                marks[-1] = Mark(last.arms + arms, last.start, end)
            else:
                marks.append(Mark(arms, start, end))
        return marks


# ---------------------------------------------------------------------------------- drug names
_STEMS, _DRUGS, _NEVER = (set(words(name)) for name in ("stems", "drugs", "never"))
SALTS, ESTERS = set(words("salts")), set(words("esters"))
_STEM = re.compile(rf"[a-z-]{{2,}}{fill('{stems}')}|(?:cef|sulfa)[a-z]{{3,}}")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*")


def find_drugs(text: str) -> list[re.Match[str]]:
    """The words of `text` that are known drug names or carry an INN stem; trade names do not."""

    def known(word: str) -> bool:
        if word in _NEVER | SALTS or len(word) < 5 or word.endswith("ivalent"):
            return False
        return word in _DRUGS or (len(word) > 6 and word in _STEMS) or bool(_STEM.fullmatch(word))

    return [m for m in _WORD.finditer(text) if known(m.group().lower())]
