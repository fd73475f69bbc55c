"""Blocks: which of a frame's values belong to which arm.

An arm is named before its values, behind them, or once for a list in a fixed order
(`test and reference ... respectively`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from agmpk.literature.extract.rules.arms import REFERENCE, TEST, Arm
from agmpk.literature.extract.rules.frames import Frame
from agmpk.literature.extract.rules.parameters import Parameter
from agmpk.literature.extract.rules.tokens import Contrast
from agmpk.literature.extract.rules.values import Value

_TIED = re.compile(r"\s?,?\s?(?:with|for|after|from|by|in|following|of|on)\s(?:the\s)?")
_BRACKET = re.compile(r"\s?(?:,\s?[\d.]+\s?%\s?)?[(\[]\s?(?:the\s)?")
_CLOSED = re.compile(r"\s?(?:[),;]|and\b|versus\b|vs\b|compared\b|while\b|whereas\b|against\b)")
_UNKNOWN = re.compile(r"(?:\s\w+)?\s(?:and|vs\.?|versus)\s(?:the\s)?[A-Z][\w-]{2,}")


@dataclass
class State:
    """What carries over between frames: the arm being spoken of, the order of two arms, the last
    names, and those of this sentence."""

    current: str | None = None
    order: list[str] = field(default_factory=lambda: [TEST, REFERENCE])
    names: list[Parameter] = field(default_factory=list)
    sentence_names: list[Parameter] = field(default_factory=list)
    assumed: bool = False  # no text has said the order of the two arms
    flipped: bool = False  # see `is_flipped`


def arm_blocks(
    frame: Frame, own: list[Value], state: State, text: str
) -> tuple[list[tuple[str | None, list[Value]]], list[str]]:
    """Blocks of one arm each, or an order of two arms that the values cycle through; `text` is
    the sentence."""
    items = [t for t in frame.items if not isinstance(t, Value) or t in own]
    first = next((i for i, t in enumerate(items) if isinstance(t, Value)), len(items))
    lead = _labels(items[:first])
    body = items[first:]
    labels = _labels(body)
    tail_arms = _labels(_after_last_value(body))
    count = len(frame.parameters or state.names)
    for listed in (lead, tail_arms):
        if len(listed) == len(set(listed)) == 3 and len(own) == 3 * count:
            state.current = None
            return [], listed
    if len(set(lead[-2:])) == 2:
        state.current = None
        if not labels or len(set(labels)) == 2 and len(tail_arms) == 2:
            return [], lead[-2:][::-1] if state.flipped else lead[-2:]
        lead = lead[-1:] if isinstance(body[0], Value) and len(labels) == 1 else lead
        if len(set(lead)) == 2:
            return [], lead[-2:][::-1] if state.flipped else lead[-2:]
    if lead:
        state.current = lead[-1]
    if not lead and not labels and state.current is None:
        state_needed = len(own) >= 2
        return ([(None, own)], []) if not state_needed else _unlabelled(own, frame, state)
    if not lead and len(set(tail_arms)) == 2 and len(labels) == len(tail_arms):
        return [], tail_arms[:2]
    if not labels and not lead and state.current is not None:
        return [(state.current, own)], []
    if not lead and (order := _named_behind(body, own, text)):
        return [], order
    after = not lead and (
        (isinstance(body[-1], Arm) and (state.current is None or _each_labelled(body)))
        or _label_follows(body, text)
    )
    return (_labelled_after(body, frame, state) if after else _labelled_before(body, state)), []


def _label_follows(body, text: str) -> bool:
    """Whether the first arm is tied to the value before it: `7.6 µg/mL with the generic`."""
    if len(body) < 2 or not isinstance(body[0], Value) or not isinstance(body[1], Arm):
        return False
    between = text[body[0].end : body[1].start]
    behind = text[body[1].end : body[1].end + 12]
    if _BRACKET.fullmatch(between) and behind.lstrip().startswith(")"):
        return True
    return _TIED.fullmatch(between) is not None and _CLOSED.match(behind) is not None


def _named_behind(body, own: list[Value], text: str) -> list[str]:
    """The order of two values where one product has a name nobody defined: `3.0 and 3.3 h for
    the generic and Xyzal, respectively`."""
    arms = [t for t in body if isinstance(t, Arm)]
    if len(arms) != 1 or body[-1] is not arms[0] or len(own) != 2:
        return []
    if not _TIED.fullmatch(text[own[-1].end : arms[0].start]):
        return []
    other = _other(arms[0].label)
    return [arms[0].label, other] if other and _UNKNOWN.match(text, arms[0].end) else []


def _each_labelled(body) -> bool:
    """Whether the values come first and an arm closes them: labels stand behind their values."""
    return isinstance(body[0], Value) and isinstance(body[-1], Arm)


def _unlabelled(own: list[Value], frame: Frame, state: State):
    count = max(len(frame.parameters or state.names), 1)
    if len(state.order) == 3 and len(own) == 2 * count:
        return [(None, own)], []
    if len(own) >= len(state.order) * count:
        return [], list(state.order)
    return [(None, own)], []


def _labels(items) -> list[str]:
    labels: list[str] = []
    for token in items:
        if isinstance(token, Arm) and (not labels or labels[-1] != token.label):
            labels.append(token.label)
    return labels


def _after_last_value(items):
    last = max((i for i, t in enumerate(items) if isinstance(t, Value)), default=-1)
    return items[last + 1 :]


def _other(arm: str | None) -> str | None:
    return {TEST: REFERENCE, REFERENCE: TEST}.get(arm or "")


def _labelled_after(body, frame: Frame, state: State) -> list[tuple[str | None, list[Value]]]:
    blocks: list[tuple[str | None, list[Value]]] = []
    pending: list[Value] = []
    for token in body:
        if isinstance(token, Value):
            pending.append(token)
        elif isinstance(token, Arm):
            count = len(frame.parameters or state.names)
            if len(pending) == 2 * count and not blocks:
                # `A, B for the commercial and C, D for the test`: the first arm's name is unknown
                blocks.append((None, pending[:count]))
                pending = pending[count:]
            if pending:
                blocks.append((token.label, pending))
                pending = []
        elif isinstance(token, Contrast) and pending:
            blocks.append((None, pending))
            pending = []
    if pending:
        blocks.append((None, pending))
    labelled = {arm for arm, _ in blocks if arm}
    if len(labelled) == 1:
        other = _other(next(iter(labelled)))
        blocks = [(arm or other, values) for arm, values in blocks]
    return blocks


def _labelled_before(body, state: State) -> list[tuple[str | None, list[Value]]]:
    blocks: list[tuple[str | None, list[Value]]] = []
    arm = state.current
    pending: list[Value] = []
    contrasted = False
    for i, token in enumerate(body):
        if isinstance(token, Value):
            pending.append(token)
        elif isinstance(token, Arm):
            if contrasted and pending:
                blocks.append((token.label, pending))
                pending, contrasted = [], False
                continue
            if pending:
                same = i + 1 < len(body) and token.label == arm
                if same and not blocks:
                    continue
                blocks.append((arm, pending))
                pending = []
            arm, contrasted = token.label, False
        elif isinstance(token, Contrast) and pending:
            blocks.append((arm, pending))
            pending, contrasted = [], True
    if pending:
        blocks.append((_other(arm) if contrasted else arm, pending))
    known = {arm for arm, _ in blocks if arm}
    if len(known) == 1 and len(blocks) == 2:
        blocks = [(arm or _other(next(iter(known))), values) for arm, values in blocks]
    return blocks
