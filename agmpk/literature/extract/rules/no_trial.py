"""Articles that report no trial of their own: reviews, comments, simulations.

They mention doses and numbers of subjects that belong to nobody's study. Where such words stand in
an article from which no pharmacokinetic value was read, its doses and subjects are left out.
"""

from __future__ import annotations

import re

_WORDS = re.compile(
    r"\b(?:in this (?:commentary|review|letter|editorial|perspective|tutorial)"
    r"|we (?:review(?:ed)?|simulated|discuss|explain|searched|pooled)\b"
    r"|(?:systematic|literature|narrative) review|meta-analys[ie]s|monte carlo"
    r"|simulation study|simulated (?:studies|trials))",
    re.I,
)


def reports_no_trial(title: str, abstract: str) -> bool:
    """Whether normalized `title` or `abstract` says that the article is no trial."""
    return _WORDS.search(f"{title}. {abstract}") is not None
