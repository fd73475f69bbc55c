"""Words that are drug names, and words of titles that are not.

The lists stand in `lexicon.yaml`. The stems are those of the international nonproprietary names
(WHO INN stem book); the names are common ones that carry no stem. Together with the grammar of the
title they find the compound.
"""

from __future__ import annotations

import re
from importlib.resources import files

import yaml

_LISTS: dict[str, list[str]] = {
    name: words.split()
    for name, words in yaml.safe_load(
        files(__package__).joinpath("lexicon.yaml").read_text(encoding="utf-8")
    ).items()
}
STEMS = re.compile(rf".{{2,}}(?:{'|'.join(_LISTS['stems'])})$", re.I)
NAMES = set(_LISTS["names"])
NOT_DRUGS = set(_LISTS["not_drugs"])
ESTERS = tuple(_LISTS["esters"])
SALTS = tuple(_LISTS["salts"])
_NEVER = set(_LISTS["never"])
_PREFIXES = re.compile(r"(?:cef|ceph|sulfa|predni)[a-z]{3,}$")


def is_drug(word: str) -> bool:
    """Whether `word` is a known drug name or carries an INN stem."""
    lowered = word.lower().strip("-")
    if lowered in _NEVER or lowered in NOT_DRUGS or len(lowered) < 5:
        return False
    return lowered in NAMES or (
        (STEMS.match(lowered) is not None or _PREFIXES.match(lowered) is not None)
        and lowered.isascii()
        and not lowered.endswith(("ivalent", "icant", "evant", "ipant", "itant", "stant"))
    )
