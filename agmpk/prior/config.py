"""The configuration of the prior: frozen, validated, equal to its YAML form, and its table.

A field with a default may be missing in a file: the default is what it means to be without it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, dataclass, fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import Any, get_type_hints

import pandas as pd

from agmpk.config import load_yaml, parse_yaml
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
        if self.disposition.log_CL and not self.disposition.half_lives_in_horizon:
            raise AgmpkError(f"The prior {self.name} has log_CL but no half_lives_in_horizon.")

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values, as they stand in a preset file."""
        return to_plain(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str = "The prior") -> PriorConfig:
        """Build and validate from nested plain values; ``where`` names the source in errors."""
        return from_plain(cls, values, where)

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
    folder = resources.files("agmpk.prior") / "presets"
    return tuple(
        sorted(p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml"))
    )


def load_prior(name_or_path: str | Path) -> PriorConfig:
    """A preset by name, or any prior from its YAML file.

    Raises
    ------
    AgmpkError
        If there is no such preset or file, or an entry is missing, unknown or of the wrong kind.
    """
    text = str(name_or_path)
    if text in presets():
        file = resources.files("agmpk.prior") / "presets" / f"{text}.yaml"
        values = parse_yaml(file.read_text("utf-8"), text)
    elif Path(text).suffix in (".yaml", ".yml") and Path(text).is_file():
        values = load_yaml(text)
    else:
        raise AgmpkError(
            f"There is no prior {text!r}: use one of {', '.join(presets())}, or a .yaml file."
        )
    return PriorConfig.from_dict(values, where=text)


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
