"""Frames: a run of parameter names and the values and arms that belong to it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from agmpk.literature.extract.rules.arms import Arm
from agmpk.literature.extract.rules.parameters import Parameter
from agmpk.literature.extract.rules.tokens import Contrast, Sentence, Token
from agmpk.literature.extract.rules.values import Value

_POSTFIX = re.compile(r"[\s,]*(?:\([^)]*\))?\s?(?:for(?: the)?(?: mean)?|in(?: terms of)?|\()\s?$")


@dataclass
class Frame:
    """`parameters` in printed order; `items` holds values, arms and contrast words in printed
    order."""

    parameters: list[Parameter] = field(default_factory=list)
    items: list[Value | Arm | Contrast] = field(default_factory=list)

    @property
    def values(self) -> list[Value]:
        return [t for t in self.items if isinstance(t, Value)]


def frames(sentence: Sentence) -> list[Frame]:
    """The frames of a sentence; one without parameters takes those of the sentence before."""
    tokens = sentence.tokens
    if _is_postfix(sentence):
        return _postfix(tokens)
    result: list[Frame] = []
    frame = Frame()
    for token in tokens:
        if isinstance(token, Parameter):
            if frame.values:
                moved = _arms_of_next(frame, token, sentence.text)
                result.append(frame)
                frame = Frame(items=list(moved))
            frame.parameters.append(token)
        else:
            frame.items.append(token)
    result.append(frame)
    return [f for f in result if f.values]


def _is_postfix(sentence: Sentence) -> bool:
    """Whether the names follow their values: `24.6 and 25.1 µg/mL for Cmax`."""
    previous = None
    for token in sentence.tokens:
        if isinstance(token, Parameter):
            if previous is None or not token.kind:
                return False
            between = sentence.text[previous.end : token.start]
            return _POSTFIX.fullmatch(between) is not None and previous.kind in ("", token.kind)
        if isinstance(token, Value):
            previous = token
    return False


def _postfix(tokens: tuple[Token, ...]) -> list[Frame]:
    result: list[Frame] = []
    frame = Frame()
    for token in tokens:
        if frame.parameters and isinstance(token, Value):
            result.append(frame)
            frame = Frame()
        if isinstance(token, Parameter):
            if frame.values:
                frame.parameters.append(token)
        else:
            frame.items.append(token)
    if frame.parameters and frame.values:
        result.append(frame)
    return result


def _arms_of_next(frame: Frame, parameter: Parameter, text: str) -> list[Arm]:
    """Arms after the last value that introduce the next frame rather than label this one."""
    last = frame.values[-1]
    trailing = [t for t in frame.items if t.start >= last.end]
    moved: list[Arm] = []
    for position, token in enumerate(trailing):
        if isinstance(token, Arm):
            before = text[last.end : token.start]
            after = text[token.end : parameter.start]
            strong = re.search(r"[;:.]|,\s(?:and|while|whereas|but|with|for|the)\b", before)
            closes = re.search(r"[;,]|\)|\band\b", after)
            directly = re.search(r"[,;:.]|\band\b", before) and re.fullmatch(
                r"(?:'s)?\s?(?:(?:the|mean|median|average|geometric|of)\s)*", after
            )
            clause = re.match(r"\s*;", before) and not re.match(r"\s?\)", after)
            if directly or clause or (strong and not closes):
                moved = [t for t in trailing[position:] if isinstance(t, Arm)]
                frame.items = [t for t in frame.items if t not in trailing[position:]]
                break
    return moved
