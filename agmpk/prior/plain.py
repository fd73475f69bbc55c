"""Frozen dataclasses to plain YAML values and back, refusing what is unknown or odd.

A field with a default may be missing: the default is what it means to be without it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

from agmpk.errors import AgmpkError
from agmpk.prior.laws import Law


def to_plain(value: Any) -> Any:
    if isinstance(value, Law):
        return value.to_yaml()
    if dataclasses.is_dataclass(value):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
    return list(value) if isinstance(value, tuple) else value


def from_plain(cls: type, values: Any, where: str) -> Any:
    if not isinstance(values, dict):
        raise AgmpkError(f"{where} must be a mapping of names to values, not {values!r}.")
    names = {f.name for f in fields(cls)}
    needed = {f.name for f in fields(cls) if f.default is MISSING}
    for problem, odd in (("does not know", set(values) - names), ("lacks", needed - set(values))):
        if odd:
            raise AgmpkError(f"{where} {problem} {', '.join(sorted(odd))}.")
    hints = get_type_hints(cls)
    return cls(
        **{name: _read(hints[name], value, f"{where}: {name}") for name, value in values.items()}
    )


def _read(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind) and kind is not Law:
        return from_plain(kind, value, where)
    if kind is Law or kind == (Law | None):
        return None if value is None and kind is not Law else Law.from_yaml(value, where)
    if kind in (float, int, str):
        if isinstance(value, bool) or not isinstance(
            value, (int, float) if kind is float else kind
        ):
            raise AgmpkError(f"{where} must be of type {kind.__name__}, not {value!r}.")
        if kind is float and "probability" in where and not 0 <= value <= 1:
            raise AgmpkError(f"{where} must lie between 0 and 1, not {value}.")
        return kind(value)
    if isinstance(value, list) and value and all(isinstance(v, (int, float)) for v in value):
        return tuple(value)
    raise AgmpkError(f"{where} must be a list of numbers, not {value!r}.")
