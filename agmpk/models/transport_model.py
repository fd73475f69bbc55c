"""What the AGM-PK flow and diffusion share: network, conditioning, reference, loss, sampling.

Shapes: B studies, R targets, S samples, T points.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from agmpk.errors import AgmpkError
from agmpk.models.frame import TRIM, Frame, to_frame
from agmpk.models.raw_frame import to_raw_frame
from agmpk.models.references import REFERENCES, reference
from agmpk.models.task import Task
from agmpk.models.velocity import VelocityNetwork
from agmpk.transport.loss import curve_loss
from agmpk.transport.reference import Reference
from agmpk.transport.transport import Transport

FRAMES = {"log": to_frame, "raw": to_raw_frame}
CHOICES = {
    "reference": tuple(REFERENCES),
    "attention": ("standard", "continuum"),
    "scale": tuple(FRAMES),
    "use_context": (True, False),
}


@dataclass(frozen=True)
class TransportConfig:
    """Size of the network, how it is trained, and the options that the ablations turn.

    draws: independent pairs (t, x_0) per target and step; they share the encoded context.
    at_start: share of them at t = 0 exactly, where sampling starts and the best prediction is
    E[x_1] less a known term: the conditional mean is learned there without noise on the way.
    reference: law of x_0, see ``agmpk.models.references``.
    attention: "standard", or "continuum", which weighs keys by the width of time they stand for.
    scale: "log" concentration, or "raw" (see ``agmpk.models.raw_frame``).
    use_context: False hides the study from the network, which then sees the prefix only.

    Raises:
        AgmpkError: an option has no such value.
    """

    width: int = 128
    encoder_layers: int = 3
    decoder_layers: int = 4
    draws: int = 2
    at_start: float = 0.25
    reference: str = "gp_prefix"
    attention: str = "standard"
    scale: str = "log"
    use_context: bool = True

    def __post_init__(self) -> None:
        for option, values in CHOICES.items():
            if getattr(self, option) not in values:
                raise AgmpkError(
                    f"The option {option} is {getattr(self, option)!r}: use one of "
                    f"{', '.join(map(str, values))}."
                )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


class TransportModel(nn.Module):
    """Learns with ``loss``, answers with ``sample``."""

    kind: ClassVar[str]
    transport: Transport
    steps: ClassVar[int]  # of the sampler, unless asked for otherwise

    def __init__(self, config: TransportConfig) -> None:
        super().__init__()
        self.config = config
        # Without a study and without a prefix nothing tells the level of a curve.
        self.generates = config.use_context
        self.network = VelocityNetwork(
            config.width,
            config.encoder_layers,
            config.decoder_layers,
            continuum=config.attention == "continuum",
        )

    def loss(self, task: Task, generator: torch.Generator) -> Tensor:
        """Squared error of the predictions; randomness only from ``generator``."""
        task, frame, free = self._see(task)
        x_1 = frame.encode(task.target_logs).clamp(-TRIM, TRIM)
        # Drawn where the generator lives (the CPU), so that a GPU sees the same numbers.
        S, kind = self.config.draws, x_1.dtype
        noise = torch.randn((2, S, *x_1.shape), generator=generator, dtype=kind).to(x_1.device)
        t = torch.rand((2, S, *x_1.shape[:2]), generator=generator, dtype=kind).to(x_1.device)
        t = torch.where(t[0] < self.config.at_start, 0.0, t[1])
        law = self._reference(task, frame, x_1, free)
        x_t, target = self.transport.pair(law, x_1, t, noise)
        x_t = torch.where(free, x_t, 0.0)
        kind = next(self.parameters()).dtype
        predicted = self.network(x_t.to(kind), t.to(kind), self.network.condition(task, frame))
        return curve_loss(predicted, target.to(kind), free, frame.unit.to(kind))

    @torch.no_grad()
    def sample(
        self,
        task: Task,
        samples: int,
        generator: torch.Generator,
        steps: int | None = None,
        transport: Transport | None = None,
    ) -> Tensor:
        """Draws of ln(y / dose) [S, B, R, T]; at prefix points the observed value itself.

        ``steps`` of the sampler, two evaluations of the network each; ``transport`` to use another
        sampler than the model's own.
        """
        given = task
        task, frame, free = self._see(task, trim=False)
        law = self._start(task, frame, free)
        known = self.network.condition(task, frame)
        kind = next(self.parameters()).dtype

        def predict(x: Tensor, t: float) -> Tensor:
            state = torch.where(free, x, 0.0).to(kind)
            found = self.network(state, state.new_full(state.shape[:-1], t), known)
            return torch.where(free, found.to(x.dtype), 0.0)

        transport = transport or self.transport
        x_1 = transport.sample(predict, law, samples, generator, steps or self.steps)
        return torch.where(given.prefix_mask, given.target_logs, frame.decode(x_1))

    def start(self, task: Task) -> tuple[Frame, Reference]:
        """The frame of the task and, in its coordinate, the law of x_0 that ``sample`` draws from
        first; at prefix points the observed value."""
        task, frame, free = self._see(task, trim=False)
        return frame, self._start(task, frame, free)

    def _start(self, task: Task, frame: Frame, free: Tensor) -> Reference:
        x = torch.where(task.prefix_mask, frame.encode(task.target_logs), 0.0)
        return self._reference(task, frame, x, free)

    def _see(self, task: Task, trim: bool = True) -> tuple[Task, Frame, Tensor]:
        """What the network is shown of the task, its frame, and the points to predict."""
        if not self.config.use_context:
            task = replace(task, context_mask=torch.zeros_like(task.context_mask))
        if trim:
            # Nothing to learn from a target of which nothing tells the level.
            known = task.prefix_mask.any(-1) | task.context_mask.any((1, 2))[:, None]
            task = replace(task, target_mask=task.target_mask & known[..., None]).trimmed()
        return task, FRAMES[self.config.scale](task), task.target_mask & ~task.prefix_mask

    def _reference(self, task: Task, frame: Frame, x: Tensor, free: Tensor) -> Reference:
        return reference(self.config.reference, task, frame, x, free)
