"""Two rivals with a Gaussian head: answers at different times are normal and know nothing of each
other.

The set transformer is the flow's conditioning network without a transport.  It sees all that the
flow sees: study, prefix, doses, limit and frame; it has no curves to draw, and what it loses
against the flow is the price of that.

The other one has no study level.  An encoder reads the individual's doses and prefix; a decoder of
cross-attention asks the encoded individual at each time.  Two scalars of the context set the scales
(see ``own_frame``).

Shapes: B studies, R targets, P prefix points, D doses, T points, W width.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from agmpk.models.conditioning import (
    ConditioningNetwork,
    CrossBlock,
    SelfBlock,
    Sizes,
    Width,
    hide,
)
from agmpk.models.frame import Frame
from agmpk.models.heads import Count, Factor, GaussianHead, GaussianNetwork
from agmpk.models.own_frame import (
    DOSE_CHANNELS,
    PREFIX_CHANNELS,
    QUERY_CHANNELS,
    OwnFrame,
    OwnModel,
)
from agmpk.models.task import Task


@dataclass(frozen=True)
class SetConfig(Sizes):
    """Sizes; ``beta`` of the likelihood's weights (see ``beta_loss``); ``temperature``: factor on
    the SD in sampling."""

    beta: Factor = 0.5
    temperature: Factor = 1.0


class SetModel(GaussianNetwork):
    """Learns with ``loss``, answers with ``sample`` and ``mean``."""

    def __init__(self, config: SetConfig) -> None:
        super().__init__(config)
        self.network = ConditioningNetwork(config)
        self.head = GaussianHead(config.width)

    def law(self, task: Task) -> tuple[Frame, Tensor, Tensor]:
        """The study's frame, and mean and SD [B, R, T] of its coordinate."""
        state = self.network.decode(task, self.network.encode(task))
        return task.frame, *self.head(state)


@dataclass(frozen=True)
class TransformerConfig:
    """Size of the network; ``beta`` of the likelihood's weights (see ``beta_loss``); ``scalars``
    False: prefix only; ``temperature``: factor on the SD in sampling."""

    width: Width = 128
    encoder_layers: Count = 2
    decoder_layers: Count = 4
    beta: Factor = 0.5
    scalars: bool = True
    temperature: Factor = 1.0


class TransformerModel(OwnModel):
    """Learns with ``loss``, answers with ``sample`` and ``mean``."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        width = config.width
        self.sample_token = nn.Linear(PREFIX_CHANNELS, width)
        self.dose_token = nn.Linear(DOSE_CHANNELS, width)
        self.whole = nn.Parameter(torch.zeros(1, 1, width))
        self.encoder_layers = nn.ModuleList(SelfBlock(width) for _ in range(config.encoder_layers))
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(QUERY_CHANNELS, width)
        self.decoder_layers = nn.ModuleList(CrossBlock(width) for _ in range(config.decoder_layers))
        self.last = nn.LayerNorm(width)
        self.head = GaussianHead(width)

    def forward(self, frame: OwnFrame) -> tuple[Tensor, Tensor]:
        """Mean and SD [B, R, T] of ln y from the frame's centre."""
        kind = self.whole.dtype
        B, R = frame.centre.shape
        h = torch.cat(
            [self.sample_token(frame.prefix.to(kind)), self.dose_token(frame.doses.to(kind))], 2
        ).flatten(0, 1)
        h = torch.cat([self.whole.to(h.dtype).expand(len(h), -1, -1), h], 1)
        mask = torch.cat([frame.seen, frame.target.dosed], 2).flatten(0, 1)
        bias = hide(torch.nn.functional.pad(mask, (1, 0), value=True), kind)
        for block in self.encoder_layers:
            h = block(h, bias)
        h = self.norm(h)
        q = self.query(frame.query.to(kind)).flatten(0, 1)
        for block in self.decoder_layers:
            q = block(q, h, bias)
        return self.head(self.last(q).unflatten(0, (B, R)))
