"""Rules of single cells, and the conversion of text cells into numbers."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

from agmpk.studies.names import is_missing
from agmpk.studies.nonmem.columns import DECIMAL_COMMA, NOT_FINITE, NUMBERS, NUMERIC, to_number
from agmpk.studies.nonmem.schema import Rule

_BELOW = re.compile(r"(<.*|[ab]l[ol]?q|bql|lloq|below.*)", re.IGNORECASE)
_CLOCK = re.compile(r"\d+:\d+.*")


def cell_rules(columns: list[str], analyte: str | None) -> list[Rule]:
    """Return the rules for the text cells of a table with these columns."""
    rules = [
        _rule(name, is_missing, "the value is missing", f"give every row a {name}")
        for name in ("ID", "TIME", "STUDY")
        if name in columns
    ]
    names = [name for name in ("ID", "STUDY", analyte) if name in columns]
    rules += [
        _rule(name, _no_name, "{value!r} cannot be used as a name", "write a plain one")
        for name in names
    ]
    for name in NUMERIC:
        if name in columns:
            rules += _number_rules(name)
    return rules


def _number_rules(name: str) -> list[Rule]:
    rules = [
        _rule(name, DECIMAL_COMMA.fullmatch, "{value} has a decimal comma", "write a point"),
        _rule(
            name,
            _not_finite,
            "{value} is not a finite number",
            "write . where the value is missing",
        ),
    ]
    remedy = "write a number, or . where the value is missing"
    if name == "DV":
        below = "write the LLOQ with CENS 1, or . where the value is missing"
        rules.append(_rule(name, _BELOW.fullmatch, "{value} is text, not a number", below))
    if name == "TIME":
        remedy = "write hours since the first dose as a number"
        rules.append(_rule(name, _CLOCK.fullmatch, "{value} is a clock time", remedy))
    rules.append(_rule(name, _not_number, "{value} is text, not a number", remedy))
    return rules


def _rule(name: str, wrong: Callable[[str], object], problem: str, remedy: str) -> Rule:
    return Rule(
        name, lambda frame: frame[name].map(lambda cell: bool(wrong(cell))), problem, remedy
    )


def _no_name(text: str) -> bool:
    return not text.isprintable() or text.startswith(("#", "@"))


def _not_finite(text: str) -> bool:
    return bool(NOT_FINITE.fullmatch(text)) or np.isinf(to_number(text))


def _not_number(text: str) -> bool:
    return not is_missing(text) and not NUMBERS.fullmatch(text)


def numbers(cells: pd.DataFrame, analyte: str | None) -> pd.DataFrame:
    """Return the records: numeric columns as float64 (NaN where missing or absent) and the text
    columns ID, STUDY, ANALYTE, ROUTE, CMT ('' where missing or absent)."""
    frame = pd.DataFrame(index=cells.index)
    for name in NUMERIC:
        frame[name] = cells[name].map(to_number).astype(float) if name in cells else np.nan
    for name in ("ID", "STUDY", "ROUTE", "CMT"):
        frame[name] = _labels(cells, name)
    frame["ANALYTE"] = _labels(cells, analyte)
    return frame


def _labels(cells: pd.DataFrame, name: str | None) -> pd.Series:
    if name not in cells:
        return pd.Series("", index=cells.index, dtype=object)
    return cells[name].map(lambda text: "" if is_missing(text) else text).astype(object)
