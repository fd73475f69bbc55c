"""The configuration of the simulator prior: frozen, validated, and equal to its YAML form."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from agmpk.prior.groups import (
    Absorption,
    Assay,
    Design,
    Disposition,
    Dosing,
    Metabolite,
    Variability,
)
from agmpk.prior.plain import from_plain, to_plain


@dataclass(frozen=True)
class PriorConfig:
    """The whole prior.  ``solver_steps`` > 0 adds a uniform grid for the OU paths to refresh on.

    With ``solver_steps`` 0 the parameters are refreshed at the sampling times and at
    ``ou_refresh`` further times, which is cheaper and exact where there is no OU variation.
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
