"""AGM-PK diffusion: the flow's network and conditioning, trained as a score (Song et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass

from agmpk.models.transport_model import TransportConfig, TransportModel
from agmpk.transport.diffusion import VariancePreserving


@dataclass(frozen=True)
class DiffusionConfig(TransportConfig):
    """Settings of the diffusion.

    sampler: "ode", "sde" or "euler", see ``agmpk.transport.diffusion``.
    """

    sampler: str = "ode"

    def __post_init__(self) -> None:
        super().__post_init__()
        VariancePreserving(self.sampler)


class DiffusionModel(TransportModel):
    """Predicts v = sigma (x_1 - m) - alpha L eps; the score follows from it."""

    kind, steps = "diffusion", 4

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__(config)
        self.transport = VariancePreserving(config.sampler)
