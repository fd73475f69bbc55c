"""What the networks have in common: how they are asked, heads that turn a state into a law of one
number, and what these are trained by.

Shapes: S draws, B studies, R targets, T points, W width.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from agmpk.config import Range
from agmpk.models.task import Task

Count = Annotated[int, Range(1)]
Factor = Annotated[float, Range(0.0)]
FLOW_TIMES = 16
SD_FLOOR = 0.02


class Network(nn.Module, ABC):
    """A network of the table of models, made from a frozen configuration dataclass.

    A kind adds the four methods that are abstract here.  There is no randomness but the
    generator's.

    kind, generates: its name in the table of models, and whether it answers without any observation
    of the target, which no kind does that sees no study; ``build_model`` sets both.  needs: fields
    that its configuration must have.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    kind = ""
    generates = True

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    @abstractmethod
    def loss(self, task: Task, generator: torch.Generator) -> Tensor:
        """Mean [] over the curves that are asked for."""

    @abstractmethod
    def condition(self, task: Task) -> Any:
        """What ``_draws`` and ``_mean`` share, as ``known``."""

    @abstractmethod
    def _draws(
        self, task: Task, known: Any, samples: int, generator: torch.Generator, **options: Any
    ) -> Tensor:
        """Draws of ln y [S, B, R, T]; what they say at prefix points is not read."""

    @abstractmethod
    def _mean(self, task: Task, known: Any) -> Tensor:
        """Mean of ln y [B, R, T]; what it says at prefix points is not read."""

    @torch.no_grad()
    def sample(
        self,
        task: Task,
        samples: int,
        generator: torch.Generator | list[torch.Generator],
        known: Any = None,
        **options: Any,
    ) -> Tensor:
        """Draws of ln y [S, B, R, T]; at prefix points the observed value itself.

        Args:
            generator: one for all, or one for each study.
            known: the answer of ``condition``, where there is one already.
            options: those of the kind.
        """
        known = known or self.condition(task)
        draws = self._draws(task, known, samples, generator, **options)
        return torch.where(task.prefix, task.target.logs, draws)

    @torch.no_grad()
    def mean(self, task: Task, known: Any = None) -> Tensor:
        """Mean of ln y [B, R, T], at each time the same whatever else is asked."""
        mean = self._mean(task, known or self.condition(task))
        return torch.where(task.prefix, task.target.logs, mean)


class GaussianNetwork(Network):
    """A network that answers with a normal law at every asked time, independent of the others.

    A kind adds ``law``.  ``config.beta`` is that of ``beta_loss``, ``config.temperature`` a factor
    on the SD in sampling.
    """

    needs = ("beta", "temperature")

    @abstractmethod
    def law(self, task: Task) -> tuple[Any, Tensor, Tensor]:
        """The kind's frame, and mean and SD [B, R, T] of the frame's coordinate."""

    def loss(self, task: Task, generator: torch.Generator) -> Tensor:
        """Negative log-likelihood of the asked points (see ``beta_loss``); nothing is drawn."""
        frame, mean, sd = self.law(task)
        free, x = frame.scored(task)
        return beta_loss(mean, sd, x.to(mean), free, self.config.beta, frame.spread.to(mean))

    @torch.no_grad()
    def condition(self, task: Task) -> tuple[Tensor, Tensor]:
        """Mean and SD [B, R, T] of ln y."""
        frame, mean, sd = self.law(task)
        return frame.decode(mean.to(frame.spread)), frame.spread * sd.to(frame.spread)

    def _draws(
        self, task: Task, known: tuple[Tensor, Tensor], samples: int, generator: torch.Generator
    ) -> Tensor:
        mean, sd = known
        error = antithetic(samples, tuple(mean.shape), generator, mean)
        return mean + self.config.temperature * sd * error

    def _mean(self, task: Task, known: tuple[Tensor, Tensor]) -> Tensor:
        return known[0]


class VelocityHead(nn.Module):
    """The transport's prediction at one asked time from its own state x_t, t, and what is known."""

    def __init__(self, width: int, hidden: int = 128) -> None:
        super().__init__()
        self.known = nn.Linear(width, hidden)
        self.state = nn.Linear(3, hidden, bias=False)
        self.time = nn.Linear(2 * FLOW_TIMES, hidden, bias=False)
        self.middle = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, 1)
        nn.init.zeros_(self.out.weight)

    def prepare(self, state: Tensor) -> Tensor:
        """What does not depend on x_t and t, computed once: [..., W] -> [..., hidden]."""
        return self.known(state)

    def forward(self, x_t: Tensor, t: Tensor, prepared: Tensor) -> Tensor:
        """Prediction for states ``x_t`` [S, ...] at ``t`` [S, ...] or []; ``prepared`` [...]."""
        k = torch.arange(1, FLOW_TIMES + 1, dtype=x_t.dtype, device=x_t.device) * (math.pi / 2)
        phase = t[..., None] * k
        x = torch.stack([x_t, (x_t / 3).tanh(), x_t.tanh()], -1)
        h = self.state(x) + self.time(torch.cat([phase.sin(), phase.cos()], -1)) + prepared
        h = F.gelu(h)
        h = h + F.gelu(self.middle(h))
        h = h + F.gelu(self.last(h))
        return self.out(h)[..., 0].to(x_t.dtype)


class GaussianHead(nn.Module):
    """Mean and standard deviation of a point from its state; mean 0 and SD 0.7 at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(width, width), nn.GELU())
        self.out = nn.Linear(width, 2)
        nn.init.zeros_(self.out.weight)
        with torch.no_grad():
            self.out.bias.copy_(torch.tensor([0.0, raw_sd(0.7)]))

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """[..., W] -> mean [...], SD [...]."""
        # In mixed precision the likelihood is still computed in the weights' own.
        mean, raw = self.out(self.body(state)).to(self.out.weight.dtype).unbind(-1)
        return mean, F.softplus(raw) + SD_FLOOR


def raw_sd(sd: float) -> float:
    """What a head adds up to where it answers ``sd``."""
    return math.log(math.expm1(sd - SD_FLOOR))


def normal(
    shape: tuple[int, ...], generator: torch.Generator | list[torch.Generator], like: Tensor
) -> Tensor:
    """Standard normal numbers, drawn where the generator lives and moved to ``like``; of several
    generators each draws those of one study, which are the second axis."""
    if isinstance(generator, list):
        one = (shape[0], 1, *shape[2:])
        return torch.cat([normal(one, each, like) for each in generator], 1)
    drawn = torch.randn(shape, generator=generator, device=generator.device, dtype=like.dtype)
    return drawn.to(like.device)


def point_nll(mean: Tensor, sd: Tensor, x: Tensor) -> Tensor:
    """-ln N(x; mean, sd^2), without its constant."""
    return sd.log() + 0.5 * ((x - mean) / sd).square()


def curve_mean(values: Tensor, free: Tensor, weight: Tensor | float = 1.0) -> Tensor:
    """Mean of ``values`` [..., T] over each curve's points where ``free``, then over the curves,
    weighted by ``weight`` [...].  A leading axis of draws is averaged."""
    counts = free.to(values.dtype)
    points = counts.sum(-1)
    curve = (values * counts).sum(-1) / points.clamp(min=1) * weight
    draws = curve.numel() / points.numel()
    return curve.sum() / (draws * (points > 0).sum().clamp(min=1))


def curve_weight(spread: Tensor, free: Tensor) -> Tensor:
    """Root mean square spread [...] of each curve's points.

    Squared errors in natural-log units divided by it make every curve count the same however many
    points it has, and a curve of twice the spread twice, not four times: the metric is a mean of
    root mean squares.  As the spread is known before the curve is, it moves no optimum.
    """
    counts = free.to(spread.dtype)
    square = (spread.square() * counts).sum(-1) / counts.sum(-1).clamp(min=1)
    return square.sqrt().clamp(min=1e-6)


def beta_loss(
    mean: Tensor, sd: Tensor, x: Tensor, free: Tensor, beta: float, scale: Tensor | float = 1.0
) -> Tensor:
    """Negative log-likelihood of ``x`` [B, R, T] where ``free``, averaged over each curve's points
    and then over the curves.

    Each point is weighted by its SD in natural-log units to the power 2 ``beta``, taken as a
    constant (Seitzer et al. 2022, eq. 5): at 0.5 a squared error counts as error^2 / SD, as in a
    mean of root mean squares, instead of error^2 / SD^2, which would train the mean on the easy
    curves only.

    Args:
        scale: natural-log units of one unit of ``x``.
    """
    weight = (sd.detach() * scale).pow(2 * beta)
    return curve_mean(point_nll(mean, sd, x) * weight, free)


def antithetic(
    samples: int, shape: tuple[int, ...], generator: torch.Generator, like: Tensor
) -> Tensor:
    """Standard normal noise [S, *shape] in pairs of opposite sign.

    Every draw is standard normal, and the mean over an even number of them is exactly zero, so
    that the mean of the draws of a normal forecast is the forecast's mean.
    """
    half = normal(((samples + 1) // 2, *shape), generator, like)
    return torch.cat([half, -half])[:samples]
