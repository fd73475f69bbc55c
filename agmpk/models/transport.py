"""Flow matching and diffusion behind one seam: how the law of one number is moved to another.

Time t runs from the reference (0), a standard normal number at every asked time, to the data (1).
A transport says what a network is trained to predict on the way, and how its predictions move a
draw of the reference to a draw of the data.  Every asked time moves by itself: its velocity depends
on its own state and on what is known, never on other asked times.  So a deterministic transport is
an increasing map of one number, quantiles go to quantiles, and curves are coherent because the
numbers they start from are correlated (see ``process``).

Shapes: any; states and noise of one shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from agmpk.errors import AgmpkError

# The network: state x_t and time t in [0, 1] -> its prediction.
Predict = Callable[[Tensor, float], Tensor]
# A fresh draw of the reference.
Fresh = Callable[[], Tensor]

SIGMA_MIN = 1e-4


class Transport(Protocol):
    """Flow matching or diffusion."""

    def pair(self, x_0: Tensor, x_1: Tensor, t: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """State x_t between a draw of the reference and one of the data, and the prediction wanted
        there; ``noise`` standard normal."""
        ...

    def sample(self, predict: Predict, x_0: Tensor, steps: int, fresh: Fresh | None) -> Tensor:
        """Move draws of the reference to the data in ``steps`` steps of two evaluations each;
        ``fresh`` None: along the deterministic path."""
        ...


@dataclass(frozen=True)
class FlowMatching:
    """Conditional flow matching on the straight path (Lipman et al. 2023).

        x_t = t x_1 + (1 - t) x_0 + sigma_min eps,     target velocity  v = x_1 - x_0

    The best prediction is v(x, t) = E[x_1 - x_0 | x_t = x], and dx/dt = v(x, t) moves the law of
    x_0 to that of x_1.
    """

    def pair(self, x_0: Tensor, x_1: Tensor, t: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        return t * x_1 + (1 - t) * x_0 + SIGMA_MIN * noise, x_1 - x_0

    def sample(self, predict: Predict, x_0: Tensor, steps: int, fresh: Fresh | None) -> Tensor:
        return follow(predict, x_0, steps)


@dataclass(frozen=True)
class VariancePreserving:
    """Score-based diffusion on a variance-preserving path (Song et al. 2021).

    With noise n standard normal and the cosine schedule (Nichol & Dhariwal 2021) alpha =
    sin(pi t / 2), sigma = cos(pi t / 2): x_t = alpha x_1 + sigma n.  The network predicts
    v = sigma x_1 - alpha n (Salimans & Ho 2022, sign turned), which keeps the size of the data and
    the noise at every t; then

        n = sigma x_t - alpha v,   score = -n / sigma,   probability flow dx/dt = (pi / 2) v.

    Sampling follows that flow or the reverse-time SDE dx = ((pi / 2) v + g^2 / 2 score) dt + g dW,
    of the same marginal laws for all g (Karras et al. 2022, eq. 6); here g^2 = pi sigma^2, so that
    the drift (pi / 2) (v - sigma n) is bounded at both ends.

    ``sampler``: "ode" (probability flow, midpoint method), "sde" (by Heun's method) or "euler" (by
    Euler and Maruyama's, one evaluation a step; Kloeden & Platen 1992).
    """

    sampler: str = "ode"

    def __post_init__(self) -> None:
        if self.sampler not in ("ode", "sde", "euler"):
            raise AgmpkError(f"There is no sampler {self.sampler!r}: use one of ode, sde, euler.")

    def pair(self, x_0: Tensor, x_1: Tensor, t: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        alpha, sigma = torch.sin(t * math.pi / 2), torch.cos(t * math.pi / 2)
        return alpha * x_1 + sigma * x_0, sigma * x_1 - alpha * x_0

    def sample(self, predict: Predict, x_0: Tensor, steps: int, fresh: Fresh | None) -> Tensor:
        if fresh is None or self.sampler == "ode":
            return follow(lambda x, t: math.pi / 2 * predict(x, t), x_0, steps)
        x, h = x_0, 1.0 / steps

        def drift(x: Tensor, t: float) -> Tensor:
            v, alpha, sigma = predict(x, t), math.sin(t * math.pi / 2), math.cos(t * math.pi / 2)
            return math.pi / 2 * (v - sigma * (sigma * x - alpha * v))

        for k in range(steps):
            t = k * h
            if self.sampler == "euler":
                g = math.sqrt(math.pi * h) * math.cos(t * math.pi / 2)
                x = x + h * drift(x, t) + g * fresh()
                continue
            g = math.sqrt(math.pi * h) * math.cos((t + h / 2) * math.pi / 2)
            f, noise = drift(x, t), g * fresh()
            x = x + 0.5 * h * (f + drift(x + h * f + noise, t + h)) + noise
        return x


def follow(velocity: Predict, x: Tensor, steps: int) -> Tensor:
    """Integrate dx/dt = v(x, t) from t = 0 to 1 by ``steps`` midpoint steps.

    Unlike Heun's method, of the same order and cost, it never asks at t = 1, where the law of a
    well-predicted point is narrow and the velocity steep.  (``torchdiffeq.odeint`` with
    ``method="midpoint"`` gives the same numbers; written out it exports to other runtimes.)
    """
    h = 1.0 / steps
    for k in range(steps):
        halfway = x + 0.5 * h * velocity(x, k * h)
        x = x + h * velocity(halfway, (k + 0.5) * h)
    return x
