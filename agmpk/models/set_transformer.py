"""Set transformer with a Gaussian head: the flow's conditioning network without a transport.

A rival that sees all that the flow sees: study, prefix, doses, limit and frame.  It answers with a
normal law at every asked time, independent of the others, and so has no curves to draw; what it
loses against the flow is the price of that, and what it loses against nobody is the conditioning.

Shapes: S draws, B studies, R targets, T points.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from agmpk.models.conditioning import ConditioningNetwork
from agmpk.models.frame import TRIM
from agmpk.models.heads import GaussianHead, antithetic, beta_loss
from agmpk.models.task import Task


@dataclass(frozen=True)
class SetConfig:
    """Size of the network; ``beta`` of the likelihood's weights (see ``beta_loss``);
    ``temperature``: factor on the SD in sampling."""

    width: int = 128
    sample_width: int = 64
    encoder_layers: int = 2
    decoder_layers: int = 3
    beta: float = 0.5
    temperature: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


class SetModel(nn.Module):
    """Learns with ``loss``, answers with ``sample`` and ``mean``."""

    kind: ClassVar[str] = "set"
    generates = True

    def __init__(self, config: SetConfig) -> None:
        super().__init__()
        self.config = config
        self.network = ConditioningNetwork(
            config.width, config.sample_width, config.encoder_layers, config.decoder_layers
        )
        self.head = GaussianHead(config.width)

    def loss(self, task: Task, generator: torch.Generator) -> Tensor:
        """Negative log-likelihood of the asked points (see ``beta_loss``); nothing is drawn.

        A target with neither prefix nor context has no level and does not count.
        """
        frame = task.frame
        free = task.asked & ~(frame.lonely[:, None] & ~task.prefix.any(-1))[..., None]
        mean, sd = self._law(task)
        x = torch.where(free, frame.encode(task.target.logs).clamp(-TRIM, TRIM), 0.0)
        return beta_loss(mean, sd, x.to(mean), free, self.config.beta, frame.spread.to(mean))

    @torch.no_grad()
    def condition(self, task: Task) -> tuple[Tensor, Tensor]:
        """What ``sample`` and ``mean`` share: mean and SD [B, R, T] of x."""
        mean, sd = self._law(task)
        return mean.to(task.frame.spread), sd.to(task.frame.spread)

    @torch.no_grad()
    def sample(
        self,
        task: Task,
        samples: int,
        generator: torch.Generator,
        known: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """Draws of ln y [S, B, R, T]; at prefix points the observed value itself."""
        mean, sd = known or self.condition(task)
        error = antithetic(samples, tuple(mean.shape), generator, mean)
        x = mean + self.config.temperature * sd * error
        return torch.where(task.prefix, task.target.logs, task.frame.decode(x))

    @torch.no_grad()
    def mean(self, task: Task, known: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Mean of ln y [B, R, T], at each time the same whatever else is asked."""
        mean, _ = known or self.condition(task)
        return torch.where(task.prefix, task.target.logs, task.frame.decode(mean))

    def _law(self, task: Task) -> tuple[Tensor, Tensor]:
        known = self.network.encode(task)
        return self.head(self.network.decode(task, known))
