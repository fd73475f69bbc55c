"""The table of the prior, rendered from the configuration and nothing else."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import pandas as pd

from agmpk.prior.config import PriorConfig
from agmpk.prior.laws import Law


def quantity_table(*configs: PriorConfig) -> pd.DataFrame:
    """One row a quantity: group, unit, meaning, source, and its range in every configuration."""
    rows = []
    for group in fields(PriorConfig):
        part = getattr(configs[0], group.name)
        if not is_dataclass(part):
            continue
        for one in fields(part):
            ranges = {c.name: describe(getattr(getattr(c, group.name), one.name)) for c in configs}
            rows.append({"group": group.name, "quantity": one.name, **ranges, **one.metadata})
    return pd.DataFrame(rows)


def describe(value: Any) -> str:
    """A law or a plain value in words."""
    if value is None:
        return "off"
    if isinstance(value, Law):
        if value.low == value.high:
            return f"{value.low:g}"
        return f"{'log-uniform' if value.log else 'uniform'} {value.low:g} to {value.high:g}"
    if isinstance(value, tuple):
        return ", ".join(f"{v:g}" for v in dict.fromkeys(value))
    return f"{value:g}"
