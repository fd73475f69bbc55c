"""The decoder of AICMET: functional attention from asked points to what was observed.

An asked point looks up the context's points and its own individual's prefix, and nothing of the
other asked points: given the latent variables the points are independent, so what is answered at
one time does not depend on which others are asked.

Shapes: S samples, B studies, R targets, T points, Q asked points of a study, L keys, H heads,
D width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from agmpk.models.attention import HEADS, FeedForward
from agmpk.models.blocks import CrossBlock
from agmpk.models.gaussian import GaussianHead
from agmpk.models.ragged import positions, side_by_side

SLOPES = (0.0, 0.0, 0.0, 1.0, 4.0, 16.0)  # bias -slope |u - u'| of the heads that see the study
OWN = HEADS - len(SLOPES)  # the first heads look at the own prefix only


@dataclass(frozen=True)
class Keys:
    """Encoded observations [B, L, D]; ``owner`` [B, L]: -1 context, r prefix of target r, -2
    padding; u [B, L] warped time."""

    states: Tensor
    owner: Tensor
    u: Tensor


@dataclass(frozen=True)
class Asked:
    """Unseen points, study by study: study, place [F] of each; target [B, Q] (0 where padded);
    u [B, Q]."""

    study: Tensor
    place: Tensor
    target: Tensor
    u: Tensor


def lay_keys(states: Tensor, owner: Tensor, u: Tensor, study: Tensor, studies: int) -> Keys:
    """Keys from flat lists."""
    place = positions(study, studies)
    return Keys(
        side_by_side(states, study, place, studies),
        side_by_side(owner, study, place, studies, fill=-2),
        side_by_side(u, study, place, studies),
    )


def ask(free: Tensor, u: Tensor) -> Asked:
    """The points where ``free`` [B, R, T], at warped times ``u`` [B, R, T]."""
    study, target, _ = free.nonzero(as_tuple=True)
    place = positions(study, len(free))
    return Asked(
        study,
        place,
        side_by_side(target, study, place, len(free)),
        side_by_side(u[free], study, place, len(free)),
    )


def attention_bias(asked: Asked, keys: Keys) -> Tensor:
    """Bias [B, H, Q, 1 + L]; key 0 is the study itself and always seen."""
    own = keys.owner[:, None] == asked.target[..., None]
    seen = own | (keys.owner == -1)[:, None]
    distance = (asked.u[..., None] - keys.u[:, None]).abs()
    heads = [torch.zeros_like(distance).masked_fill(~own, -torch.inf)] * OWN
    heads += [(-slope * distance).masked_fill(~seen, -torch.inf) for slope in SLOPES]
    return nn.functional.pad(torch.stack(heads, 1), (1, 0))


class FunctionalDecoder(nn.Module):
    """Mean and SD of x at the asked points."""

    def __init__(self, channels: int, latent: int, width: int, layers: int) -> None:
        super().__init__()
        self.embed = nn.Linear(channels, width)
        self.latent = nn.Sequential(nn.Linear(latent, width), nn.GELU(), nn.Linear(width, width))
        self.layers = nn.ModuleList(
            nn.ModuleList([CrossBlock(width), FeedForward(width)]) for _ in range(layers)
        )
        self.head = GaussianHead(width)

    def forward(
        self, points: Tensor, asked: Asked, keys: Keys, study: Tensor, z: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mean and SD [S, F] from features [F, C], the study's state [B, D], and the latent
        variables ``z`` [S, B, R, Z] of study and individual."""
        S, B = z.shape[:2]
        source = torch.cat([study[:, None], keys.states], 1)
        bias = attention_bias(asked, keys).to(source.dtype)
        bias = bias.expand(S, *bias.shape).flatten(0, 1)
        x = side_by_side(self.embed(points), asked.study, asked.place, B)
        conditions = self.latent(z)
        index = asked.target[None, ..., None].expand(S, -1, -1, conditions.shape[-1])
        x = (x + conditions.gather(2, index)).flatten(0, 1)
        for across, feed in self.layers:
            shared = [a.expand(S, *a.shape).flatten(0, 1) for a in across.attention.keys(source)]
            x = across(x, (shared[0], shared[1]), bias)
            x = x + feed(x)
        mean, sd = self.head(x.unflatten(0, (S, B))[:, asked.study, asked.place])
        return mean, sd
