"""Flow matching and diffusion behind one seam: how the law of one number is moved to another.

Time t runs from the reference (0), a standard normal number at every asked time, to the data (1).
A transport says what a network is trained to predict on the way, and how its predictions move a
draw of the reference to a draw of the data.  Every asked time moves by itself: its velocity depends
on its own state and on what is known, never on other asked times.  So a deterministic transport is
an increasing map of one number, quantiles go to quantiles, and curves are coherent because the
numbers they start from are correlated: the reference is the process

    k(u, u') = c + (1 - c - n) Matern-3/2(|u - u'| / length) + n [u = u'],

over warped time u, conditioned on the prefix times and scaled back to unit variance.  What the
prefix says of the level and width of the law is the network's to say; the process only says which
times go together: c an individual's level, n the assay's error.  The three come from the network,
target by target.  The law at one time is standard normal whichever others are asked.

Shapes: leading axes, T points; states and noise of one shape.
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
LENGTH, LEVEL, NUGGET = 1.0, 0.1, 0.1  # of the process, at the start of training
JITTER = 1e-4


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


@dataclass(frozen=True)
class Kernel:
    """length, level c and nugget n of the process [..., 1, 1]."""

    length: Tensor
    level: Tensor
    nugget: Tensor

    @classmethod
    def from_raw(cls, raw: Tensor) -> Kernel:
        """From three unbounded numbers [..., 3]; zeros give the starting values."""
        length = LENGTH * torch.exp(raw[..., 0].clamp(-2.5, 2.5))
        free = torch.stack([raw[..., 1], raw[..., 2], torch.zeros_like(raw[..., 0])], -1)
        start = raw.new_tensor([LEVEL, NUGGET, 1 - LEVEL - NUGGET]).log()
        share = torch.softmax(free.clamp(-6, 6) + start, -1)
        share = share * 0.97 + 0.01  # never singular
        return cls(*(x[..., None, None] for x in (length, share[..., 0], share[..., 1])))

    def covariance(self, u: Tensor) -> Tensor:
        """[..., T, T] at warped times ``u`` [..., T]."""
        distance = (u[..., :, None] - u[..., None, :]).abs() * (3**0.5 / self.length)
        smooth = (1 + distance) * torch.exp(-distance)
        eye = torch.eye(u.shape[-1], dtype=u.dtype, device=u.device)
        return self.level + (1 - self.level - self.nugget) * smooth + self.nugget * eye


def correlation(kernel: Kernel, u: Tensor, prefix: Tensor, free: Tensor) -> Tensor:
    """Correlation [..., T, T] of the points where ``free``, given those where ``prefix``; the
    identity elsewhere."""
    eye = torch.eye(u.shape[-1], dtype=u.dtype, device=u.device)
    covariance = kernel.covariance(u) + JITTER * eye
    seen = prefix.to(u.dtype)
    # The system of the seen points, made invertible by ones on the diagonal elsewhere.
    known = covariance * seen[..., :, None] * seen[..., None, :] + torch.diag_embed(1 - seen)
    cross = covariance * seen[..., None, :]
    root = torch.linalg.cholesky_ex(known)[0]
    half = torch.linalg.solve_triangular(root, cross.transpose(-1, -2), upper=False)
    rest = covariance - half.transpose(-1, -2) @ half
    unseen = free.to(u.dtype)
    scale = rest.diagonal(dim1=-2, dim2=-1).clamp(min=JITTER).rsqrt() * unseen
    return rest * scale[..., :, None] * scale[..., None, :] + torch.diag_embed(1 - unseen)


def factor(correlation: Tensor) -> Tensor:
    """Cholesky factor [..., T, T]."""
    eye = torch.eye(correlation.shape[-1], dtype=correlation.dtype, device=correlation.device)
    return torch.linalg.cholesky_ex((correlation + JITTER * eye) / (1 + JITTER))[0]


def negative_log_likelihood(z: Tensor, correlation: Tensor, free: Tensor) -> Tensor:
    """-ln of the Gaussian copula density of ``z`` [..., T] where ``free``, per point, averaged."""
    z = torch.where(free, z, 0.0)
    root = factor(correlation)
    solved = torch.linalg.solve_triangular(root, z[..., None], upper=False)[..., 0]
    determinant = root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    nll = 0.5 * (solved.square() - z.square()).sum(-1) + determinant
    return nll.sum() / free.sum().clamp(min=1)


def normal(
    shape: tuple[int, ...], generator: torch.Generator | list[torch.Generator], like: Tensor
) -> Tensor:
    """Standard normal numbers, drawn where the generator lives and moved to ``like``; of several
    generators each draws those of one study, which are the second axis."""
    if isinstance(generator, list):
        one = (shape[0], 1, *shape[2:])
        return torch.cat([normal(one, each, like) for each in generator], 1)
    drawn = torch.randn(shape, generator=generator, device=generator.device, dtype=like.dtype)
    return drawn.to(like.device)
