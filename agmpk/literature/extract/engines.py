"""Running an engine over documents: quarantine, extract, verify, flag."""

from __future__ import annotations

from collections.abc import Callable

from agmpk.literature.document import Document
from agmpk.literature.extract.rules.engine import extract_rules
from agmpk.literature.extract.schema import Extraction
from agmpk.literature.ground import plausibility_flags, quarantine, verify

Engine = Callable[[Document], Extraction]


def extract_document(document: Document, engine: Engine = extract_rules) -> Extraction:
    """One document through one engine and every check that all engines share."""
    clean, flags = quarantine(document)
    record = verify(engine(clean), clean)
    record.flags = [*flags, *record.flags, *plausibility_flags(record)]
    return record
