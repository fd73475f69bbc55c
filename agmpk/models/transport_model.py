"""AGM-PK flow (Ojeda et al. 2026) and diffusion (Song et al. 2021): conditioning, reference,
velocity, loss, sampling.

In the frame's coordinate x the reference is a Gaussian process whose mean, SD and correlation the
network chooses from the study, the prefix and the doses,

    x_0 = m + s w_0,     w_0 ~ the process of ``agmpk.models.transport``,

trained by its likelihood, and the transport moves w from there to w_1 = (x_1 - m) / s: what of
the law is not normal.  m and s are held fixed in the transport's loss.

Shapes: B studies, R targets, S samples, T points, W width.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from agmpk.models.conditioning import ConditioningNetwork
from agmpk.models.frame import TRIM, Frame, warp
from agmpk.models.heads import GaussianHead, VelocityHead, beta_loss, curve_mean, curve_weight
from agmpk.models.task import Task
from agmpk.models.transport import (
    FlowMatching,
    Kernel,
    Transport,
    VariancePreserving,
    correlation,
    factor,
    negative_log_likelihood,
    normal,
)

COPULA = 0.1  # weight of the reference's correlation in the loss
WHITE = (0.0, -6.0, 6.0)  # of a kernel that is all nugget, see ``Kernel.from_raw``
# Nodes and weights of the quadrature that gives the mean forecast (Gauss and Hermite): within 4e-5
# of 4,999 equally likely nodes on development cohorts, where 99 of those are 2e-3 off.
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


@dataclass(frozen=True)
class TransportConfig:
    """Size of the network, how it is trained, and the options that the ablations turn.

    draws: independent pairs (t, x_0) per point and step; they share what is known.
    at_start: share of them at t = 0 exactly, where sampling starts and the best prediction is
    E[x_1] less a known term: the conditional mean is learned there without noise on the way.
    process: "study", the network chooses the reference's kernel; "fixed", one kernel for all;
    "white", independent numbers.
    dose_tokens, limit_tokens, use_context: False hides the list of doses, samples below the limit,
    or the study from the network.
    temperature: factor on the reference's numbers in sampling.
    """

    width: int = 128
    sample_width: int = 64
    encoder_layers: int = 2
    decoder_layers: int = 3
    draws: int = 6
    at_start: float = 0.25
    process: str = "study"
    dose_tokens: bool = True
    limit_tokens: bool = True
    use_context: bool = True
    temperature: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


class TransportModel(nn.Module):
    """Learns with ``loss``, answers with ``sample`` and ``mean``."""

    kind: ClassVar[str]
    transport: Transport
    steps: ClassVar[int]  # of the sampler, unless asked for otherwise

    def __init__(self, config: TransportConfig) -> None:
        super().__init__()
        self.config = config
        # Without a study and without a prefix nothing tells the level of a curve.
        self.generates = config.use_context
        self.network = ConditioningNetwork(
            config.width,
            config.sample_width,
            config.encoder_layers,
            config.decoder_layers,
            config.dose_tokens,
            config.limit_tokens,
        )
        self.velocity = VelocityHead(config.width)
        self.normal = GaussianHead(config.width)
        self.kernel = nn.Linear(config.width, 3)
        nn.init.zeros_(self.kernel.weight)
        nn.init.zeros_(self.kernel.bias)

    def loss(self, task: Task, generator: torch.Generator) -> Tensor:
        """Likelihood of the reference (level and width of every asked time, correlation along the
        curve) and squared error of the transport from it; randomness only from ``generator``."""
        task = self._see(task)
        frame = task.frame
        free = task.asked & ~(frame.lonely[:, None] & ~task.prefix.any(-1))[..., None]
        state, kernel = self.know(task, frame)
        x_1 = torch.where(free, frame.encode(task.target.logs).clamp(-TRIM, TRIM), 0.0)
        kind, shape = self.kernel.weight.dtype, (self.config.draws, *x_1.shape)
        spread = frame.spread.to(kind)
        # What is not asked costs nothing: the heads see the points of a packed task alone.
        packing = task.features.packing
        points = packing.points if packing else torch.arange(free.numel(), device=free.device)
        state = state.flatten(0, 2).index_select(0, points)

        def spread_out(values: Tensor, fill: float = 0.0) -> Tensor:
            return values.new_full((*values.shape[:-1], free.numel()), fill).index_copy(
                -1, points, values
            ).unflatten(-1, free.shape)

        mean, sd = self.normal(state)
        mean, sd = spread_out(mean), spread_out(sd, 1.0)
        loss = beta_loss(mean, sd, x_1.to(kind), free, 0.5, spread)
        mean, sd = mean.detach(), sd.detach()
        w_1 = ((x_1.to(kind) - mean) / sd).clamp(-TRIM, TRIM)
        w_0, noise = normal((2, *shape), generator, w_1)
        t, start = torch.rand((2, *shape), generator=generator, device=generator.device).to(w_1)
        t = torch.where(start < self.config.at_start, 0.0, t)
        w_t, wanted = self.transport.pair(w_0, w_1, t, noise)
        w_t, t = (x.flatten(-3).index_select(-1, points) for x in (w_t, t))
        predicted = spread_out(self.velocity(w_t, t, self.velocity.prepare(state)))
        error = ((predicted - wanted) * spread * sd).square()
        loss = loss + curve_mean(error, free, 1 / curve_weight(spread * sd, free))
        if self.config.process == "study":
            kernel = Kernel(*(x.to(kind) for x in vars(kernel).values()))
            law = correlation(kernel, place(task, frame).to(kind), task.prefix, free)
            copula = negative_log_likelihood(w_1.clamp(-4, 4), law, free)
            loss = loss + COPULA * copula
        return loss

    @torch.no_grad()
    def condition(self, task: Task) -> tuple[Task, Tensor, Kernel]:
        """What ``sample`` and ``mean`` share: the task as the network sees it, the state of every
        point, the reference's kernel."""
        seen = self._see(task)
        return seen, *self.know(seen, seen.frame)

    @torch.no_grad()
    def sample(
        self,
        task: Task,
        samples: int,
        generator: torch.Generator,
        steps: int | None = None,
        transport: Transport | None = None,
        known: tuple[Task, Tensor, Kernel] | None = None,
    ) -> Tensor:
        """Draws of ln y [S, B, R, T]; at prefix points the observed value itself.

        ``steps`` of the sampler, two evaluations of the velocity each; ``transport`` to use another
        sampler than the model's own; ``known`` is the answer of ``condition``.
        """
        seen, state, kernel = known or self.condition(task)
        frame = seen.frame
        root = factor(correlation(kernel, place(seen, frame), seen.prefix, seen.asked))

        def fresh() -> Tensor:
            z = normal((samples, *root.shape[:-1]), generator, root)
            return self.config.temperature * (root @ z[..., None])[..., 0]

        x_1 = self._move(state, fresh(), steps, transport or self.transport, fresh)
        return torch.where(task.prefix, task.target.logs, frame.decode(x_1.to(frame.spread)))

    @torch.no_grad()
    def mean(
        self,
        task: Task,
        steps: int | None = None,
        known: tuple[Task, Tensor, Kernel] | None = None,
    ) -> Tensor:
        """Mean of ln y [B, R, T], by quadrature: the transport is a map of one Gaussian number,
        which is evaluated at ``NODES``.  No sampling noise, and at each time the same whatever else
        is asked."""
        seen, state, _ = known or self.condition(task)
        frame = seen.frame
        z = self.config.temperature * frame.spread.new_tensor(NODES)
        x_0 = z[:, None, None, None].expand(-1, *frame.spread.shape)
        x_1 = self._move(state, x_0, steps, self.transport, None)
        x = torch.tensordot(frame.spread.new_tensor(WEIGHTS), x_1.to(frame.spread), 1)
        return torch.where(task.prefix, task.target.logs, frame.decode(x))

    def _move(self, state, w_0, steps, transport, fresh) -> Tensor:
        """Draws of x from numbers ``w_0`` [S, B, R, T] of the standardized reference."""
        prepared, kind = self.velocity.prepare(state), state.dtype

        def predict(w: Tensor, t: float) -> Tensor:
            return self.velocity(w.to(kind), w.new_tensor(t).to(kind), prepared).to(w.dtype)

        mean, sd = (x.to(w_0) for x in self.normal(state))
        return mean + sd * transport.sample(predict, w_0, steps or self.steps, fresh)

    def _see(self, task: Task) -> Task:
        """What the network is shown of the task."""
        if self.config.use_context:
            return task
        hidden = torch.zeros_like(task.context.mask)
        return replace(task, context=replace(task.context, mask=hidden))

    def know(self, task: Task, frame: Frame) -> tuple[Tensor, Kernel]:
        known = self.network.encode(task)
        raw = self.kernel(known.own[:, :, 0]).to(frame.spread.dtype)
        if self.config.process == "fixed":
            raw = torch.zeros_like(raw)
        elif self.config.process == "white":
            raw = raw.new_tensor(WHITE).expand_as(raw)
        return self.network.decode(task, known), Kernel.from_raw(raw)


def place(task: Task, frame: Frame) -> Tensor:
    """Warped time since the first dose, on which the reference lives."""
    return warp(task.target.times / frame.time_scale[:, None, None])


@dataclass(frozen=True)
class FlowConfig(TransportConfig):
    """Settings of the flow."""


class FlowModel(TransportModel):
    """Predicts the velocity x_1 - x_0."""

    kind, steps = "flow", 4
    transport = FlowMatching()


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
