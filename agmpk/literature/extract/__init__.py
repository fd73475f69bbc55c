"""Extraction: rules, a language model, or replayed answers, with one output and the same checks."""

from __future__ import annotations

from collections.abc import Callable

from agmpk.literature.document import Document
from agmpk.literature.schema import Extraction

Engine = Callable[[Document], Extraction]


def extract_document(document: Document, engine: Engine | None = None) -> Extraction:
    """One document through one engine (the rules by default) and every check that all share."""
    from agmpk.literature.extract.rules import extract_rules
    from agmpk.literature.ground import plausibility_flags, verify

    record = verify((engine or extract_rules)(document), document)
    record.flags += plausibility_flags(record)
    return record
