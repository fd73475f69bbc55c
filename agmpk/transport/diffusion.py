"""Score-based diffusion on a variance-preserving path (Song et al. 2021), noise from the reference.

With the reference N(m, L L'), eps standard normal, and the cosine schedule (Nichol & Dhariwal 2021)
alpha = sin(pi t / 2), sigma = cos(pi t / 2):

    x_t = m + alpha (x_1 - m) + sigma L eps,   t = 0: the reference,  t = 1: the data

The network predicts v = sigma (x_1 - m) - alpha L eps (Salimans & Ho 2022, sign turned).  Unlike
the score, which grows without bound towards the data, v keeps the size of the data and the noise
at every t; at t = 0 it is E[x_1] - m; and (pi / 2) v is the velocity of the probability flow.
Noise, data and score follow from it:

    L eps = sigma (x_t - m) - alpha v,    x_1 - m = alpha (x_t - m) + sigma v,
    score = grad log p_t(x_t) = -(L L')^-1 (L eps) / sigma

Sampling follows either the probability-flow ODE or the reverse-time SDE

    dx = (pi / 2) v dt + g^2 / 2 (L L') score dt + g L dW.

All g >= 0 have the same marginal laws (Song et al. 2021, appendix D; Karras et al. 2022, eq. 6).
Here g^2 = pi sigma^2: the drift becomes (pi / 2) (v - sigma L eps), bounded at both ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from agmpk.errors import AgmpkError
from agmpk.transport.midpoint import midpoint
from agmpk.transport.reference import Reference
from agmpk.transport.sde import euler_maruyama, stochastic_heun
from agmpk.transport.transport import Predict, normal

SAMPLERS = {"ode": None, "sde": stochastic_heun, "euler": euler_maruyama}


def alpha_sigma(t: Tensor) -> tuple[Tensor, Tensor]:
    """Weights of the data and of the noise, alpha^2 + sigma^2 = 1."""
    return torch.sin(t * math.pi / 2), torch.cos(t * math.pi / 2)


@dataclass(frozen=True)
class VariancePreserving:
    """The cosine path.

    ``sampler``: "ode" (probability flow, midpoint method), "sde" (reverse-time SDE by Heun's
    method) or "euler" (the same SDE by Euler and Maruyama's; one evaluation a step).
    """

    sampler: str = "ode"

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise AgmpkError(
                f"There is no sampler {self.sampler!r}: use one of {', '.join(SAMPLERS)}."
            )

    def pair(
        self, reference: Reference, x_1: Tensor, t: Tensor, noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        """x_t and v; see :class:`agmpk.transport.transport.Transport`."""
        alpha, sigma = alpha_sigma(t[..., None])
        n = reference.draw(noise[0]) - reference.mean
        d = x_1 - reference.mean
        return reference.mean + alpha * d + sigma * n, sigma * d - alpha * n

    def sample(
        self,
        predict: Predict,
        reference: Reference,
        samples: int,
        generator: torch.Generator,
        steps: int,
    ) -> Tensor:
        """Move draws of the reference by the chosen sampler."""
        x_0 = reference.draw(normal(samples, reference.mean, generator))
        if self.sampler == "ode":
            return midpoint(lambda x, t: math.pi / 2 * predict(x, t), x_0, steps)

        def drift(x: Tensor, t: float) -> Tensor:
            v = predict(x, t)
            sigma = math.cos(t * math.pi / 2)
            return math.pi / 2 * (v - sigma * self.noise(v, x, t, reference))

        def diffuse(t: float) -> Tensor:
            noise = normal(samples, reference.mean, generator)
            g = math.sqrt(math.pi) * math.cos(t * math.pi / 2)
            return g * (reference.draw(noise) - reference.mean)

        return SAMPLERS[self.sampler](drift, diffuse, x_0, steps)

    @staticmethod
    def noise(v: Tensor, x: Tensor, t: float | Tensor, reference: Reference) -> Tensor:
        """The noise L eps that the prediction ``v`` sees in ``x``."""
        alpha, sigma = alpha_sigma(torch.as_tensor(t, dtype=x.dtype)[..., None])
        return sigma * (x - reference.mean) - alpha * v

    def score(self, v: Tensor, x: Tensor, t: float | Tensor, reference: Reference) -> Tensor:
        """grad log p_t(x) on the points where the reference is random, 0 elsewhere; t < 1."""
        _, sigma = alpha_sigma(torch.as_tensor(t, dtype=x.dtype)[..., None])
        return -reference.precision_times(self.noise(v, x, t, reference)) / sigma
