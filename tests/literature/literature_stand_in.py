"""Answers for the stand-in server: one that reads known truth out of the text, one that invents.

The truthful one knows the hand-written truth of the gold set and only looks up where it stands. It
shows that the path from question to grounded record loses nothing; it measures no model.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping
from typing import Any

from agmpk.literature.document import Document
from agmpk.literature.text import WORD_NUMBER, normalize, sentences, word_number

EMPTY: dict[str, Any] = dict.fromkeys(
    ("compound", "dose", "n_subjects", "route", "cmax", "tmax", "auc0_t", "auc0_inf")
)
_SPREAD = {"central_tendency": None, "dispersion": None, "dispersion_type": None}
_NUMBER = re.compile(r"(?<![\d.])\d+(?:\.\d+)?")


def _passages(document: Document) -> list[str]:
    """Two-sentence windows of prose and whole table lines, as they stand in the document."""
    result = []
    for source, text in document.sources().items():
        normal = normalize(text)
        if source.startswith("tables["):
            result += [line for line in text.split("\n") if line.strip()]
            continue
        spans = sentences(normal.text)
        result += [normal.source[slice(*normal.span(a, b))].strip() for a, b in spans]
    return result


def _quote(document: Document, value: float, near: str = "") -> str:
    best = ""
    for passage in _passages(document):
        text = normalize(passage).text
        numbers = [float(m.group()) for m in _NUMBER.finditer(text)]
        numbers += [
            float(n)
            for m in re.finditer(WORD_NUMBER, text, re.I)
            if (n := word_number(m.group())) is not None
        ]
        if any(math.isclose(n, value) for n in numbers):
            if not near or re.search(near, text, re.I):
                return passage
            best = best or passage
    if best or not near:
        return best or document.title
    return next(
        (
            p
            for p in _passages(document)
            if re.search(near, normalize(p).text, re.I) and _NUMBER.search(p)
        ),
        document.title,
    )


def truthful_answer(document: Document, truth: Mapping[str, Any]) -> dict[str, Any]:
    """An extraction answer that holds the truth, each value with a passage in which its number
    stands."""
    answer: dict[str, Any] = {**EMPTY, "route": truth["route"]}
    if truth["compound"]:
        answer["compound"] = {"value": truth["compound"], "quote": document.title}
    if truth["dose"]:
        answer["dose"] = {
            "value": truth["dose"],
            "unit": truth["dose_unit"],
            "quote": _quote(document, truth["dose"], re.escape(truth["dose_unit"])),
        }
    if truth["n_subjects"]:
        answer["n_subjects"] = {
            "value": truth["n_subjects"],
            "quote": _quote(
                document,
                truth["n_subjects"],
                r"\bmen and|subject|volunteer|men\b|adult|patient|n\s?=|particip|metaboli|women"
                r"|people",
            ),
        }
    for name in ("cmax", "tmax", "auc0_t", "auc0_inf"):
        if truth[name] is None:
            continue
        quantity = {
            **_SPREAD,
            "value": truth[name],
            "unit": truth[f"{name}_unit"],
            "quote": _quote(
                document,
                truth[name],
                {
                    "cmax": r"c\s?\(?max|peak|concentr",
                    "tmax": r"t\s?\(?max|times? to|peak|after|occurr",
                }.get(name, "auc|area"),
            ),
        }
        if truth.get(f"{name}_dispersion") is not None:
            quantity["dispersion"] = truth[f"{name}_dispersion"]
            quantity["dispersion_type"] = truth.get(f"{name}_dispersion_type")
        answer[name] = quantity
    return answer


def invented_answer(document: Document, seed: int = 0) -> dict[str, Any]:
    """An extraction answer of plausible inventions: wrong numbers in true quotes and in invented
    quotes."""
    rng = random.Random(f"{seed} {document.id}")
    passages = _passages(document)

    def quantity(unit: str, scale: float, word: str) -> dict[str, Any]:
        value = round(scale * rng.uniform(1.1, 9.7), 3) + 0.0007
        true_quote = rng.random() < 0.5
        quote = (
            rng.choice(passages)
            if true_quote
            else f"The {word} of the test product was {value} {unit}."
        )
        return {
            **_SPREAD,
            "value": value,
            "unit": unit,
            "dispersion": round(value * 0.3, 4),
            "dispersion_type": "SD",
            "quote": quote,
        }

    return {
        "compound": {"value": "inventadol", "quote": document.title},
        "dose": {"value": 1234.5, "unit": "mg", "quote": document.title},
        "n_subjects": {"value": 1999, "quote": rng.choice(passages)},
        "route": "topical",
        "cmax": quantity("ng/mL", 100, "Cmax"),
        "tmax": quantity("h", 1, "Tmax"),
        "auc0_t": quantity("ng·h/mL", 1000, "AUC0-t"),
        "auc0_inf": quantity("ng·h/mL", 1100, "AUC0-∞"),
    }
