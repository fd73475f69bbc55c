"""AGM-PK flow: conditional flow matching from a Gaussian process to an individual's log-curve
(Ojeda et al. 2026), one asked time at a time."""

from __future__ import annotations

from dataclasses import dataclass

from agmpk.models.transport import FlowMatching
from agmpk.models.transport_model import TransportConfig, TransportModel


@dataclass(frozen=True)
class FlowConfig(TransportConfig):
    """Settings of the flow."""


class FlowModel(TransportModel):
    """Predicts the velocity x_1 - x_0."""

    kind, steps = "flow", 4
    transport = FlowMatching()
