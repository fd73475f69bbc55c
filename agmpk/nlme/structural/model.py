"""A structural model: which disposition, which input, which parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agmpk.errors import AgmpkError
from agmpk.nlme.structural.one_compartment import Exponentials, one_compartment
from agmpk.nlme.structural.superposition import DoseColumn, superpose
from agmpk.nlme.structural.two_compartment import two_compartment


@dataclass(frozen=True)
class StructuralModel:
    """One or two compartments; IV, or oral with or without an absorption lag.

    Parameters, all positive: ``ka`` [1/h], ``tlag`` [h], ``CL`` and ``Q`` [volume/h], ``V`` and
    ``V2`` [volume = dose unit / concentration unit]. After an oral dose CL, V, Q and V2 are
    apparent (divided by the bioavailable fraction).
    """

    compartments: int
    oral: bool
    lag: bool = False

    def __post_init__(self) -> None:
        if self.compartments not in (1, 2) or (self.lag and not self.oral):
            raise AgmpkError(
                f"There is no structural model with {self.compartments} compartments"
                f"{' and a lag after an IV dose' if self.lag and not self.oral else ''}; "
                "use 1 or 2, and a lag with oral doses only."
            )

    @property
    def name(self) -> str:
        """For example ``oral-2c-lag`` or ``iv-1c``."""
        route = "oral" if self.oral else "iv"
        return f"{route}-{self.compartments}c{'-lag' if self.lag else ''}"

    @classmethod
    def named(cls, name: str) -> StructuralModel:
        """The model of a name; AgmpkError if there is none."""
        for oral in (True, False):
            for model in candidates(oral):
                if model.name == name:
                    return model
        raise AgmpkError(f"There is no structural model {name!r}; one is called 'oral-1c-lag'.")

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names in the order of the last axis of ``values``."""
        absorption = ("ka", "tlag") if self.lag else ("ka",) if self.oral else ()
        return (*absorption, "CL", "V", *(("Q", "V2") if self.compartments == 2 else ()))

    def concentration(
        self,
        values: NDArray[np.float64],
        times: NDArray[np.float64],
        doses: Sequence[DoseColumn],
    ) -> NDArray[np.float64]:
        """Concentrations at ``times`` [h].

        Args:
            values: float64[..., P] parameters, the last axis as ``parameters``; the leading axes
                broadcast with ``times``.
            times: float64[...] [h].
            doses: the doses to add up; each entry holds scalars or arrays that broadcast.
        """
        with np.errstate(under="ignore", over="ignore", invalid="ignore", divide="ignore"):
            named = dict(zip(self.parameters, np.moveaxis(values, -1, 0), strict=True))
            return superpose(
                self.exponentials(values), times, doses, named.get("ka"), named.get("tlag")
            )

    def exponentials(self, values: NDArray[np.float64]) -> Exponentials:
        """The disposition's exponentials, fast before slow, each of the leading shape of
        ``values`` [..., P]."""
        first = self.parameters.index("CL")
        columns = np.moveaxis(values, -1, 0)[first:]
        return one_compartment(*columns) if self.compartments == 1 else two_compartment(*columns)


def candidates(oral: bool) -> tuple[StructuralModel, ...]:
    """The models tried for a route, from the smallest to the largest."""
    lags = (False, True) if oral else (False,)
    return tuple(StructuralModel(n, oral, lag) for n in (1, 2) for lag in lags)
