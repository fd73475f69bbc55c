"""Who belongs to whom in a sentence: values to names, and both to a product.

A run of names followed by a run of values is a segment. Its values go to its names in order, to the
products by their labels or by the order of the products, and only where the unit measures what the
name means. A segment whose counts do not fit is left alone: what is unclear is not read.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace

from agmpk.literature.extract.tokens import (
    REFERENCE,
    TEST,
    Mark,
    Name,
    Products,
    Value,
    find_names,
    find_values,
)
from agmpk.literature.text import sentences


@dataclass(frozen=True)
class Reading:
    """One value read for one quantity. `how`: `label`, `order` (both stand in the sentence),
    `assumed` (an order used before), `unsaid` (no product named)."""

    name: str
    value: Value
    arm: str | None
    how: str
    source: str
    start: int
    stop: int
    horizon: str = ""
    center: str | None = None
    group: tuple[str, str, bool] = ("", "", False)  # analyte, food state, subgroup


@dataclass
class _Segment:
    names: list[Name]
    values: list[Value] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)


@dataclass
class State:
    """What a text has established so far: names, order of products, analyte, food state."""

    names: list[Name] = field(default_factory=list)
    order: tuple[str, ...] = ()
    group: tuple[str, str, bool] = ("", "", False)


_BOTH = re.compile(r"\b(?:both|either|each|all|identical|the same)\b", re.I)
_FOOD = re.compile(
    r"\b(?:(?P<fasted>fast(?:ing|ed)?\b|empty stomach)|(?P<fed>fed\b|high-fat|postprandial|non-fast\w*"
    r"|after (?:a |the )?(?:meal|breakfast|food)|with (?:food|breakfast|a meal)))", re.I
)
_SUBGROUP = re.compile(r"\b(?:in|for|among) (?:the )?(?:\d+ )?(?:women|men|males?|females?|elderly|poor metab\w+|intermediate metab\w+)\b", re.I)
_BACK = re.compile(r"\b(?:these|those|they|corresponding|values?|parameters|whereas|while|compared)\b", re.I)
_COMPARED = re.compile(r"(?:compar\w+ (?:with|to)|than|versus|vs\.?|against|relative to|over) (?:(?:that of|after|with|for) )?(?:the )?$", re.I)
_TIME_LEAD = re.compile(r"\b(?:at|after|in|within|by)\b[^.;\d]{0,30}$|[\d)] ?(?:h )?(?:and|vs\.?|or|/) $")


def read_prose(text: str, source: str, products: Products, analytes) -> list[Reading]:
    """Every value that can be given to a quantity in normalized `text`, in order.

    `analytes.find(text)` gives `(start, name)` pairs; the empty name is the studied compound.
    """
    state, result = State(), []
    for start, end in sentences(text):
        sentence = text[start:end]
        found = _read_sentence(sentence, state, products, analytes, text)
        result += [
            replace(r, source=source, start=r.start + start, stop=r.stop + start) for r in found
        ]
    return result


def _read_sentence(text: str, state: State, products: Products, analytes, whole: str) -> list[Reading]:
    names = find_names(text)
    analyte_at = analytes.find(text)
    announced = text if re.search(r"[(\[±]\s?(?:\w+ )?\(?(?:SD|SEM?|g?CV|range|IQR|9[05]%)|standard|median|mean", text) else whole
    values = find_values(text, names, announced)
    names = [n for n in names if not any(v.start < n.start < v.end for v in values)]
    marks = [m for m in products.find(text) if not any(v.start <= m.start < v.end for v in values)]
    marks = [m for m in marks if not any(n.start <= m.start < n.end for n in names)]
    segments = _segments(text, names, values, marks, state)
    orders = {m.arms for m in marks if len(m.arms) == 2 and len(set(m.arms)) == 2}
    result: list[Reading] = []
    carried: str | None = None
    seen: tuple[str, ...] | None = None  # the order in which this sentence gave two products
    for segment in segments:
        single = [m for m in segment.marks if len(m.arms) == 1]
        order = next((m.arms for m in segment.marks if len(set(m.arms)) == 2), None)
        order = order or (next(iter(orders)) if len(orders) == 1 else None) or seen
        group = _group(text, segment, state, analyte_at)
        other = [at for at, a in analyte_at if segment.values and at > segment.values[0].start and a != group[0]]
        if other:  # what follows another analyte's name is not this one's
            segment.values = [v for v in segment.values if v.start < other[0]]
        if segment.values and not any(n.name == "poison" for n in segment.names):
            got = _read_segment(text, segment, order, carried, state)
            center = _center(text[: segment.values[0].start])
            result += [replace(r, group=group, center=r.center or center) for r in got]
            known = tuple(dict.fromkeys(r.arm for r in sorted(got, key=lambda r: r.start) if r.arm and r.how != "assumed"))
            if len(known) == 2:
                seen = known
        if single:
            carried = single[-1].arms[0]
    if names and values:
        state.names = [n for s in segments if s.values for n in s.names]
    if len(orders) == 1:
        state.order = next(iter(orders))
    elif not state.order:
        state.order = seen or ()
    return result


def _segments(text: str, names: list[Name], values: list[Value], marks: list[Mark], state: State) -> list[_Segment]:
    tokens = sorted([*names, *values, *marks], key=lambda t: (t.start, t.end))
    segments = [_Segment([])]
    behind = False  # `24.6 and 25.1 µg/mL for Cmax; 59.3 and 58.7 for AUC0-t`
    for token in tokens:
        here = segments[-1]
        if isinstance(token, Name):
            lead = text[here.values[-1].end : token.start] if here.values else ""
            if re.fullmatch(r"\W*(?:\([^()]{1,25}\) )?(?:for|in|of|as|in terms of) (?:the )?(?:mean )?", lead):
                behind = behind or not here.names
            if behind and here.values and not here.names:
                here.names.append(token)
                continue
            opened = here.values and re.fullmatch(r"\s?[(\[]\s?", text[here.values[-1].end : token.start])
            if opened and not here.names and text[token.end : token.end + 1] in ")]":
                segments.append(_Segment([token], [here.values.pop()], here.marks))  # `512 ng/mL (Cmax)`
            elif token.name in [n.name for n in here.names] and here.values and text[token.start - 1] == "(":
                continue  # `peaked at 0.41 IU/mL (Cmax)`
            elif here.values:
                moved = _prefix_marks(text, here, token)
                segments.append(_Segment([token], marks=moved))
            else:
                here.names.append(token)
        elif isinstance(token, Value):
            if behind and here.names:
                here = _Segment([])
                segments.append(here)
            here.values.append(token)
        else:
            here.marks.append(token)
    first = segments[0]
    if first.values and not first.names and state.names and _BACK.search(text):
        first.names = state.names
    return segments


def _prefix_marks(text: str, segment: _Segment, name: Name) -> list[Mark]:
    """Marks behind the last value that belong to the next name: `; reference Cmax: 511`."""
    last = segment.values[-1].end
    moved = []
    for mark in [m for m in segment.marks if m.start >= last]:
        gap = text[last : mark.start]
        if re.search(r"[;:]|\.\s|,? (?:and|while|whereas|but) (?:for|after|with|in) (?:the )?$|^[)\s,]*(?:and )?$", gap) and not re.match(r"\s?[;,)]", text[mark.end :]):
            moved.append(mark)
    segment.marks = [m for m in segment.marks if m not in moved]
    return moved


def _fits(value: Value, name: Name) -> bool:
    if value.void or not name.kind:
        return False
    return value.kind == name.kind or (value.unit is None and name.unit is not None)


def _read_segment(text: str, segment: _Segment, order, carried, state: State) -> list[Reading]:
    names = [n for n in segment.names if n.kind]
    values = segment.values
    usable = [v for v in values if any(_fits(v, n) for n in names)]
    if not names or not usable:
        return []
    times: list[Value] = []
    if [n.name for n in names] == ["cmax"]:
        lead = [v for v in values if v.kind == "time" and not v.void and v.start > usable[0].start]
        times = [v for v in lead if _TIME_LEAD.search(text[: v.start])]
    if len(names) > 1:
        kinds = [v.kind for v in usable if v.unit]
        if len(kinds) < len(usable) and len(usable) not in (len(names), 2 * len(names)):
            return []
        if any(kinds.count(k) % max([n.kind for n in names].count(k), 1) for k in set(kinds)):
            return []
    result = _place(text, names, usable, segment.marks, order, carried, state)
    if times and len(times) in (1, len(usable)):
        tmax = Name("tmax", names[0].start, names[0].end, "time")
        arms = [(r.arm, r.how) for r in sorted(result, key=lambda r: r.start)]
        both = len(times) == 1 and len(usable) > 1
        for i, value in enumerate(times if len(arms) >= len(times) else []):
            arm, how = (None, "unsaid") if both else arms[i]
            result.append(_reading(text, tmax, value, arm, how))
    return [r for r in result if r.name in ("cmax", "tmax", "auc0_t", "auc0_inf", "auc")]


def _reading(text: str, name: Name, value: Value, arm: str | None, how: str) -> Reading:
    horizon = text[name.start : name.end] if name.name == "auc0_t" else ""
    value = value if value.unit else replace(value, unit=name.unit)
    return Reading(name.name, value, arm, how, "", value.start, value.stop, horizon)


def _place(text, names, values, marks, order, carried, state) -> list[Reading]:
    """Values to names and products; an empty list where the counts do not fit."""
    p, n = len(names), len(values)
    single = [m for m in marks if len(m.arms) == 1]
    before = [m for m in single if m.start < values[0].start]
    compared = [m for m in before if _COMPARED.search(text[: m.start])]
    if len(before) > 1 and compared and len(compared) < len(before):
        before = [m for m in before if m not in compared]  # `Compared with the reference, the test ...`
    sequence = sorted([*before[-1:], *[m for m in single if m.start >= values[0].start]], key=lambda m: m.start)
    arms = [m.arms[0] for m in sequence]
    both = _BOTH.search(text, names[0].start) is not None

    def placed(arm_of, how: str, pairs=None) -> list[Reading]:
        pairs = pairs if pairs is not None else _in_turn(names, values)
        return [_reading(text, a, v, arm_of(i, v), how) for i, (a, v) in enumerate(pairs)]

    one_each = _in_turn(names, values) if n <= p else None
    if one_each is not None:  # one product
        later = [m for m in sequence if m.start > values[0].start]
        if len(set(arms)) == 1 or (len(arms) > 1 and n == 1):
            mark = before[-1] if before and not (later and n == 1 and not _closed(text, values[0], later[0])) else sequence[0]
            return placed(lambda i, v: mark.arms[0], "label", one_each)
        if len(arms) == 0:
            if any(len(m.arms) > 1 for m in marks) and not both:
                return []  # `test/reference Cmax`: one value of two products is a ratio
            if order and both or (both and not carried):
                return placed(lambda i, v: TEST, "label", one_each)
            return placed(lambda i, v: carried, "label" if carried else "unsaid", one_each)
        if len(set(arms)) == 2 and n == len(arms) and p == n:
            return []  # one value a product, but of different names
        return placed(lambda i, v: arms[0], "label", one_each) if before and not later else []
    if p == 1 and n > 2 and len(set(arms)) == len(arms) > 1:  # the labelled ones of many
        counted = [v for v in values if any(0 <= m.start - v.end < 30 or 0 <= v.start - m.end < 30 for m in sequence)]
        if len(counted) == len(arms):
            return placed(lambda i, v: arms[i], "label", [(names[0], v) for v in counted])
    if p == 1 and len(arms) == n and len(set(arms)) > 1:  # every value labelled
        return placed(lambda i, v: arms[i], "label", [(names[0], v) for v in values])
    if n % 2 or not (n == 2 * p or p == 1 or len({v.kind for v in values}) == n):
        return []
    how, pair = "order", order
    if len(set(arms)) == 2 and len(arms) in (2, n):
        pair, how = tuple(arms[:2]) if len(arms) == 2 or n == 2 else tuple(arms[:2]), "label"
    elif len(arms) == 1 and not order:
        other = REFERENCE if arms[0] == TEST else TEST
        mark, k = sequence[0], n // 2
        if mark.start < values[0].start:
            if mark.arms[0] != TEST:
                return []
            first = True
        elif mark.start < values[k].start:  # between two values: of the one it stands by
            gap = text[values[k - 1].end : mark.start]
            inside = text[mark.start - 1] == "("
            first = inside or not re.search(r"\b(?:vs\.?|versus|and|against|than|while|whereas|but)\b|[,;/]", gap)
        else:
            first = False
        pair = (arms[0], other) if first else (other, arms[0])
    elif not pair and state.order and not arms:
        if any(re.match(r"\s?\([A-Za-z]", text[v.end :]) for v in values):
            return []  # each has a label that is not understood
        pair, how = state.order, "assumed"
    if not pair or len(set(pair)) != 2:
        return []
    if n > 2 * p:
        return []
    return _two_products(text, names, values, pair, how, sequence)


def _two_products(text, names, values, pair, how, sequence) -> list[Reading]:
    """`k` names times two products: name by name or product by product, whichever the units (and
    then the likeness of the two products) allow."""
    k = len(names)
    layouts = []
    by_name = [(names[i // 2], values[i], pair[i % 2]) for i in range(2 * k)] if len(values) == 2 * k else []
    by_arm = [(names[i % k], values[i], pair[i // k]) for i in range(2 * k)] if len(values) == 2 * k else []
    layouts = [x for x in (by_name, by_arm) if x and all(_fits(v, a) for a, v, _ in x)]
    if how == "label" and len(sequence) == 2 and k > 1:  # one label a block of values
        layouts = [x for x in layouts if x is by_arm] or layouts
    if how == "label" and len(sequence) > 2 and k > 1:
        layouts = [x for x in layouts if x is by_name]
    if not layouts:
        return []
    best = min(layouts, key=_unlikeness)
    return [_reading(text, a, v, arm, how) for a, v, arm in best]


def _unlikeness(layout) -> float:
    by_name: dict[int, list[float]] = {}
    for name, value, _ in layout:
        by_name.setdefault(name.start, []).append(value.number)
    return sum(math.log(max(x) / min(x)) for x in by_name.values() if min(x) > 0)


def _in_turn(names: list[Name], values: list[Value]) -> list[tuple[Name, Value]] | None:
    """Each value to the next name it fits; None where one finds no name."""
    result, at = [], 0
    if len(values) == len(names) and all(map(_fits, values, names)):
        return list(zip(names, values, strict=True))
    kinds = [n.kind for n in names]
    for value in values:
        place = next((j for j in range(at, len(names)) if _fits(value, names[j])), None)
        if place is None or kinds.count(value.kind) != sum(v.kind == value.kind for v in values):
            return None
        result.append((names[place], value))
        at = place + 1
    return result


def _closed(text: str, value: Value, mark: Mark) -> bool:
    return bool(re.search(r"[.;,)]", text[value.end : mark.start]))


def _center(text: str) -> str | None:
    """Which kind of central value is announced last before a value."""
    found = re.findall(r"geometric|\bGM\b|median|means?\b|average", text, re.I)
    last = found[-1].lower() if found else ""
    if re.search(r"geometric(?: least[- ]squares?)? means?[^.]{0,200}$", text, re.I) and "median" not in last:
        return "geometric mean"
    if last in ("geometric", "gm"):
        return "geometric mean"
    return "median" if last == "median" else "mean" if last else None


def _group(text: str, segment: _Segment, state: State, analyte_at) -> tuple[str, str, bool]:
    """Analyte, food state and subgroup in force at a segment; the first two last until changed."""
    if not segment.values:
        return state.group
    upto = segment.values[0].start
    analyte, food, _ = state.group
    named = [a for at, a in analyte_at if at < upto]
    analyte = named[-1] if named else analyte
    states = [m.lastgroup or "" for m in _FOOD.finditer(text[:upto])]
    if states:
        food = states[-1] if len(set(states)) == 1 or not re.search(r"\bfast\w* and fed|fed and fast", text[:upto]) else ""
    state.group = (analyte, food, False)
    return analyte, food, bool(_SUBGROUP.search(text[max(0, upto - 60) : upto]))
