"""The reference: one standard normal number at every asked time, correlated along the curve.

k(u, u') = c + (1 - c - n) Matern-3/2(|u - u'| / length) + n [u = u'],

over warped time u, conditioned on the prefix times and scaled back to unit variance.  What the
prefix says of the level and width of the law is the network's to say; the process only says which
times go together: c an individual's level, n the assay's error.  The three come from the network,
target by target.  The law at one time is standard normal whichever others are asked.

Shapes: leading axes, T points.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LENGTH, LEVEL, NUGGET = 1.0, 0.1, 0.1  # at the start of training
JITTER = 1e-4


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


def normal(shape: tuple[int, ...], generator: torch.Generator, like: Tensor) -> Tensor:
    """Standard normal numbers, drawn where the generator lives and moved to ``like``."""
    drawn = torch.randn(shape, generator=generator, device=generator.device, dtype=like.dtype)
    return drawn.to(like.device)
