"""Precision, recall and F1 of every field against hand-read truth, and the gold sets.

A field is right where numbers agree to 0.1 %, units and ranges after normalization, and names
without their salts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from agmpk.errors import AgmpkError
from agmpk.files import data_path
from agmpk.literature.document import Document, document_from_record, read_jsonl
from agmpk.literature.extract import extract_document
from agmpk.literature.extract.tokens import SALTS
from agmpk.literature.parse import parse_file
from agmpk.literature.schema import FIELDS
from agmpk.literature.text import normalize
from agmpk.literature.units import parse_unit


def score_records(
    found: Iterable[Mapping[str, Any]], truth: Iterable[Mapping[str, Any]]
) -> pd.DataFrame:
    """Counts and precision, recall, F1 of every field; `truth` lines have `id` and `truth` (or flat
    fields).

    A wrong value is one false positive and one false negative; a value where the truth is null is a
    false positive; null where the truth has a value is a false negative. Precision is NaN where
    nothing was given.

    Raises:
        AgmpkError: a document of the truth is missing from `found`.
    """
    by_id = {str(r["id"]): r for r in found}
    rows = {field: {"tp": 0, "fp": 0, "fn": 0, "tn": 0} for field in FIELDS}
    for line in truth:
        expected = line.get("truth", line)
        output = by_id.get(str(line["id"]))
        if output is None:
            missing = f"document {line['id']} of the truth is missing from the extraction"
            raise AgmpkError(f"{missing}; extract it first")
        for field in FIELDS:
            value, wanted = output.get(field), expected.get(field)
            if same(field, value, wanted):
                rows[field]["tn" if wanted is None else "tp"] += 1
            else:
                rows[field]["fp"] += value is not None
                rows[field]["fn"] += wanted is not None
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("field").reset_index()
    table["precision"] = table.tp / (table.tp + table.fp).where(lambda n: n > 0)
    table["recall"] = table.tp / (table.tp + table.fn).where(lambda n: n > 0)
    table["f1"] = 2 * table.tp / (2 * table.tp + table.fp + table.fn).where(lambda n: n > 0)
    return table


def outcomes(
    found: Iterable[Mapping[str, Any]],
    truth: Iterable[Mapping[str, Any]],
    fields: Iterable[str] = FIELDS,
) -> pd.DataFrame:
    """What became of each field over pairs of records and truths: counts `right`, `right, flagged`,
    `empty` (stated and not read), `wrong`, and of the wrong ones `silent`, without a flag."""
    kinds = ["right", "right, flagged", "empty", "wrong", "silent"]
    table = pd.DataFrame(0, index=list(fields), columns=kinds)
    for record, line in zip(found, truth, strict=True):
        for field in table.index:
            value, wanted = record.get(field), line["truth"].get(field)
            # A unit and a dispersion share the flags of their value.
            value_of = re.sub(r"_(?:unit|dispersion|dispersion_type)$", "", field)
            flagged = any(f.startswith(f"{value_of}:") for f in record.get("flags", ()))
            if value is None:
                table.loc[field, "empty"] += wanted is not None
            elif same(field, value, wanted):
                table.loc[field, "right, flagged" if flagged else "right"] += 1
            else:
                table.loc[field, "wrong"] += 1
                table.loc[field, "silent"] += not flagged
    return table


TOLERANCE = 1e-3  # relative; printed numbers are copied, not computed


def same(field: str, found: object, truth: object) -> bool:
    """Whether `found` is `truth`: numbers to 0.1 %, units and ranges after normalization, names
    without salts."""
    if found is None or truth is None:
        return found is None and truth is None
    if field.endswith("unit"):
        return _unit(found) == _unit(truth)
    if field == "compound":
        return _compound(found) == _compound(truth)
    try:
        return math.isclose(float(found), float(truth), rel_tol=TOLERANCE)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return _text(found) == _text(truth)


def _text(value: object) -> str:
    text = normalize(str(value)).text.strip().lower()
    numbers = re.fullmatch(r"(\d+(?:\.\d+)?)\s?(?:-|to)\s?(\d+(?:\.\d+)?)", text)
    return f"{float(numbers[1]):g}-{float(numbers[2]):g}" if numbers else text


def _unit(value: object) -> str:
    text = normalize(str(value)).text
    unit = parse_unit(text)
    return unit.text if unit else text.strip().lower()


def _compound(value: object) -> str:
    words = normalize(str(value)).text.lower().replace("-", " ").split()
    return " ".join(w for w in words if w not in SALTS)


# ------------------------------------------------------------------------------- the gold sets
PARTS = (
    *("dev", "held_out", "probe_a", "probe_b", "probe_c", "probe_d", "probe_e"),
    *("choosing", "reporting"),
)


def load_gold(part: str) -> list[tuple[Document, dict[str, Any]]]:
    """`[(document, truth)]` of one of `PARTS`; articles are parsed from their XML."""
    folder = data_path("literature", "gold")
    result = []
    for line in read_jsonl(folder / f"{part}.jsonl"):
        if line["kind"] == "article":
            document = replace(parse_file(folder / line["jats"])[0], id=line["id"])
        else:
            document = document_from_record(line)
        result.append((document, line["truth"]))
    return result


def score_gold(parts: Iterable[str] = PARTS) -> pd.DataFrame:
    """The rules on the gold sets: `part, field, tp, fp, fn, tn`, as in `gold/scores.csv`."""
    tables = []
    for part in parts:
        gold = load_gold(part)
        found = [extract_document(document).model_dump() for document, _ in gold]
        table = score_records(found, [{"id": d.id, "truth": truth} for d, truth in gold])
        table.insert(0, "part", part)
        tables.append(table.iloc[:, :6])
    return pd.concat(tables, ignore_index=True)


def pooled(table: pd.DataFrame) -> pd.Series:
    """`tp, fp, fn, precision, recall` of all rows of a table of counts together."""
    counts = table[["tp", "fp", "fn"]].sum()
    tp, fp, fn = counts
    return pd.Series({**counts, "precision": tp / (tp + fp), "recall": tp / (tp + fn)})
