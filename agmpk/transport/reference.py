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


def matern(u: Tensor) -> Tensor:
    """Covariance [..., T, T] at warped times ``u`` [..., T]."""
    distance = (u[..., :, None] - u[..., None, :]).abs() * (3**0.5 / LENGTH)
    smooth = (1 + distance) * torch.exp(-distance)
    return (1 - NUGGET) * smooth + NUGGET * torch.eye(u.shape[-1], dtype=u.dtype, device=u.device)


def gp_given_prefix(u: Tensor, x: Tensor, prefix: Tensor, free: Tensor) -> Reference:
    """Condition on ``x`` [..., T] where ``prefix``; the law is over the points where ``free``."""
    covariance = matern(u)
    eye = torch.eye(u.shape[-1], dtype=u.dtype, device=u.device)
    seen = prefix.to(u.dtype)
    # The system of the seen points, made invertible by ones on the diagonal elsewhere.
    known = covariance * seen[..., :, None] * seen[..., None, :] + eye * (1 - seen)[..., None]
    cross = covariance * seen[..., None, :]
    gain = torch.linalg.solve(known, cross.transpose(-1, -2)).transpose(-1, -2)
    mean = (gain @ (x * seen)[..., None]).squeeze(-1)
    rest = covariance - gain @ cross.transpose(-1, -2)
    unseen = free.to(u.dtype)
    rest = rest * unseen[..., :, None] * unseen[..., None, :] + eye * (1 - unseen)[..., None]
    factor = torch.linalg.cholesky(rest + 1e-6 * eye) * unseen[..., :, None]
    return Reference(torch.where(prefix, x, mean * unseen), factor)
