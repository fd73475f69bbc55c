"""The words of the rules, out of `lexicon.yaml`: lists of words, and of patterns, by name."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

import yaml

_TEXTS = yaml.safe_load(files(__package__).joinpath("lexicon.yaml").read_text(encoding="utf-8"))


def words(name: str) -> list[str]:
    """The entries of a list, in order."""
    return _TEXTS[name].split()


@cache
def any_of(name: str) -> str:
    """A regular expression (a group without a name) for any entry of a list."""
    text = "|".join(words(name))
    return f"(?:{re.sub('<(form)>', lambda match: any_of(match[1]), text)})"
