"""AGM-PK diffusion: the flow's network and conditioning, trained as a score (Song et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass

from agmpk.models.transport import VariancePreserving
from agmpk.models.transport_model import TransportConfig, TransportModel


@dataclass(frozen=True)
class DiffusionConfig(TransportConfig):
    """Settings of the diffusion; sampler: "ode", "sde" or "euler" (see ``VariancePreserving``)."""

    sampler: str = "ode"

    def __post_init__(self) -> None:
        VariancePreserving(self.sampler)


class DiffusionModel(TransportModel):
    """Predicts v = sigma x_1 - alpha n; the score follows from it."""

    kind, steps = "diffusion", 4

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__(config)
        self.transport = VariancePreserving(config.sampler)
