"""AGM-PK flow: a conditional flow from the prefix-conditioned GP to an individual's log-curve.

Shapes: B studies, R targets, S samples, T points.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from agmpk.models.features import warp
from agmpk.models.frame import Frame, to_frame
from agmpk.models.task import Task
from agmpk.models.velocity import VelocityNetwork
from agmpk.transport.flow_matching import interpolate, velocity_loss
from agmpk.transport.heun import heun
from agmpk.transport.reference import Reference, gp_given_prefix

# Beyond this many spreads a simulated value is an artefact of the assay; it is trimmed in training.
TRIM = 12.0


@dataclass(frozen=True)
class FlowConfig:
    """Size of the network."""

    width: int = 128
    encoder_layers: int = 3
    decoder_layers: int = 4

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


class FlowModel(nn.Module):
    """Learns with ``loss``, answers with ``sample``."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.config = config
        self.network = VelocityNetwork(**config.to_dict())

    def loss(self, task: Task, generator: torch.Generator) -> Tensor:
        """Flow-matching loss of a batch; randomness only from ``generator``."""
        frame = to_frame(task)
        x_1 = frame.encode(task.target_logs).clamp(-TRIM, TRIM)
        free = task.target_mask & ~task.prefix_mask
        reference = self.reference(task, frame, x_1)
        # Drawn where the generator lives (the CPU), so that a GPU sees the same numbers.
        noise = torch.randn((2, *x_1.shape), generator=generator, dtype=x_1.dtype).to(x_1.device)
        t = torch.rand(x_1.shape[:2], generator=generator, dtype=x_1.dtype).to(x_1.device)
        x_0 = reference.draw(noise[0])
        x_t, velocity = interpolate(x_0, x_1, t[..., None], noise[1])
        x_t = torch.where(free, x_t, 0.0)
        kind = next(self.parameters()).dtype
        known = self.network.condition(task, frame)
        predicted = self.network(x_t.to(kind)[None], t.to(kind)[None], known)[0]
        return velocity_loss(predicted, velocity.to(kind), free, frame.spread.to(kind))

    @torch.no_grad()
    def sample(
        self, task: Task, samples: int, generator: torch.Generator, steps: int = 4
    ) -> Tensor:
        """Draws of ln(y / dose) [S, B, R, T]; at prefix points the observed value itself."""
        frame = to_frame(task)
        seen = torch.where(task.prefix_mask, frame.encode(task.target_logs), 0.0)
        reference = self.reference(task, frame, seen)
        known = self.network.condition(task, frame)
        free = task.target_mask & ~task.prefix_mask
        noise = torch.randn((samples, *seen.shape), generator=generator, dtype=seen.dtype)
        kind = next(self.parameters()).dtype

        def velocity(x: Tensor, t: float) -> Tensor:
            state = torch.where(free, x, 0.0).to(kind)
            v = self.network(state, state.new_full(state.shape[:-1], t), known)
            return torch.where(free, v.to(x.dtype), 0.0)

        x_1 = heun(velocity, reference.draw(noise), steps)
        return torch.where(task.prefix_mask, task.target_logs, frame.decode(x_1))

    @staticmethod
    def reference(task: Task, frame: Frame, x: Tensor) -> Reference:
        """x_0's law given the prefix."""
        u = warp(task.target_times / frame.time_scale[:, None, None])
        free = task.target_mask & ~task.prefix_mask
        return gp_given_prefix(u, torch.where(task.prefix_mask, x, 0.0), task.prefix_mask, free)
