"""Who belongs to whom in a sentence: values to names, and both to a product.

A run of names followed by a run of values is a segment. Its values go to its names in order, to the
products by their labels or by the order of the products, and only where the unit measures what the
name means. A segment whose counts do not fit is left alone: what is unclear is not read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from agmpk.literature.extract.design import find_analytes
from agmpk.literature.extract.lexicon import any_of
from agmpk.literature.extract.products import Mark, Products
from agmpk.literature.extract.tokens import REFERENCE, TEST, Name, Value, find_names, find_values
from agmpk.literature.schema import center_type
from agmpk.literature.text import sentences

MAX_SENTENCE = 5_000  # characters
MAX_NAMES = 100  # of one sentence; a longer row is no prose
_BOTH = re.compile(r"\b(?:both|either|each|all|identical|the same)\b", re.I)
_FOOD = re.compile(rf"\b(?:(?P<fasted>{any_of('fasted')})|(?P<fed>{any_of('fed')}))", re.I)
_SUBGROUP = re.compile(
    r"\b(?:in|for|among) (?:the )?(?:\d+ )?(?:women|men|(?:fe)?males?|elderly|\w+ metab\w+)\b", re.I
)
_BACK = re.compile(r"\b(?:these|those|they|corresponding|values?|figures|whereas|while)\b", re.I)
_AGAIN = re.compile(r"[;,](?=(?: and)? (?:those|they|the corresponding|while|whereas)\b)")
_COMPARED = re.compile(
    r"(?:compar\w+ (?:with|to)|than|versus|vs\.?|against|relative to)"
    r" (?:(?:that of|after|with|for) )?(?:the )?$",
    re.I,
)
_AWAY = re.compile(r"\b(?:vs\.?|versus|and|against|than|while|whereas|but)\b|[,;/]")
_NEXT = re.compile(  # between a value and the mark of the next name: `; reference Cmax: 511`
    r".*(?:[;:]|\.\s|,? (?:and|while|whereas|but) (?:for|after|with|in) (?:the )?)\s*"
    r"|[)\s,]*(?:and )?"
)
_AT = re.compile(r"\b(?:at|after|in|within|by)\b[^.;\d]{0,30}$|[\d)] ?(?:h )?(?:and|vs\.?|or|/) $")
_ANNOUNCES = re.compile(r"\b(?:SD|SEM?|CV|range|IQR|CI|median|means?)\b|standard")


@dataclass(frozen=True)
class Reading:
    """One value read for one quantity. `how`: `label`, `order` (both stand in the sentence),
    `assumed` (an order used before), `unsaid` (no product named). `group` is analyte (empty for the
    studied compound), food state, and whether it is a subgroup's."""

    name: str
    value: Value
    arm: str | None
    how: str
    source: str
    start: int
    stop: int
    horizon: str = ""
    center: str | None = None
    group: tuple[str, str, bool] = ("", "", False)


@dataclass
class _Segment:
    names: list[Name]
    values: list[Value] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)


class Reader:
    """Reads sentence after sentence; keeps what a text has established: names, the order of the
    products, analyte and food state."""

    def __init__(self, products: Products, analytes) -> None:
        self.products, self.analytes = products, analytes
        self.names: list[Name] = []
        self.order: tuple[str, ...] = ()
        self.group = ("", "", False)
        self.printed: set[str] = set()  # quantities with a value in their segment

    def read(self, text: str, source: str) -> list[Reading]:
        """Every value of normalized `text` that can be given to a quantity, in order."""
        result = []
        for a, b in sentences(text):
            cuts = [a, *(a + m.start() for m in _AGAIN.finditer(text[a:b])), b]
            for x, y in pairwise(cuts) if b - a < MAX_SENTENCE else ():
                for r in self._sentence(text[x:y], text):
                    result.append(replace(r, source=source, start=r.start + x, stop=r.stop + x))
        return result

    def _sentence(self, text: str, whole: str) -> list[Reading]:
        names = find_names(text)
        if len(names) > MAX_NAMES:
            return []
        values = find_values(text, names, text if _ANNOUNCES.search(text) else whole)
        inside = {i for v in values for i in range(v.start, v.end)}
        names = [n for n in names if n.start not in inside]
        taken = inside | {i for n in names for i in range(n.start, n.end)}
        marks = [m for m in self.products.find(text) if m.start not in taken]
        # `Compared with the reference, the new tablet had ... (a vs b)`: the one that has, first.
        marks = [
            replace(m, arms=m.arms[::-1]) if _COMPARED.search(text[: m.start]) else m for m in marks
        ]
        segments = _segments(text, names, values, marks)
        if segments[0].values and not segments[0].names and _BACK.search(text):
            segments[0].names = self.names
        segments = [s for s in segments if s.values]
        pairs = {m.arms for m in marks if len(set(m.arms)) == 2}
        order = pairs.pop() if len(pairs) == 1 else ()  # the order this sentence uses
        closes = bool(marks and values and marks[0].start > values[0].start)
        # Labels that are not understood (`12.1 mg/L (rectal)`) leave no place for a known order.
        own = any(re.match(r"\s?\([A-Za-z]", text[v.end :]) for v in values)
        known = () if own else self.order
        analytes, carried, parts = find_analytes(text, self.analytes), None, []
        for segment in segments:
            first = segment.values[0].start
            group = self._grouped(text[:first], [a for at, a in analytes if at < first])
            other = [at for at, a in analytes if at > first and a != group[0]]
            if other:  # what follows another analyte's name is not this one's
                segment.values = [v for v in segment.values if v.start < other[0]]
            here = next((m.arms for m in segment.marks if len(set(m.arms)) == 2), order)
            fitting = {n.name for n in segment.names if any(_fits(v, n) for v in segment.values)}
            self.printed |= fitting if "poison" not in fitting else set()
            read = _read(text, segment, here, carried, known)
            center = _center(text[:first])
            parts.append([replace(r, group=group, center=center) for r in read])
            arms = tuple(dict.fromkeys(r.arm for r in read if r.arm and r.how != "assumed"))
            order = arms if len(arms) == 2 else order
            if not closes:
                last = (m.arms[0] for m in reversed(segment.marks) if len(m.arms) == 1)
                carried = next(last, carried)
        for i in range(len(parts) - 1, 0, -1) if closes else ():
            # `Cmax 6 ng/mL and AUC 99 ng·h/mL after the test`: the label closes the list
            arm, *others = {r.arm for r in parts[i]} or {None}
            if arm and not others and {r.arm for r in parts[i - 1]} == {None}:
                parts[i - 1] = [replace(r, arm=arm, how="label") for r in parts[i - 1]]
        self.names = [n for s in segments for n in s.names] if names and values else self.names
        self.order = order or self.order
        return [r for part in parts for r in part]

    def _grouped(self, before: str, analytes: Sequence[str]) -> tuple[str, str, bool]:
        analyte, food, _ = self.group
        states = [m.lastgroup or "" for m in _FOOD.finditer(before)]
        both = re.search(r"\bfast\w* and fed|fed and fast", before)
        food = "" if both else states[-1] if states else food
        self.group = (analytes[-1] if analytes else analyte, food, False)
        return (*self.group[:2], _SUBGROUP.search(before[-60:]) is not None)


def _segments(text: str, names, values, marks) -> list[_Segment]:
    """Runs of names with the values behind them (or before: `24.6 and 25.1 µg/mL for Cmax`)."""
    segments = [_Segment([])]
    behind = False
    for token in sorted([*names, *values, *marks], key=lambda t: (t.start, t.end)):
        here = segments[-1]
        if isinstance(token, Mark):
            here.marks.append(token)
        elif isinstance(token, Value):
            if behind and here.names:
                segments.append(here := _Segment([]))
            here.values.append(token)
        elif not here.values:
            here.names.append(token)
        else:
            lead = text[here.values[-1].end : token.start]
            of = r"\W*(?:\([^()]{1,25}\) )?(?:for|in|of|as|in terms of) (?:the )?"
            behind |= not here.names and re.fullmatch(of, lead) is not None
            if behind and not here.names:
                here.names.append(token)
            elif not here.names and re.fullmatch(r"\s?[(\[]\s?", lead):  # `512 ng/mL (Cmax)`
                segments.append(_Segment([token], [here.values.pop()], here.marks))
            elif token.name not in [n.name for n in here.names] or text[token.start - 1] != "(":
                last = here.values[-1].end
                after = [m for m in here.marks if m.start >= last]
                moved = [m for m in after if _NEXT.fullmatch(text[last : m.start])]
                moved = [m for m in moved if not re.match(r"\s?[;,)]", text[m.end :])]
                here.marks = [m for m in here.marks if m not in moved]
                segments.append(_Segment([token], marks=moved))
    return segments


def _fits(value: Value, name: Name) -> bool:
    if value.void or not name.kind:
        return False
    return value.kind == name.kind or (value.unit is None and name.unit is not None)


def _reading(text: str, name: Name, value: Value, arm: str | None, how: str) -> Reading:
    horizon = text[name.start : name.end] if name.name == "auc0_t" else ""
    value = value if value.unit else replace(value, unit=name.unit)
    return Reading(name.name, value, arm, how, "", value.start, value.stop, horizon)


def _read(text: str, segment: _Segment, order, carried, known) -> list[Reading]:
    """The readings of one segment; none where a poison stands among its names."""
    names = [n for n in segment.names if n.kind]
    values = [v for v in segment.values if any(_fits(v, n) for n in names)]
    if not values or any(n.name == "poison" for n in segment.names):
        return []
    result = _place(text, names, values, segment.marks, order, carried, known)
    if [n.name for n in names] == ["cmax"]:  # `a Cmax of 92.6 ng/mL at 1.02 h`
        times = [v for v in segment.values if v.kind == "time" and v.start > values[0].start]
        times = [v for v in times if not v.void and _AT.search(text[: v.start])]
        tmax = Name("tmax", names[0].start, names[0].end, "time")
        peaks = sorted(result, key=lambda r: r.start)
        if len(times) == len(peaks):
            pairs = zip(times, peaks, strict=True)
            result += [_reading(text, tmax, t, peak.arm, peak.how) for t, peak in pairs]
    return [r for r in result if r.name not in ("decoy", "poison")]


def _place(text, names, values, marks, order, carried, known) -> list[Reading]:
    """Values to names and products; an empty list where the counts do not fit."""
    first = values[0].start
    single = [m for m in marks if len(m.arms) == 1]
    before = [m for m in single if m.start < first]
    if len(before) > 1:  # `Compared with the reference, the test ...`
        before = [m for m in before if not _COMPARED.search(text[: m.start])] or before
    labels = [*before[-1:], *(m for m in single if m.start >= first)]
    arms = [m.arms[0] for m in labels]
    distinct = tuple(dict.fromkeys(arms))
    turn = _in_turn(names, values)
    if turn is not None:  # one product
        both = _BOTH.search(text, names[0].start) is not None
        paired = not arms and not both and any(m.arms[1:] for m in marks)
        if paired or (len(distinct) > 1 and len(values) > 1):
            return []  # a ratio of two products; one value a product, but of different names
        arm = TEST if both and not (arms or carried) else (arms or [carried])[0]
        return [_reading(text, n, v, arm, "label" if arm else "unsaid") for n, v in turn]
    p = len(names)
    if len(values) != 2 * p:
        return []
    pair, how = distinct, "label"
    if len(pair) == 1 and not order:
        pair = _with_the_other(text, labels[0], values)
    elif len(pair) < 2:
        pair, how = (order, "order") if order else (known, "assumed")
    if len(pair) != 2:
        return []
    by_name = [(names[i // 2], v, pair[i % 2]) for i, v in enumerate(values)]
    by_arm = [(names[i % p], v, pair[i // p]) for i, v in enumerate(values)]
    layouts = [by_arm] if len(labels) == 2 and p > 1 else [by_name, by_arm]
    fitting = [x for x in layouts if all(_fits(v, name) for name, v, _ in x)]
    # Two products of one quantity, or two quantities of one product: both fit, nobody can tell.
    clear = fitting[:1] if len(fitting) == 1 or p == 1 else []
    return [_reading(text, *x, how) for layout in clear for x in layout]


def _with_the_other(text: str, mark: Mark, values: list[Value]) -> tuple[str, ...]:
    """The order of two products of which one is named: by the value it stands beside."""
    arm, middle = mark.arms[0], len(values) // 2
    other = REFERENCE if arm == TEST else TEST
    if mark.start < values[0].start:
        return (TEST, REFERENCE) if arm == TEST else ()
    gap = text[values[middle - 1].end : mark.start]
    second = mark.start > values[middle].start
    return (other, arm) if second or (_AWAY.search(gap) and gap[-1:] != "(") else (arm, other)


def _in_turn(names: list[Name], values: list[Value]) -> list[tuple[Name, Value]] | None:
    """Each value to the one name it fits, in order; None where that is not clear."""
    if len(values) == len(names) and all(map(_fits, values, names)):
        return list(zip(names, values, strict=True))
    chosen = [n for v in values for n in names if _fits(v, n)]
    unique = len(set(chosen)) == len(chosen) == len(values)
    return list(zip(chosen, values, strict=True)) if unique else None


def _center(text: str) -> str | None:
    """Which kind of central value is announced last before a value."""
    words = r"(?:geometric(?:\s\w+){0,2}?\s)?means?\b|\bGM\b|median|average"
    found = re.findall(words, text, re.I)
    return center_type(found[-1]) if found else None
