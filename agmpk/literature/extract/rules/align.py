"""Which value belongs to which parameter and which arm.

Values of a frame are split into blocks, one an arm (by labels before or after them, or by the order
`test and reference ... respectively`); inside a block they follow the parameters in order. The
kinds
of the units decide between the readings, so a value can only land on a parameter it can measure.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from agmpk.literature.extract.rules.arms import TEST, Arm
from agmpk.literature.extract.rules.blocks import State, arm_blocks
from agmpk.literature.extract.rules.frames import Frame
from agmpk.literature.extract.rules.parameters import Parameter
from agmpk.literature.extract.rules.tokens import Sentence
from agmpk.literature.extract.rules.values import Value

_TIME_LEAD = re.compile(
    r"(?:\b(?:at|after|within|in|by|occurr\w*|attain\w*|reach\w*|achiev\w*|observed|obtained)\b"
    r"|,)\s*(?:(?:a|the|about|approximately|mean|median|average|time|of|at|after|in"
    r"|\([a-zA-Z, -]+\))\s)*$"
)


@dataclass(frozen=True)
class Assignment:
    """A value given to a parameter; `arm` is None where the text does not say."""

    parameter: Parameter
    value: Value
    arm: str | None


def _fits(value: Value, parameter: Parameter, sentence: Sentence) -> bool:
    if not parameter.kind:
        return value.kind not in ("concentration", "auc") or parameter.name == "other"
    if value.kind:
        return value.kind == parameter.kind
    return parameter.start in sentence.param_units or value.dispersion is not None


def align(frame: Frame, sentence: Sentence, state: State) -> list[Assignment]:
    """Assignments of one frame; `state` is updated with the arms and names it established."""
    names = frame.parameters or state.names
    if not names:
        return []
    repeated = [*state.sentence_names, *frame.parameters] if frame.parameters else names
    own = [
        v
        for v in frame.values
        if any(_fits(v, p, sentence) for p in names if p.kind or p.name == "other")
    ]
    if len(repeated) > len(names) and any(isinstance(t, Arm) for t in frame.items):
        own = [
            v
            for v in frame.values
            if v in own or (v.kind and any(_fits(v, p, sentence) for p in repeated if p.kind))
        ]
    extra = _implicit_times(frame, names, sentence)
    own = [v for v in own if v not in extra]
    result: list[Assignment] = []
    blocks, order = arm_blocks(frame, own, state, sentence.text)
    if order:
        result = _in_order(own, names, order, sentence)
    else:
        for i, (arm, values) in enumerate(blocks):
            again = i > 0 and len(values) > len(names) and len({v.kind for v in values}) > 1
            chosen = repeated if again else names
            result += [Assignment(p, v, arm) for p, v in _match(values, chosen, sentence)]
    if extra:
        tmax = Parameter("tmax", extra[0].start, extra[0].start)
        result += _times(extra, tmax, frame, result, state, order)
    if order and state.assumed and not any(isinstance(t, Arm) for t in frame.items):
        return [replace(a, arm=None if a.arm == TEST else a.arm) for a in result]
    seen = list(dict.fromkeys(a.arm for a in sorted(result, key=lambda a: a.value.start) if a.arm))
    if len(seen) in (2, 3):
        state.order, state.assumed = seen, False
    return result


def _implicit_times(frame: Frame, names: list[Parameter], sentence: Sentence) -> list[Value]:
    """Times printed with a Cmax (`19.8 µg/mL at 0.92 h`): a Tmax without its name."""
    if any(p.name != "cmax" for p in frame.parameters) or not frame.parameters:
        return []
    times = []
    for value in frame.values:
        if value.kind != "time":
            continue
        before = sentence.text[: value.start]
        if times and re.search(r"\d[^a-z]*(?:h\s)?(?:and|vs\.?|versus|,)\s$", before[-24:]):
            times.append(value)
        elif _TIME_LEAD.search(before) and any(
            v.end <= value.start and v.kind != "time" for v in frame.values
        ):
            times.append(value)
    return times


def _times(
    extra: list[Value],
    tmax: Parameter,
    frame: Frame,
    known: list[Assignment],
    state: State,
    order: list[str],
) -> list[Assignment]:
    arms = [a.arm for a in sorted(known, key=lambda a: a.value.start)]
    distinct = list(dict.fromkeys(a for a in arms if a))
    if len(extra) == 1 and len(distinct) <= 1:
        return [Assignment(tmax, extra[0], distinct[0] if distinct else state.current)]
    result = []
    interleaved = len(extra) == len(known) and any(k.value.start > extra[0].start for k in known)
    if interleaved:
        for assignment, value in zip(
            sorted(known, key=lambda a: a.value.start), extra, strict=True
        ):
            result.append(Assignment(tmax, value, assignment.arm))
        return result
    sequence = order or distinct or state.order
    if len(extra) == 1:
        before = [a for a in known if a.value.start < extra[0].start]
        arm = before[-1].arm if before and len(known) > len(before) else None
        return [Assignment(tmax, extra[0], arm)]
    return [Assignment(tmax, value, sequence[i]) for i, value in enumerate(extra[: len(sequence)])]


def _match(
    values: list[Value], names: list[Parameter], sentence: Sentence
) -> list[tuple[Parameter, Value]]:
    """Values along the names in order; where counts differ, each value goes to the next name it
    fits."""
    if len(values) == len(names) and all(
        _fits(v, p, sentence) for v, p in zip(values, names, strict=True)
    ):
        return list(zip(names, values, strict=True))
    if len(names) == 1:
        fitting = [v for v in values if _fits(v, names[0], sentence)]
        return [(names[0], fitting[0])] if fitting else []
    result = []
    position = 0
    for value in values:
        if not value.kind:
            continue
        for j in range(position, len(names)):
            if names[j].kind == value.kind:
                result.append((names[j], value))
                position = j + 1
                break
    kinds = [v.kind for v in values]
    if len(values) != len(names) and any(
        kinds.count(k) != sum(p.kind == k for p in names) for k in set(kinds) if k == "auc"
    ):
        result = [(p, v) for p, v in result if v.kind != "auc"]
    return result


def _in_order(
    values: list[Value], names: list[Parameter], order: list[str], sentence: Sentence
) -> list[Assignment]:
    """`k` names times `n` arms: parameter by parameter, or arm by arm, whichever the units
    allow."""
    k, n = len(names), len(order)
    if len(values) == n * k:
        by_name = [(names[i // n], values[i], order[i % n]) for i in range(n * k)]
        by_arm = [(names[i % k], values[i], order[i // k]) for i in range(n * k)]
        options = [o for o in (by_name, by_arm) if all(_fits(v, p, sentence) for p, v, _ in o)]
        if options:
            best = min(options, key=_unlikeness) if len(options) == 2 else options[0]
            return [Assignment(p, v, arm) for p, v, arm in best]
    if k == 1:
        fitting = [v for v in values if _fits(v, names[0], sentence)]
        if len(fitting) == 1:
            return [Assignment(names[0], fitting[0], None)]
        return [Assignment(names[0], v, order[i]) for i, v in enumerate(fitting[:n])]
    if len(values) == k:
        return [Assignment(p, v, None) for p, v in _match(values, names, sentence)]
    return []


def _unlikeness(option: list[tuple[Parameter, Value, str]]) -> float:
    """How far the two arms differ: products under test are alike, parameters are not."""
    total = 0.0
    by_parameter: dict[int, list[float]] = {}
    for parameter, value, _ in option:
        by_parameter.setdefault(parameter.start, []).append(value.number)
    for numbers in by_parameter.values():
        if len(numbers) > 1 and min(numbers) > 0:
            total += math.log(max(numbers) / min(numbers))
    return total
