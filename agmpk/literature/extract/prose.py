"""Who belongs to whom in a sentence: values to names, and both to a product.

A run of names followed by a run of values is a segment. Its values go to its names in order, to the
products by their labels or by the order of the products, and only where the unit measures what the
name means. A segment whose counts do not fit is left alone: what is unclear is not read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from agmpk.literature.document import Table
from agmpk.literature.extract import tokens
from agmpk.literature.extract.tokens import REFERENCE, TEST, Mark, Name, Products, Value, regex
from agmpk.literature.schema import QUANTITIES, Span, center_type, dispersion_type
from agmpk.literature.text import NormalText, normalize, sentences

MAX_SENTENCE = 2_000  # characters; a longer row is no prose
_FOOD, _SUBGROUP = regex(r"\b(?:(?P<fasted>{fasted})|(?P<fed>{fed}))"), regex(r"\b{subgroup}\b")
_COMPARED, _AWAY, _NEXT = regex("{compared_before}$"), regex("{away}"), regex("{leads}")
_AT, _OTHER_BEHIND, _VALUE_OF = regex("{at}$"), regex("{other_behind}"), regex("{value_of}")
_ANNOUNCES, _CENTER = regex("{announces}"), regex("{center}")


ASSUMED = "the order of the products is taken from another sentence"
UNSAID = "the text does not say whether this is the test product"


@dataclass(frozen=True)
class Reading:
    """One value read for one quantity. `how`: the product is known by `label` or `order` in the
    sentence, else what is in doubt. `group`: another analyte than the studied one, `fed`, or ""."""

    name: str
    value: Value
    arm: str | None
    how: str
    center: str | None = None
    group: str = ""
    span: Span | None = None


@dataclass
class _Segment:
    names: list[Name]
    values: list[Value] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)


class Reader:
    """Reads sentence after sentence; keeps what a text has established: the order of the products,
    analyte and food state."""

    def __init__(self, products: Products, compound: str, printed: set) -> None:
        self.products, self.compound = products, compound
        self.order: tuple[str, ...] = ()
        self.analyte, self.food = "", ""
        self.printed = printed  # gets each quantity and group with a value in its segment

    def read(self, source: str, normal: NormalText) -> list[Reading]:
        """Every value of a source that can be given to a quantity, in order."""
        return [
            replace(r, span=Span.of(source, normal, r.value.start + a, r.value.stop + a))
            for a, b in sentences(normal.text)
            if b - a < MAX_SENTENCE
            for r in self.read_sentence(normal.text[a:b], normal.text)
        ]

    def read_sentence(self, text: str, whole: str, start: int = 0) -> list[Reading]:
        """The readings of a sentence out of `whole`; of a table's cell at `start`, the first."""
        names = tokens.find_names(text)
        values = tokens.find_values(text, names, text if _ANNOUNCES.search(text) else whole)
        values = [v for v in values if v.start >= start][: 1 if start else None]
        names = [n for n in names if not any(v.start <= n.start < v.end for v in values)]
        marks = [m for m in self.products.find(text) if not _COMPARED.search(text[: m.start])]
        pairs = {m.arms for m in marks if len(set(m.arms)) == 2}
        order = pairs.pop() if len(pairs) == 1 else ()  # the order this sentence uses
        # Labels that are not understood (`12.1 mg/L (rectal)`) leave no place for a known order.
        labels = (re.match(r"\s?\([A-Za-z][^)]*", text[v.end :]) for v in values)
        own = any(label and not self.products.find(label.group()) for label in labels)
        closes = bool(marks and values and marks[0].start > values[0].start)
        carried, result = None, []
        for segment in _segments(text, names, values, marks):
            if not segment.names or not segment.values:
                continue
            first = segment.values[0].start
            group = self._group(text[:first])
            fitting = {n.name for n in segment.names if any(_fits(v, n) for v in segment.values)}
            if not fitting or any(n.name == "poison" for n in segment.names):
                continue
            self.printed |= {(name, group) for name in fitting}
            if _SUBGROUP.search(text[:first][-60:]):
                continue
            read = _place(text, segment, order, carried, () if own else self.order)
            if {r.name for r in read} == {"cmax"}:
                read += _times(text, segment, read)
            center = center_type((_CENTER.findall(text[:first]) or [""])[-1])
            result += [replace(r, center=center, group=group) for r in read]
            arms = tuple(dict.fromkeys(r.arm for r in read if r.arm and r.how != ASSUMED))
            order = arms if len(arms) == 2 else order
            if single := [m for m in segment.marks if len(m.arms) == 1]:
                leads = not closes or single[0].start < segment.names[0].start
                carried = single[-1].arms[0] if leads else None
        self.order = order or self.order
        result = [_closed(text, r, marks, values) for r in result]
        return [r for r in result if r.name in QUANTITIES]

    def _group(self, before: str) -> str:
        """The group of what stands behind `before`; a state once named holds until another is."""
        self.analyte = [self.analyte, *find_analytes(before, self.compound)][-1]
        states = ["fed" if m.lastgroup == "fed" else "" for m in _FOOD.finditer(before)]
        self.food = [self.food, *states][-1]
        return self.analyte or self.food


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
            end = here.values[-1].end
            of = not here.names and _fits(here.values[-1], token)
            behind |= of and _VALUE_OF.fullmatch(text, end, token.start) is not None
            if behind and not here.names:
                here.names.append(token)
                continue
            # `6.0 ng/mL; reference AUC: 99 ng·h/mL`: a product before a name is that name's
            moved = [m for m in here.marks if m.start >= end and _NEXT.search(text[end : m.start])]
            here.marks = [m for m in here.marks if m not in moved]
            segments.append(_Segment([token], marks=moved))
    return segments


def _fits(value: Value, name: Name) -> bool:
    if value.void or not name.kind:
        return False
    return value.kind == name.kind or (value.unit is None and name.unit is not None)


def _place(text: str, segment: _Segment, order, carried, known) -> list[Reading]:
    """Values to names and products; an empty list where the counts do not fit."""
    names = [n for n in segment.names if n.kind]
    values = [v for v in segment.values if any(_fits(v, n) for n in names)]
    single = [m for m in segment.marks if len(m.arms) == 1]
    arms = tuple(dict.fromkeys(m.arms[0] for m in single))
    if len(values) == len(names) and all(map(_fits, values, names)):  # one product
        if single and single[0].start < values[0].start:  # `test: 6.0; reference: 6.3`, no unit
            arms = tuple(dict.fromkeys(m.arms[0] for m in single if m.start < values[-1].start))
        paired = not arms and len(single) < len(segment.marks)
        if paired or (len(arms) > 1 and len(values) > 1):
            return []  # a ratio of two products; one value a product, but of different names
        arm = (*arms, carried)[0]
        layout, how = [(n, arm) for n in names], "label" if arm else UNSAID
    elif len(values) == 2 * len(names):  # two products
        how = "label"
        if len(arms) == 1 and not order:
            arms = _with_the_other(text, single[0], values, segment.values)
        elif len(arms) < 2:
            arms, how = (order, "order") if order else (known, ASSUMED)
        by_name = [(n, a) for n in names for a in arms]
        by_product = [(n, a) for a in arms for n in names]
        # Two labels stand behind the values of each product; of one name both layouts are the same.
        both = len(single) != 2 and len(names) > 1
        layouts = [by_name, by_product] if both else [by_product]
        fits = [all(_fits(v, n) for v, (n, _) in zip(values, x, strict=False)) for x in layouts]
        # Two products of one quantity, or two quantities of one product: nobody can tell.
        if len(arms) != 2 or sum(fits) != 1:
            return []
        layout = layouts[fits.index(True)]
    else:
        return []
    read = zip(values, layout, strict=True)
    return [Reading(n.name, v if v.unit else replace(v, unit=n.unit), a, how) for v, (n, a) in read]


def _closed(text: str, reading: Reading, marks: list[Mark], values: list[Value]) -> Reading:
    """`Cmax 6.0 and AUC 99 after the test`: a label closes the list before it or leads the next."""
    mark = next((m for m in marks if m.start >= reading.value.end), None)
    if reading.arm or mark is None or len(mark.arms) != 1:
        return reading
    last = [v for v in values if v.end <= mark.start][-1]
    apart = ";" in text[reading.value.end : last.end] and last is not values[-1]
    if apart or _NEXT.search(text[last.end : mark.start]):
        return reading
    return replace(reading, arm=mark.arms[0], how="label")


def _times(text: str, segment: _Segment, peaks: list[Reading]) -> list[Reading]:
    """Tmax of `a Cmax of 92.6 ng/mL at 1.02 h`: one time behind every peak, or none at all."""
    behind = [v for v in segment.values if v.kind == "time" and v.start > peaks[0].value.start]
    times = [v for v in behind if not v.void and _AT.search(text[: v.start])]
    pairs = zip(times, sorted(peaks, key=lambda r: r.value.start), strict=False)
    read = [replace(r, name="tmax", value=v) for v, r in pairs]
    return read if len(times) == len(peaks) else []


def _with_the_other(text: str, mark: Mark, values: list[Value], every) -> tuple[str, ...]:
    """The order of two products of which one is named: by the value it stands beside."""
    arm, middle = mark.arms[0], len(values) // 2
    other = REFERENCE if arm == TEST else TEST
    if mark.start < values[0].start:
        # `of the test and Norvasc 6.0 and 6.3`, `6.0 and the older 6.3`; not both of the test
        alone = text[values[middle - 1].end : values[middle].start].strip() == "and"
        alone = alone and not _AWAY.search(text[mark.end : values[0].start])
        alone |= text[: mark.start].endswith((" and ", " and the "))  # `of Norvasc and the test`
        return (TEST, REFERENCE) if arm == TEST and not alone else ()
    if mark.start > values[-1].start and _OTHER_BEHIND.match(text, mark.end):
        return (arm, other) if "respectively" in text else ()  # `for powder and capsule`
    gap = text[[v.end for v in every if v.end <= mark.start][-1] : mark.start]
    second = mark.start > values[middle].start
    return (other, arm) if second or (_AWAY.search(gap) and gap[-1:] != "(") else (arm, other)


_METABOLITE = regex(r"\b{metabolite}\b", 0)


def find_analytes(text: str, compound: str) -> list[str]:
    """The analytes that `text` names, in order; the studied compound itself is the empty name."""
    found = sorted([*_METABOLITE.finditer(text), *tokens.find_drugs(text)], key=lambda m: m.start())
    names = [m.group().lower() for m in found]
    same = compound[:6] or "-"
    return ["" if n.startswith(same) and not n.endswith("at") else n for n in names]


# -------------------------------------------------------------------------------------- tables
_SKIP, _CHANGED = regex("{skip}"), regex("{changed}")
_SPREAD = regex(r"\b(?:{spread}|minimum|maximum)")
_ONE_SUBJECT = regex(r"\s*(?:subject|volunteer|no\.?|id)\b")


def read_table(table: Table, source: str, new_reader: Callable[[], Reader]) -> list[Reading]:
    """The readings of one table; positions refer to `table.text()`, which is not normalized."""
    about = normalize(f"{table.label} {table.caption}").text
    if _CHANGED.search(about):
        return []
    for name in reversed(tokens.find_names(about)):  # of all cells: none of them is this one's
        about = about[: name.start] + about[name.end :]
    untouched = (*table.header, *table.rows)
    grid = [[normalize(c).text for c in row] for row in untouched]
    heads = max(len(table.header), 1)
    result: list[Reading] = []
    spreads: dict[tuple, tuple[float, str]] = {}
    section = ""
    for r, row in enumerate(grid[heads:], start=heads):
        if len({c for c in row if c.strip()}) == 1:
            section = row[0]
            continue
        if _ONE_SUBJECT.match(grid[heads - 1][0]) and re.fullmatch(r"\s*\w?\d+\s*", row[0]):
            continue
        width = 1 + (len(row) > 2 and bool(row[1].strip()) and not re.search(r"\d", row[1]))
        for c in range(width, len(row)):
            above = [grid[h][c] for h in range(heads)]
            labels = " ; ".join(dict.fromkeys([section, *row[:width], *above]))
            if not re.match(r"[\s(]*\d", row[c]) or _SKIP.search(labels):
                continue
            text = f"{about} ; {labels} : {row[c]}"
            start, whole = len(text) - len(row[c]), f"{text} {' '.join(table.footnotes)}"
            spread = not center_type(labels) and _SPREAD.search(labels)
            for read in new_reader().read_sentence(text, whole, start)[:1]:
                if spread and read.value.dispersion is None:
                    printed = read.value.number, dispersion_type(spread.group())
                    spreads.setdefault((read.name, read.arm), printed)
                    continue
                at, cell = table.offset(r, c), normalize(untouched[r][c])
                span = Span.of(source, cell, read.value.start - start, read.value.stop - start, at)
                result.append(replace(read, span=span))
    for i, read in enumerate(result):
        number, kind = spreads.get((read.name, read.arm), (None, None))
        if read.value.dispersion is None and kind not in (None, "range"):
            whole = replace(read.value, dispersion=number, dispersion_type=kind)
            result[i] = replace(read, value=whole)
    return result
