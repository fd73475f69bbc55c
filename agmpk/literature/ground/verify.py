"""The last guard, for every engine: evidence must say what the record says."""

from __future__ import annotations

import math
import re

from agmpk.literature.document import Document
from agmpk.literature.extract.schema import QUANTITIES, Extraction, Rejection
from agmpk.literature.text import normalize, word_number
from agmpk.literature.text.numbers import WORD_NUMBER

_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_RELATED = {
    name: (name, f"{name}_unit", f"{name}_type", f"{name}_dispersion", f"{name}_dispersion_type")
    for name in QUANTITIES
}
_RELATED.update(
    {
        "dose": ("dose", "dose_unit"),
        "n_subjects": ("n_subjects",),
        "compound": ("compound",),
        "route": ("route",),
        "t_last": ("t_last", "t_last_unit"),
    }
)


def verify(record: Extraction, document: Document) -> Extraction:
    """`record` without the values whose evidence is missing, does not stand in the document, or
    says something else.

    Each removal is put into `rejected` with its reason.
    """
    sources = document.sources()
    for name, related in _RELATED.items():
        value = getattr(record, name)
        if value is None:
            continue
        reason = _fault(name, value, record, sources)
        if reason:
            record.rejected.append(Rejection(field=name, value=value, reason=reason))
            for field in related:
                setattr(record, field, None)
            record.evidence.pop(name, None)
    return record


def _fault(name: str, value, record: Extraction, sources: dict[str, str]) -> str:
    spans = record.evidence.get(name, [])
    if not spans:
        return "no evidence"
    for span in spans:
        if sources.get(span.source, "")[span.start : span.end] != span.text or not span.text:
            return "the evidence does not stand in the document"
    if name in QUANTITIES or name == "t_last":
        return (
            ""
            if any(_same(value, n) for s in spans for n in _numbers(s.text))
            else "the number is not in its evidence"
        )
    if name in ("dose", "n_subjects"):
        numbers = [n for s in spans for n in _numbers(s.text)]
        fits = any(_same(value, n) for n in numbers) or (
            len(spans) > 1 and (_same(value, math.prod(numbers)) or _same(value, sum(numbers)))
        )
        return "" if fits else "the number is not in its evidence"
    if name == "compound":
        text = normalize(" ".join(s.text for s in spans)).text.lower()
        return "" if str(value).lower().split()[0] in text else "the name is not in its evidence"
    return ""


def _numbers(text: str) -> list[float]:
    normal = normalize(text).text
    # A span cut out of a text with decimal commas cannot show that it has them: allow both
    # readings.
    both = {
        normal,
        normal.replace(",", "."),
        re.sub(r"(?<=\d)[ ,.](?=\d{3}\b)", "", normal),
        re.sub(r"(?<=\d)[ ](?=\d{3})", "", normal),
    }
    found = [float(m.group()) for t in both for m in _NUMBER.finditer(t)]
    words = [
        n
        for m in re.finditer(WORD_NUMBER, normal, re.I)
        if (n := word_number(m.group())) is not None
    ]
    return (
        sorted({*found, *map(float, words)})
        if len(both) > 1
        else [*dict.fromkeys([*found, *map(float, words)])]
    )


def _same(a: float, b: float) -> bool:
    return math.isclose(float(a), b, rel_tol=1e-9)
