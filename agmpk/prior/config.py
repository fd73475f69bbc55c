"""The configuration of the prior: frozen, validated, equal to its YAML form, and its table.

A field with a default may be missing in a file: the default is what it means to be without it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from agmpk.config import load_yaml, read_config, shipped, to_plain
from agmpk.errors import AgmpkError
from agmpk.prior.groups import (
    Absorption,
    Assay,
    Design,
    Disposition,
    Dosing,
    Metabolite,
    Variability,
)
from agmpk.prior.laws import Law

VERSION = 2  # of the quantities; 1 is what was published, calibrated and trained on first


@dataclass(frozen=True, kw_only=True)
class PriorConfig:
    """The whole prior.  ``solver_steps`` > 0 adds a uniform grid for the OU paths to refresh on.

    With ``solver_steps`` 0 the parameters are refreshed at the sampling times and at
    ``ou_refresh`` further times, which is cheaper and exact where there is no OU variation.

    Where elimination is saturable, ``fine_steps`` further grid times are added.
    A quantity that a file does not name is off, so that files written before it still read;
    ``version`` is that of the quantities when the file was written.
    """

    name: str
    disposition: Disposition
    absorption: Absorption
    variability: Variability
    metabolite: Metabolite
    dosing: Dosing
    design: Design
    assay: Assay
    solver_steps: int
    ou_refresh: int
    fine_steps: int = 200
    version: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.version <= VERSION:
            raise AgmpkError(
                f"The prior {self.name} is of version {self.version}, this package knows 1 to "
                f"{VERSION}: update the package."
            )
        for group in filter(is_dataclass, vars(self).values()):
            if empty := [name for name, value in vars(group).items() if value == ()]:
                raise AgmpkError(f"The prior {self.name}: {empty[0]} must be a list of numbers.")
        if self.disposition.log_CL and not self.disposition.half_lives_in_horizon:
            raise AgmpkError(f"The prior {self.name} has log_CL but no half_lives_in_horizon.")

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values, as they stand in a preset file."""
        return to_plain(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str = "The prior") -> PriorConfig:
        """Build and validate from nested plain values; ``where`` names the source in errors."""
        return read_config(cls, values, where)

    def replace(self, **groups: dict[str, Any]) -> PriorConfig:
        """A copy with changed quantities, as in ``replace(assay={"lloq_probability": 0.0})``."""
        changes = {
            name: dataclasses.replace(getattr(self, name), **values)
            if isinstance(values, dict)
            else values
            for name, values in groups.items()
        }
        return dataclasses.replace(self, **changes)


def presets() -> tuple[str, ...]:
    """Names of the presets that ship with the package."""
    return tuple(shipped("agmpk.prior", "presets"))


def load_prior(name_or_path: str | Path) -> PriorConfig:
    """A preset by name, or any prior from its YAML file.

    Raises:
        AgmpkError: there is no such preset or file, or an entry is missing, unknown or of the wrong
            kind.
    """
    text = str(name_or_path)
    source = shipped("agmpk.prior", "presets").get(text, Path(text))
    if source.suffix not in (".yaml", ".yml") or not source.is_file():
        raise AgmpkError(
            f"There is no prior {text!r}: use one of {', '.join(presets())}, or a .yaml file."
        )
    return PriorConfig.from_dict(load_yaml(source), where=text)


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
