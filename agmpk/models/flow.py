"""AGM-PK flow: conditional flow matching from the prefix-conditioned GP to an individual's
log-curve (Ojeda et al. 2026)."""

from __future__ import annotations

from dataclasses import dataclass

from agmpk.models.transport_model import TransportConfig, TransportModel
from agmpk.transport.flow_matching import FlowMatching


@dataclass(frozen=True)
class FlowConfig(TransportConfig):
    """Settings of the flow."""


class FlowModel(TransportModel):
    """Predicts the velocity x_1 - x_0; sampled by the midpoint method."""

    kind, steps = "flow", 4
    transport = FlowMatching()
