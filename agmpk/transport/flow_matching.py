"""Conditional flow matching on the straight path (Lipman et al. 2023).

    x_t = t x_1 + (1 - t) x_0 + sigma_min eps,     target velocity  v = x_1 - x_0

The best prediction is v(x, t) = E[x_1 - x_0 | x_t = x], and dx/dt = v(x, t) moves the law of x_0 to
that of x_1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agmpk.transport.midpoint import midpoint
from agmpk.transport.reference import Reference
from agmpk.transport.transport import Predict, normal

SIGMA_MIN = 1e-4


def interpolate(x_0: Tensor, x_1: Tensor, t: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """State x_t and target velocity; ``t`` broadcasts against the points."""
    return t * x_1 + (1 - t) * x_0 + SIGMA_MIN * noise, x_1 - x_0


@dataclass(frozen=True)
class FlowMatching:
    """The straight path, sampled by the midpoint method."""

    def pair(
        self, reference: Reference, x_1: Tensor, t: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        """x_t and the velocity x_1 - x_0; see :class:`agmpk.transport.transport.Transport`."""
        return interpolate(reference.draw(noise[0]), x_1, t[..., None], noise[1])

    def sample(
        self,
        predict: Predict,
        reference: Reference,
        samples: int,
        generator: torch.Generator,
        steps: int,
    ) -> Tensor:
        """Follow the velocity from draws of the reference."""
        x_0 = reference.draw(normal(samples, reference.mean, generator))
        return midpoint(predict, x_0, steps)
