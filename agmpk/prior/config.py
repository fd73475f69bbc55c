"""The configuration of the simulator prior: frozen, validated, and equal to its YAML form."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

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
from agmpk.prior.plain import from_plain, to_plain


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
