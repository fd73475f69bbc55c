"""The score table: one row a field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from agmpk.errors import AgmpkError
from agmpk.literature.extract.schema import FIELDS
from agmpk.literature.score.fields import same


def score_records(
    found: Iterable[Mapping[str, Any]], truth: Iterable[Mapping[str, Any]]
) -> pd.DataFrame:
    """Counts and precision, recall, F1 of every field; `truth` lines have `id` and `truth` (or
    flat fields).

    A wrong value is one false positive and one false negative; a value where the truth is null
    is a false
    positive; null where the truth has a value is a false negative. Precision is NaN where
    nothing was given.
    Raises AgmpkError where a document of the truth is missing from `found`.
    """
    by_id = {str(r["id"]): r for r in found}
    rows = {field: {"tp": 0, "fp": 0, "fn": 0, "tn": 0} for field in FIELDS}
    for line in truth:
        expected = line.get("truth", line)
        output = by_id.get(str(line["id"]))
        if output is None:
            raise AgmpkError(
                f"document {line['id']} of the truth is missing from the extraction; extract it "
                f"first"
            )
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
