"""Transformer baseline: the individual's own prefix, and no study level.

An encoder reads the dosing and the prefix; a decoder of functional attention asks the encoded
prefix at each time; the answer at a time is a Gaussian of ln concentration.  Answers at different
times are independent given the prefix, and do not depend on which other times are asked between
the first and the last.

Shapes: N targets, P prefix points, F unseen points of all of them, D width.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from agmpk.models.attention import FeedForward
from agmpk.models.blocks import CrossBlock, SelfBlock, hide
from agmpk.models.gaussian import GaussianHead
from agmpk.models.own_frame import PREFIX_CHANNELS, QUERY_CHANNELS, OwnFrame
from agmpk.models.own_likelihood import PrefixModel


@dataclass(frozen=True)
class TransformerConfig:
    """Size of the network; ``beta`` of the likelihood's weights (see ``curve_loss``)."""

    width: int = 128
    encoder_layers: int = 2
    decoder_layers: int = 4
    beta: float = 0.5

    def to_dict(self) -> dict[str, int | float]:
        return asdict(self)


class TransformerModel(PrefixModel):
    """Learns with ``loss``, answers with ``sample``; never reads the context."""

    kind = "transformer"

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.embed = nn.Linear(PREFIX_CHANNELS, width)
        self.whole = nn.Parameter(torch.zeros(1, 1, width))
        self.encoder_layers = nn.ModuleList(SelfBlock(width) for _ in range(config.encoder_layers))
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(QUERY_CHANNELS, width)
        self.decoder_layers = nn.ModuleList(
            nn.ModuleList([CrossBlock(width), FeedForward(width)])
            for _ in range(config.decoder_layers)
        )
        self.head = GaussianHead(width)

    def forward(self, frame: OwnFrame) -> tuple[Tensor, Tensor]:
        """Mean and SD of x at the F unseen points, in order of ``frame.free``."""
        kind = self.whole.dtype
        h = self.embed(frame.prefix.to(kind))
        h = torch.cat([self.whole.expand(len(h), -1, -1), h], 1)
        bias = hide(frame.seen, kind)
        for block in self.encoder_layers:
            h = block(h, bias)
        h = self.norm(h)
        # Points are independent given the prefix, so padding need not be computed: every unseen
        # point is a sequence of one query that takes its individual's keys along.
        owner = frame.free.nonzero()[:, 0]
        bias = bias[owner]
        q = self.query(frame.query[frame.free].to(kind))[:, None]
        for across, feed in self.decoder_layers:
            q = across(q, tuple(a[owner] for a in across.attention.keys(h)), bias)
            q = q + feed(q)
        return self.head(q[:, 0])
