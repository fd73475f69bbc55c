"""The result of a fit: a population of individuals.

phi_i = typical * exp(eta_i),  eta_i ~ N(0, Omega),  y_ij from the residual error around f(phi_i).
Shapes: P parameters, I individuals of the fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agmpk.nlme.residual import ResidualError
from agmpk.nlme.structural import StructuralModel


@dataclass(frozen=True)
class Population:
    """A fitted mixed-effects model of one compound.

    Attributes:
        compound: of the study it was fitted to.
        structure: the structural model; its parameters give the order of P.
        error: residual error.
        typical: float64[P], medians of the individual parameters.
        omega: float64[P, P], covariance of eta; a row of zeros where there is no random effect.
        loglik: marginal log-likelihood of the observations, by importance sampling.
        n_parameters: estimated parameters.
        se: float64[P], standard errors of ln typical from the linearized information.
        etas: float64[I, P], conditional means of the random effects.
        ids: the individuals' IDs.
    """

    compound: str
    structure: StructuralModel
    error: ResidualError
    typical: NDArray[np.float64]
    omega: NDArray[np.float64]
    loglik: float
    n_parameters: int
    se: NDArray[np.float64]
    etas: NDArray[np.float64]
    ids: tuple[str, ...]

    @property
    def aic(self) -> float:
        """-2 ln L + 2 parameters."""
        return 2 * self.n_parameters - 2 * self.loglik

    @property
    def random(self) -> NDArray[np.bool_]:
        """Which parameters have a random effect, bool[P]."""
        return np.diag(self.omega) > 0

    @property
    def correlated(self) -> bool:
        """Whether the random effects have covariances."""
        return bool(np.any(self.omega != np.diag(np.diag(self.omega))))

    @property
    def name(self) -> str:
        """For example ``oral-1c-lag / combined / ka CL V / full``."""
        names = [n for n, r in zip(self.structure.parameters, self.random, strict=True) if r]
        covariance = "full" if self.correlated else "diagonal"
        return f"{self.structure.name} / {self.error.kind} / {' '.join(names)} / {covariance}"

    @property
    def shrinkage(self) -> NDArray[np.float64]:
        """1 - SD(eta_i) / omega [P], NaN without a random effect (Savic & Karlsson 2009)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found = 1 - self.etas.std(0, ddof=1) / np.sqrt(np.diag(self.omega))
        return np.where(self.random, found, np.nan)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings, for JSON."""
        return {
            "compound": self.compound,
            "structure": self.structure.name,
            "error": {"kind": self.error.kind, "a": self.error.a, "b": self.error.b},
            "typical": self.typical.tolist(),
            "omega": self.omega.tolist(),
            "loglik": self.loglik,
            "n_parameters": self.n_parameters,
            "se": [None if np.isnan(s) else s for s in self.se.tolist()],
            "etas": self.etas.tolist(),
            "ids": list(self.ids),
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Population:
        """The inverse of :meth:`to_dict`."""
        return cls(
            found["compound"],
            StructuralModel.named(found["structure"]),
            ResidualError(**found["error"]),
            np.array(found["typical"]),
            np.array(found["omega"]),
            found["loglik"],
            found["n_parameters"],
            np.array(found["se"], dtype=float),
            np.array(found["etas"]),
            tuple(found["ids"]),
        )
