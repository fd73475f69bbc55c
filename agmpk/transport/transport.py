"""The one interface of flow matching and diffusion.

Time t runs from the reference (0) to the data (1).  A transport says what a network is trained to
predict on the way, and how its predictions move a draw of the reference to a draw of the data.

Shapes: leading axes, then T points of a curve.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from agmpk.transport.reference import Reference

# The network: state x_t [S, ..., T] and time t in [0, 1] -> its prediction [S, ..., T].
Predict = Callable[[Tensor, float], Tensor]


class Transport(Protocol):
    """Flow matching or diffusion."""

    def pair(
        self, reference: Reference, x_1: Tensor, t: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        """State x_t and the prediction wanted there.

        ``x_1`` [..., T] data; ``t`` [S, ...]; ``noise`` [2, S, ..., T] standard normal.
        """
        ...

    def sample(
        self,
        predict: Predict,
        reference: Reference,
        samples: int,
        generator: torch.Generator,
        steps: int,
    ) -> Tensor:
        """Draws of x_1 [samples, ..., T] in ``steps`` steps of two network evaluations each."""
        ...


def normal(samples: int, like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers [samples, *like.shape].

    Drawn where the generator lives (the CPU), so that a GPU sees the same numbers.
    """
    shape = (samples, *like.shape)
    return torch.randn(shape, generator=generator, dtype=like.dtype).to(like.device)
