"""Rules of a table, checked by pandera in one lazy pass that finds every fault."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd
import pandera.pandas as pa

from agmpk.studies.nonmem.faults import Fault


@dataclass(frozen=True)
class Rule:
    """A demand on the cells of one column.

    Attributes:
        column: where the fault is reported.
        wrong: frame of N rows -> bool[N], True where the rule is broken.
        problem, remedy: halves of the sentence; ``{value}`` in ``problem`` is the cell's text.
    """

    column: str
    wrong: Callable[[pd.DataFrame], pd.Series]
    problem: str
    remedy: str


def broken(frame: pd.DataFrame, rules: Iterable[Rule], text: pd.DataFrame) -> list[Fault]:
    """Return the faults that the rules find in ``frame`` (index: file rows).

    ``text`` holds the cells as written, for the sentences. One cell gives at most one fault, that
    of the first rule it breaks.
    """
    listed = [rule for rule in rules if rule.column in frame]
    checks: dict[str, list[pa.Check]] = {}
    for number, rule in enumerate(listed):
        check = pa.Check(
            # A column's check may look at the whole row: pandera hands it the column only.
            lambda _, rule=rule: ~rule.wrong(frame).astype(bool),
            error=str(number),
            ignore_na=False,
        )
        checks.setdefault(rule.column, []).append(check)
    schema = pa.DataFrameSchema(
        {name: pa.Column(checks=found, nullable=True) for name, found in checks.items()}
    )
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        return _faults(errors.failure_cases, listed, text)
    return []


def _faults(cases: pd.DataFrame, rules: list[Rule], text: pd.DataFrame) -> list[Fault]:
    first: dict[tuple[int, str], int] = {}
    for row, column, check in zip(cases["index"], cases["column"], cases["check"], strict=True):
        place = int(row), str(column)
        first[place] = min(first.get(place, len(rules)), int(check))
    faults = []
    for (row, column), number in first.items():
        rule = rules[number]
        value = textwrap.shorten(text.at[row, column], 40) if column in text else ""
        faults.append(Fault(row, column, rule.problem.format(value=value), rule.remedy))
    return faults
