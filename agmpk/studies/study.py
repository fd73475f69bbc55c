"""A study: one analyte measured in a set of individuals."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from agmpk.errors import AgmpkError
from agmpk.studies.individual import Individual
from agmpk.studies.names import checked_name
from agmpk.studies.units import Units

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Study:
    """A set of individuals in whom one compound (a drug or a metabolite) was measured.

    Attributes:
        compound: the analyte. A metabolite's study holds the doses of its parent.
        individuals: with unique IDs; may be empty (a context of nobody).
        units: of times, concentrations and doses.
        lloq: lower limit of quantification [concentration unit], or None when unknown.

    Raises:
        AgmpkError: an ID occurs twice, or a value is outside its range.
    """

    compound: str
    individuals: tuple[Individual, ...]
    units: Units = field(default_factory=Units)
    lloq: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "compound", checked_name("compound", self.compound))
        object.__setattr__(self, "individuals", tuple(self.individuals))
        seen: set[str] = set()
        for one in self.individuals:
            if not isinstance(one, Individual):
                raise AgmpkError(f"The study of {self.compound} holds {one!r}, not an Individual.")
            if one.id in seen:
                raise AgmpkError(
                    f"The study of {self.compound} has two individuals with ID {one.id}; "
                    "give each its own."
                )
            seen.add(one.id)
        if self.lloq is not None:
            if not (math.isfinite(self.lloq) and self.lloq > 0):
                raise AgmpkError(
                    f"The LLOQ of the study of {self.compound} is {self.lloq}; "
                    "give a positive number or None."
                )
            object.__setattr__(self, "lloq", float(self.lloq))

    @property
    def ids(self) -> tuple[str, ...]:
        """IDs in the order of the individuals."""
        return tuple(one.id for one in self.individuals)

    def __len__(self) -> int:
        return len(self.individuals)

    def __iter__(self) -> Iterator[Individual]:
        return iter(self.individuals)

    def __getitem__(self, id: str) -> Individual:
        """Return the individual with this ID; AgmpkError names the IDs there are."""
        for one in self.individuals:
            if one.id == str(id):
                return one
        raise AgmpkError(
            f"The study of {self.compound} has no individual {id}; "
            f"it has {', '.join(self.ids) or 'nobody'}."
        )

    def without(self, id: str) -> Study:
        """Return the study without one individual: the context of that individual."""
        left_out = self[id]
        return replace(self, individuals=[one for one in self if one is not left_out])

    def only_quantifiable(self) -> Study:
        """Return the study with the observations whose logarithm is known, see
        :meth:`Individual.quantifiable`; all individuals stay, even those left with none."""
        return replace(self, individuals=[one.quantifiable() for one in self])

    def after_dose(self) -> Study:
        """Return the study with the quantifiable observations after each first dose, see
        :meth:`Individual.after_dose`; all individuals stay."""
        return replace(self, individuals=[one.after_dose() for one in self])

    def to_frame(self) -> pd.DataFrame:
        """Return the study as a tidy NONMEM-style frame, one row a record.

        Columns: ID, TIME [h], DV, AMT, EVID (0 observation, 1 dose), MDV, ROUTE, DUR [h], ADDL,
        II [h], CENS; NaN or None where a column does not apply.
        """
        from agmpk.studies.nonmem.write import to_frame

        return to_frame(self)
