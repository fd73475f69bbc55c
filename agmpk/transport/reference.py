"""The reference measure x_0: a Gaussian process over log-time, conditioned on the prefix.

k(u, u') = Matern-3/2 (|u - u'| / length) + nugget, unit variance, in the frame's coordinate x and
warped relative time u.  Conditioning on the prefix makes every x_0 leave from what was observed
(PFF: Ojeda et al. 2026; Rasmussen & Williams 2006, eq. 2.25-2.26).

Shapes: N curves (any leading axes), T points.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LENGTH, NUGGET = 1.5, 0.05


@dataclass(frozen=True)
class Reference:
    """A Gaussian law on the unseen points: mean [..., T] and Cholesky factor [..., T, T].

    At prefix and padded points the mean is the given value and the factor's rows are zero.
    """

    mean: Tensor
    factor: Tensor

    def draw(self, noise: Tensor) -> Tensor:
        """x_0 from standard normal ``noise`` [S, ..., T]."""
        return self.mean + (self.factor @ noise[..., None]).squeeze(-1)

    def precision_times(self, y: Tensor) -> Tensor:
        """(L L')^-1 y over the unseen points, 0 at the others; ``y`` [S, ..., T]."""
        random = self.factor.diagonal(dim1=-2, dim2=-1) > 0
        factor = self.factor + torch.diag_embed((~random).to(self.factor.dtype))
        y = torch.where(random, y, 0.0)[..., None]
        return torch.cholesky_solve(y, factor.expand(*y.shape[:-2], -1, -1))[..., 0]


def matern(u: Tensor) -> Tensor:
    """Covariance [..., T, T] at warped times ``u`` [..., T]."""
    distance = (u[..., :, None] - u[..., None, :]).abs() * (3**0.5 / LENGTH)
    smooth = (1 + distance) * torch.exp(-distance)
    return (1 - NUGGET) * smooth + NUGGET * torch.eye(u.shape[-1], dtype=u.dtype, device=u.device)


def given_prefix(covariance: Tensor, x: Tensor, prefix: Tensor, free: Tensor) -> Reference:
    """Condition N(0, covariance) on ``x`` [..., T] where ``prefix``.

    The law is over the points where ``free``.
    """
    eye = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    seen = prefix.to(x.dtype)
    # The system of the seen points, made invertible by ones on the diagonal elsewhere.
    known = covariance * seen[..., :, None] * seen[..., None, :] + eye * (1 - seen)[..., None]
    cross = covariance * seen[..., None, :]
    gain = torch.linalg.solve(known, cross.transpose(-1, -2)).transpose(-1, -2)
    mean = (gain @ (x * seen)[..., None]).squeeze(-1)
    rest = covariance - gain @ cross.transpose(-1, -2)
    return _on_free(torch.where(prefix, x, mean * free), rest, free)


def unconditioned(covariance: Tensor, x: Tensor, prefix: Tensor, free: Tensor) -> Reference:
    """N(0, covariance) over the points where ``free``, whatever was seen."""
    return _on_free(torch.where(prefix, x, 0.0), covariance, free)


def _on_free(mean: Tensor, covariance: Tensor, free: Tensor) -> Reference:
    eye = torch.eye(mean.shape[-1], dtype=mean.dtype, device=mean.device)
    unseen = free.to(mean.dtype)
    covariance = covariance * unseen[..., :, None] * unseen[..., None, :]
    covariance = covariance + eye * (1 - unseen)[..., None]
    factor = torch.linalg.cholesky(covariance + 1e-6 * eye) * unseen[..., :, None]
    return Reference(mean, factor)
