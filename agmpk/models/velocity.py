"""The velocity network: from the state of a target's curve at flow time t to its velocity.

Shapes: B studies, R targets, S samples, T target points, D width.  In training S is 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from agmpk.models.attention import Attention, FeedForward, cross_bias
from agmpk.models.context_encoder import ContextEncoder
from agmpk.models.features import TARGET_CHANNELS, context_tokens, target_features, warp
from agmpk.models.frame import Frame, to_frame
from agmpk.models.task import Task

FLOW_TIME_CHANNELS = 32


@dataclass(frozen=True)
class Conditioning:
    """All that does not depend on the flow's state; computed once for any number of samples.

    ``keys`` holds the cross-attention keys and values of every decoder layer; ``bias_cross`` is
    [B, H, R T, L + 1]; ``bias_self`` [B, R, 1, 1, T]; ``points`` [B, R, T, D].
    """

    frame: Frame
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
        S, B, R, T, D = x.shape
        y = self.norm_self(x).flatten(0, 2)
        x = x + self.along(
            y, self.along.keys(y), bias_self.expand(S, B, R, 1, 1, T).flatten(0, 2)
        ).view_as(x)
        # All targets and points of a study query its context together.  Samples share keys and
        # bias: the expanded views cost no memory in the two cases that matter, S = 1 and B = 1.
        y = self.norm_cross(x).view(S * B, R * T, D)
        shared = [a.expand(S, *a.shape).flatten(0, 1) for a in (*keys, bias_cross)]
        x = x + self.across(y, shared[:2], shared[2]).view_as(x)
        return x + self.feed(x)


class VelocityNetwork(nn.Module):
    """v(x_t, t | context, prefix, dosing, times) at every point of every target."""

    def __init__(self, width: int = 128, encoder_layers: int = 3, decoder_layers: int = 4) -> None:
        super().__init__()
        self.encoder = ContextEncoder(width, encoder_layers)
        self.empty = nn.Parameter(torch.zeros(1, 1, width))
        self.points = nn.Linear(TARGET_CHANNELS, width)
        self.state = nn.Linear(2, width, bias=False)
        self.flow_time = nn.Sequential(
            nn.Linear(FLOW_TIME_CHANNELS, width), nn.GELU(), nn.Linear(width, width)
        )
        self.layers = nn.ModuleList(DecoderLayer(width) for _ in range(decoder_layers))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))
        nn.init.zeros_(self.head[-1].weight)

    def condition(self, task: Task, frame: Frame | None = None) -> Conditioning:
        """Encode the context and the known part of the targets."""
        frame = frame or to_frame(task)
        kind = self.empty.dtype
        tokens = context_tokens(task, frame)
        tokens = type(tokens)(tokens.features.to(kind), tokens.owner, tokens.u.to(kind))
        encoded = self.encoder(tokens)
        encoded = torch.cat([self.empty.expand(len(encoded), -1, -1), encoded], 1)
        u = warp(task.target_times / frame.time_scale[:, None, None]).flatten(1).to(kind)
        invisible = torch.where(task.target_mask, 0.0, -torch.inf).to(kind)
        # A target without any point must not turn its softmax into 0 / 0.
        invisible = torch.where(task.target_mask.any(-1, keepdim=True), invisible, 0.0)
        return Conditioning(
            frame=frame,
            points=self.points(target_features(task, frame).to(kind)),
            keys=[layer.across.keys(encoded) for layer in self.layers],
            bias_cross=cross_bias(u, tokens.owner, tokens.u),
            bias_self=invisible[:, :, None, None],
        )

    def forward(self, x_t: Tensor, t: Tensor, known: Conditioning) -> Tensor:
        """Velocity [S, B, R, T] of states ``x_t`` [S, B, R, T] at flow times ``t`` [S, B, R]."""
        squashed = torch.stack([x_t, (x_t / 3).tanh()], -1)
        h = known.points + self.state(squashed) + self.flow_time(_fourier(t))[..., None, :]
        for layer, keys in zip(self.layers, known.keys, strict=True):
            h = layer(h, keys, known.bias_cross, known.bias_self)
        return self.head(h)[..., 0]


def _fourier(t: Tensor) -> Tensor:
    k = torch.arange(1, FLOW_TIME_CHANNELS // 2 + 1, dtype=t.dtype, device=t.device)
    phase = t[..., None] * k * (math.pi / 2)
    return torch.cat([phase.sin(), phase.cos()], -1)
