"""Extraction: rules, a language model, or replayed answers, with one output and the same checks.

The last guard stands here, behind every engine: a value whose evidence does not stand in the
document is taken out, and what cannot be is flagged.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from agmpk.literature.document import Document
from agmpk.literature.schema import QUANTITIES, Extraction, Rejection
from agmpk.literature.text import normalize, numbers_at
from agmpk.literature.units import convert

Engine = Callable[[Document], Extraction]
MAX_CV = 150.0  # percent; flagged above


def extract_document(document: Document, engine: Engine | None = None) -> Extraction:
    """One document through one engine (the rules by default) and every check that all share."""
    from agmpk.literature.extract.rules import extract_rules

    record = verify((engine or extract_rules)(document), document)
    record.flags += plausibility_flags(record)
    return record


def verify(record: Extraction, document: Document) -> Extraction:
    """`record` without the values whose evidence is missing, does not stand in the document, or
    says something else; each removal is put into `rejected` with its reason."""
    sources = document.sources()
    for name in (*QUANTITIES, "dose", "n_subjects", "compound", "route"):
        value = getattr(record, name)
        reason = _lie(name, value, record, sources) if value is not None else ""
        if reason:
            record.rejected.append(Rejection(field=name, value=value, reason=reason))
            for suffix in ("", "_unit", "_type", "_dispersion", "_dispersion_type"):
                if f"{name}{suffix}" in Extraction.model_fields:
                    setattr(record, f"{name}{suffix}", None)
            record.evidence.pop(name, None)
    return record


def _lie(name: str, value, record: Extraction, sources: dict[str, str]) -> str:
    spans = record.evidence.get(name, [])
    if not spans:
        return "no evidence"
    if any(sources.get(s.source, "")[s.start : s.end] != s.text or not s.text for s in spans):
        return "the evidence does not stand in the document"
    if name == "route":
        return ""
    if name == "compound":
        text = normalize(" ".join(s.text for s in spans)).text.lower()
        return "" if str(value).lower().split()[0] in text else "the name is not in its evidence"
    numbers = [_readable(s.text) for s in spans]
    could_be = sum(numbers, [])
    if name in ("dose", "n_subjects") and len(spans) > 1:
        first = [n[0] for n in numbers if n]
        could_be += [math.prod(first), sum(first)]
    fits = any(math.isclose(value, n, rel_tol=1e-9) for n in could_be)
    return "" if fits else "the number is not in its evidence"


def _readable(text: str) -> list[float]:
    """The numbers a span can be read as: cut out of its text, it cannot show its decimal sign."""
    normal = normalize(text).text
    forms = {
        normal,
        normal.replace(",", "."),
        re.sub(r"(?<=\d)[ ,.](?=\d{3}\b)", "", normal),
        re.sub(r"(?<=\d),?[ ](?=\d{3})", "", normal),
    }
    return [n for f in forms for n, _, _ in numbers_at(f, 0, len(f), words=True)]


def plausibility_flags(record: Extraction) -> list[str]:
    """What cannot be, or hardly can be: zeros, huge dispersions, AUC0-t above AUC0-inf."""
    flags = []
    if record.n_subjects is not None and record.n_subjects < 3:
        flags.append("n_subjects: fewer than three")
    for name in ("dose", *QUANTITIES):
        value = getattr(record, name)
        spread, kind = (getattr(record, f"{name}_dispersion{k}", None) for k in ("", "_type"))
        if value is not None and value <= 0:
            flags.append(f"{name}: not above zero")
        elif value is not None and isinstance(spread, float) and kind in ("CV%", "SD"):
            cv = spread if kind == "CV%" else 100 * spread / value
            if cv > MAX_CV:
                flags.append(f"{name}: a CV of {cv:.0f} % is above {MAX_CV:g} %")
    if record.auc0_t is not None and record.auc0_inf is not None:
        last = convert(record.auc0_t, record.auc0_t_unit, record.auc0_inf_unit)
        if last is None:
            flags.append("auc0_t: its unit and that of auc0_inf do not measure the same thing")
        elif last > record.auc0_inf * 1.001:
            flags.append("auc0_t: larger than auc0_inf")
    return flags
