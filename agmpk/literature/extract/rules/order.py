"""In which order a sentence speaks of its products."""

from __future__ import annotations

import re

from agmpk.literature.extract.rules.arms import REFERENCE, TEST, Arm
from agmpk.literature.extract.rules.parameters import Parameter
from agmpk.literature.extract.rules.tokens import Sentence
from agmpk.literature.extract.rules.values import Value

_FIRST_NAMED = re.compile(
    r"\b(?P<arm>[Rr]eference|[Tt]est|[Ii]nnovator|[Gg]eneric)(?:\s\w+)?\s(?:is |are |was )?"
    r"(?:given |listed |stated |shown )?first\b(?!\s(?:and|,|or|in|then))"
)
_ROLE = {"r": REFERENCE, "i": REFERENCE, "t": TEST, "g": TEST}


def is_flipped(sentence: Sentence) -> bool:
    """Whether the sentence opens `Compared with the reference, the test ...`: values then come in
    the order of its second arm and its first."""
    first = next((t.start for t in sentence.tokens if isinstance(t, Arm)), 0)
    return (
        re.search(r"\b(?:compared|comparison|relative)\b[\w\s]{0,12}$", sentence.text[:first], re.I)
        is not None
    )


def sentence_order(sentence: Sentence) -> list[str] | None:
    """`[test, reference]` or the reverse where the sentence names both arms side by side."""
    first_named = _FIRST_NAMED.search(sentence.text)
    if first_named:
        label = _ROLE[first_named["arm"].lower()[:1]]
        return [label, TEST if label == REFERENCE else REFERENCE]
    arms = [t for t in sentence.tokens if isinstance(t, Arm)]
    others = [t for t in sentence.tokens if isinstance(t, (Value, Parameter))]
    for first, second in zip(arms, arms[1:], strict=False):
        if first.label == second.label or second.start - first.end > 45:
            continue
        if any(first.end <= t.start < second.start for t in others):
            continue
        if re.search(r"[.;]", sentence.text[first.end : second.start].replace("vs.", "")):
            continue
        third = next((t for t in arms if t.start >= second.end), None)
        pair = [first.label, second.label]
        if third and third.label not in pair and third.start - second.end < 12:
            if not any(second.end <= t.start < third.start for t in others):
                return [*pair, third.label]
        return pair[::-1] if is_flipped(sentence) else pair
    return None
