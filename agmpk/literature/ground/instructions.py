"""Text that addresses a language model instead of a reader is blanked before anything reads it.

The sentence that shows itself by its wording and the two after it (same paragraph) are replaced by
spaces, so that all other character positions stay. This is a heuristic and no proof of safety: what
limits the damage of a text it does not recognise is that answers carry no actions, only values that
have to stand in the text under their own parameter's name.
"""

from __future__ import annotations

import re
from dataclasses import replace

from agmpk.literature.document import Document, Table

_TRIGGER = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b[^.\n]{0,40}\b(?:instructions?|prompts?|rules|above"
    r"|previous|earlier)\b"
    r"|\b(?:AI|language|chat) ?(?:models?|assistants?|bots?)\b[^.\n]{0,60}\b(?:must|should|please"
    r"|are|answer|report|output|extract)\b"
    r"|\b(?:system prompt|prompt injection|new instructions?:)|(?:<\|?(?:system|im_start"
    r"|assistant)|\[INST\]|### ?(?:system|instruction)s?)"
    r"|\byou are (?:an? |now )[^.\n]{0,40}(?:assistant|model|system)\b|\bas an? (?:AI|LLM"
    r"|large language model)\b"
    r"|\b(?:assistant|LLMs?|GPT|ChatGPT)\b\s?(?:,|:|must\b|should\b)|\b(?:output|respond|reply"
    r"|answer) (?:only )?(?:with )?(?:the following|this) (?:JSON|values?)\b",
    re.I,
)
_SENTENCE = re.compile(r"[^.!?\n]*(?:\.\d[^.!?\n]*)*(?:[.!?]+|\n|$)\s*")
FOLLOWING = 2


def blank_instructions(text: str) -> tuple[str, int]:
    """`text` with addressed passages replaced by spaces of the same length, and how many there
    were."""
    if not _TRIGGER.search(text):
        return text, 0
    result = list(text)
    count = 0
    for line in re.finditer(r"[^\n]+", text):
        pieces = [m.span() for m in _SENTENCE.finditer(text, *line.span()) if m.group()]
        left = 0
        for start, end in pieces:
            end = min(end, line.end())
            if _TRIGGER.search(text, start, end):
                left = FOLLOWING + 1
                count += 1
            if left:
                result[start:end] = " " * (end - start)
                left -= 1
    return "".join(result), count


def quarantine(document: Document) -> tuple[Document, list[str]]:
    """The document without text that addresses a model, and a flag for each source it stood in."""
    flags = []
    texts = {}
    for name in ("title", "abstract", "body"):
        texts[name], count = blank_instructions(getattr(document, name))
        if count:
            flags.append(f"{name}: {count} passage(s) that address a language model were left out")
    tables = []
    for i, table in enumerate(document.tables):
        cleaned = _clean_table(table)
        if cleaned != table:
            flags.append(f"tables[{i}]: text that addresses a language model was left out")
        tables.append(cleaned)
    return replace(document, **texts, tables=tuple(tables)), flags


def _clean_table(table: Table) -> Table:
    def clean(text: str) -> str:
        return blank_instructions(text)[0]

    return Table(
        clean(table.label),
        clean(table.caption),
        tuple(tuple(map(clean, r)) for r in table.header),
        tuple(tuple(map(clean, r)) for r in table.rows),
        tuple(map(clean, table.footnotes)),
    )
