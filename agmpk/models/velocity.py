"""The network: from the state of a target's curve at time t of the transport to its prediction.

For the flow the prediction is the velocity, for the diffusion ``v`` (see ``agmpk.transport``).

Shapes: B studies, R targets, S samples, T target points, D width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from agmpk.models.attention import INVISIBLE, Attention, FeedForward, cross_bias
from agmpk.models.context_encoder import ContextEncoder
from agmpk.models.features import TARGET_CHANNELS, context_tokens, target_features, warp
from agmpk.models.frame import Frame
from agmpk.models.quadrature import log_weights
from agmpk.models.task import Task

FLOW_TIME_CHANNELS = 32


@dataclass(frozen=True)
class Conditioning:
    """All that does not depend on the flow's state; computed once for any number of samples.

    ``keys`` holds the cross-attention keys and values of every decoder layer; ``bias_cross`` is
    [B, H, R T, L + 1]; ``bias_self`` [B, R, 1, 1, T]; ``points`` [B, R, T, D].
    """

    points: Tensor
    keys: list[tuple[Tensor, Tensor]]
    bias_cross: Tensor
    bias_self: Tensor


class DecoderLayer(nn.Module):
    """Self-attention along the target's curve, cross-attention to the context, feed-forward."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_self, self.norm_cross = nn.LayerNorm(width), nn.LayerNorm(width)
        self.along, self.across = Attention(width), Attention(width)
        self.feed = FeedForward(width)

    def forward(
        self, x: Tensor, keys: tuple[Tensor, Tensor], bias_cross: Tensor, bias_self: Tensor
    ) -> Tensor:
        B, S, R, T, D = x.shape
        y = self.norm_self(x).view(B * S * R, T, D)
        x = x + self.along(y, self.along.keys(y), bias_self).view_as(x)
        # All curves of a study query its context together.
        N = len(bias_cross)
        y = self.norm_cross(x).view(N, -1, D)
        shared = tuple(a.expand(N, -1, -1, -1) for a in keys)
        x = x + self.across(y, shared, bias_cross).view_as(x)
        return x + self.feed(x)


class VelocityNetwork(nn.Module):
    """Prediction at every point of every target, given context, prefix, dosing and times.

    ``continuum`` weighs keys by the time they cover (see ``agmpk.models.quadrature``).
    """

    def __init__(
        self, width: int, encoder_layers: int, decoder_layers: int, continuum: bool = False
    ) -> None:
        super().__init__()
        self.continuum = continuum
        self.encoder = ContextEncoder(width, encoder_layers, continuum)
        self.empty = nn.Parameter(torch.zeros(1, 1, width))
        self.points = nn.Linear(TARGET_CHANNELS, width)
        self.state = nn.Linear(2, width, bias=False)
        self.flow_time = nn.Sequential(
            nn.Linear(FLOW_TIME_CHANNELS, width), nn.GELU(), nn.Linear(width, width)
        )
        self.layers = nn.ModuleList(DecoderLayer(width) for _ in range(decoder_layers))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))
        nn.init.zeros_(self.head[-1].weight)

    def condition(self, task: Task, frame: Frame) -> Conditioning:
        """Encode the context and the known part of the targets."""
        kind = self.empty.dtype
        tokens = context_tokens(task, frame).to(kind)
        encoded = self.encoder(tokens)
        encoded = torch.cat([self.empty.expand(len(encoded), -1, -1), encoded], 1)
        u = warp(task.target_times / frame.time_scale[:, None, None])
        own = torch.where(task.target_mask, 0.0, INVISIBLE).to(u)
        if self.continuum:
            own = own + log_weights(u, task.target_mask)
        return Conditioning(
            points=self.points(target_features(task, frame).to(kind)),
            keys=[layer.across.keys(encoded) for layer in self.layers],
            bias_cross=cross_bias(
                u.flatten(1).to(kind),
                tokens.owner,
                tokens.u,
                tokens.weight if self.continuum else None,
            ),
            bias_self=own[:, :, None, None].to(kind),
        )

    def forward(self, x_t: Tensor, t: Tensor, known: Conditioning) -> Tensor:
        """Prediction [S, B, R, T] for states ``x_t`` [S, B, R, T] at times ``t`` [S, B, R]."""
        S, B, R, T = x_t.shape
        x_t, t = x_t.transpose(0, 1), t.transpose(0, 1)
        squashed = torch.stack([x_t, (x_t / 3).tanh()], -1)
        h = self.state(squashed) + self.flow_time(_fourier(t))[..., None, :]
        h = h + known.points[:, None]
        # The draws of a study query its keys side by side, and no key is ever copied: they are a
        # batch where there is one study, and a longer list of queries where there are several.
        N = S if B == 1 else B
        bias_cross = known.bias_cross.repeat(1, 1, B * S // N, 1).expand(N, -1, -1, -1)
        bias_self = known.bias_self[:, None].expand(B, S, R, 1, 1, T).flatten(0, 2)
        for layer, keys in zip(self.layers, known.keys, strict=True):
            h = layer(h, keys, bias_cross, bias_self)
        return self.head(h)[..., 0].transpose(0, 1)


def _fourier(t: Tensor) -> Tensor:
    k = torch.arange(1, FLOW_TIME_CHANNELS // 2 + 1, dtype=t.dtype, device=t.device)
    phase = t[..., None] * k * (math.pi / 2)
    return torch.cat([phase.sin(), phase.cos()], -1)
