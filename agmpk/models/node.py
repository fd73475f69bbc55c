"""NODE-PK baseline (Lu et al. 2021): a recurrent encoder, a latent ordinary differential equation.

A GRU reads the prefix backwards, ending nearest the dose, and gives the latent state at the time
of the first dose; the state follows dz/ds = f(z, dosing, s) along the horizon; a head turns state
and dosing into a Gaussian of ln concentration.  No study level: the context is never read.

Shapes: N targets, P prefix points, T points, Z latent width.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from agmpk.models.gaussian import GaussianHead
from agmpk.models.latent_ode import LatentODE
from agmpk.models.own_frame import POINT_CHANNELS, PREFIX_CHANNELS, OwnFrame
from agmpk.models.own_likelihood import PrefixModel


@dataclass(frozen=True)
class NodeConfig:
    """Sizes; ``steps`` of the integration; ``beta`` of the likelihood (see ``curve_loss``)."""

    width: int = 128
    latent: int = 32
    steps: int = 24
    beta: float = 0.5

    def to_dict(self) -> dict[str, int | float]:
        return asdict(self)


class NodeModel(PrefixModel):
    """Learns with ``loss``, answers with ``sample``; never reads the context."""

    kind = "node"

    def __init__(self, config: NodeConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.embed = nn.Sequential(nn.Linear(PREFIX_CHANNELS, width), nn.GELU())
        self.gru = nn.GRU(width, width, batch_first=True)
        self.start = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, config.latent)
        )
        self.ode = LatentODE(config.latent, width, config.steps)
        self.read = nn.Sequential(
            nn.Linear(config.latent + POINT_CHANNELS, width),
            nn.GELU(),
            nn.Linear(width, width),
            nn.GELU(),
        )
        self.head = GaussianHead(width)

    def forward(self, frame: OwnFrame) -> tuple[Tensor, Tensor]:
        """Mean and SD of x at the F unseen points, in order of ``frame.free``."""
        kind = self.head.out.weight.dtype
        code = self.encode(frame.prefix.to(kind), frame.seen)
        # An integration adds up many small steps, so it stays out of mixed precision.
        with torch.autocast(code.device.type, enabled=False):
            z = self.ode(self.start(code.to(kind)), code.to(kind), frame)
        point = frame.query[..., :POINT_CHANNELS].to(kind)
        return self.head(self.read(torch.cat([z, point], -1)[frame.free]))

    def encode(self, prefix: Tensor, seen: Tensor) -> Tensor:
        """The GRU's state [N, D] after the prefix [N, P, C], read from its last point back."""
        count = seen.sum(-1, keepdim=True)
        order = (count - 1 - torch.arange(seen.shape[1], device=seen.device)).clamp(min=0)
        h = self.embed(prefix.gather(1, order[..., None].expand_as(prefix)))
        states, _ = self.gru(h)
        return states.gather(1, (count - 1)[..., None].expand(-1, -1, states.shape[-1]))[:, 0]
