"""Residual error: additive, proportional, combined, exponential.

additive      y = f + a e                    combined      y = f + (a + b f) e
proportional  y = f + b f e                  exponential   ln y = ln f + a e          e ~ N(0, 1)

``combined`` adds standard deviations (as MATLAB and saemix do), not variances (NONMEM's habit):
likelihoods are comparable among the four, not with a program that does otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

KINDS = ("combined", "additive", "proportional", "exponential")
TINY = np.finfo(float).tiny


@dataclass(frozen=True)
class ResidualError:
    """``a``: SD [concentration unit], or of ln y where exponential; ``b``: fraction of f."""

    kind: str
    a: float
    b: float

    @property
    def n_parameters(self) -> int:
        return 2 if self.kind == "combined" else 1

    def sd(self, f: NDArray[np.float64]) -> NDArray[np.float64]:
        """SD of y (of ln y where exponential) around a prediction f, of the shape of f."""
        if self.kind == "exponential":
            return np.full_like(f, self.a)
        return np.maximum(self.a + self.b * f, np.finfo(float).eps)

    def log_density(self, y: NDArray[np.float64], f: NDArray[np.float64]) -> NDArray[np.float64]:
        """ln p(y | f), broadcast; the density of y itself for all four kinds."""
        sd = self.sd(f)
        if self.kind == "exponential":
            residual, jacobian = np.log(y) - np.log(np.maximum(f, TINY)), np.log(y)
        else:
            residual, jacobian = y - f, 0.0
        return -0.5 * (residual / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi) - jacobian

    def sample(self, f: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw observations y > 0 around f.

        Concentrations that are not positive are not quantifiable and never in the data (M1), so
        the normal law is truncated at zero.
        """
        if self.kind == "exponential":
            return np.maximum(f, TINY) * np.exp(self.a * rng.standard_normal(f.shape))
        sd = self.sd(f)
        below = ndtr(-f / sd)
        u = below + (1 - below) * rng.uniform(1e-12, 1 - 1e-12, f.shape)
        return np.maximum(f + sd * ndtri(u), 1e-6 * (f + sd))
