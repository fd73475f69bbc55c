"""AGM-PK flow (Ojeda et al. 2026) and diffusion (Song et al. 2021): reference, transport, loss,
sampling.

In the frame's coordinate x the reference is a Gaussian process whose mean, SD and correlation the
network chooses from the study, the prefix and the doses,

    x_0 = m + s w_0,     w_0 ~ the process below,

trained by its likelihood, and the transport moves w from there to w_1 = (x_1 - m) / s: what of
the law is not normal.  m and s are held fixed in the transport's loss.

Time t runs from the reference (0), a standard normal number at every asked time, to the data (1).
A transport says what a network is trained to predict on the way, and how its predictions move a
draw of the reference to a draw of the data.  Every asked time moves by itself: its velocity depends
on its own state and on what is known, never on other asked times.  So a deterministic transport is
an increasing map of one number, quantiles go to quantiles, and curves are coherent because the
numbers they start from are correlated: w_0 is the process

    k(u, u') = c + (1 - c - n) Matern-3/2(|u - u'| / length) + n [u = u'],

over warped time u, conditioned on the prefix times and scaled back to unit variance.  What the
prefix says of the level and width of the law is the network's to say; the process only says which
times go together: c an individual's level, n the assay's error.  The three come from the network,
target by target.  The law at one time is standard normal whichever others are asked.

Shapes: B studies, R targets, S samples, T points, W width.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from agmpk.config import Range
from agmpk.errors import AgmpkError
from agmpk.models.conditioning import ConditioningNetwork, Sizes
from agmpk.models.features import asked_points, spread_out
from agmpk.models.frame import TRIM, warp
from agmpk.models.heads import (
    Count,
    Factor,
    GaussianHead,
    Network,
    VelocityHead,
    beta_loss,
    curve_mean,
    curve_weight,
    normal,
)
from agmpk.models.task import Task, Tensors

# The network: state x_t and time t in [0, 1] -> its prediction.
Predict = Callable[[Tensor, float], Tensor]
# A fresh draw of the reference.
Fresh = Callable[[], Tensor]

SIGMA_MIN = 1e-4
LENGTH, LEVEL, NUGGET = 1.0, 0.1, 0.1  # of the process, at the start of training
JITTER = 1e-4
COPULA = 0.1  # weight of the reference's correlation in the loss
WHITE = (0.0, -6.0, 6.0)  # of a kernel that is all nugget, see ``Kernel.from_raw``
# Nodes and weights of the quadrature that gives the mean forecast (Gauss and Hermite): within 4e-5
# of 4,999 equally likely nodes on development cohorts, where 99 of those are 2e-3 off.
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


class FlowMatching:
    """Conditional flow matching on the straight path (Lipman et al. 2023).

        x_t = t x_1 + (1 - t) x_0 + sigma_min eps,     target velocity  v = x_1 - x_0

    The best prediction is v(x, t) = E[x_1 - x_0 | x_t = x], and dx/dt = v(x, t) moves the law of
    x_0 to that of x_1.
    """

    def pair(self, x_0: Tensor, x_1: Tensor, t: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """State x_t between a draw of the reference and one of the data, and the prediction wanted
        there; ``noise`` standard normal."""
        return t * x_1 + (1 - t) * x_0 + SIGMA_MIN * noise, x_1 - x_0

    def sample(self, predict: Predict, x_0: Tensor, steps: int, fresh: Fresh | None) -> Tensor:
        """Move draws of the reference to the data in ``steps`` steps of two evaluations each;
        ``fresh`` None: along the deterministic path."""
        return follow(predict, x_0, steps)


@dataclass(frozen=True)
class VariancePreserving:
    """Score-based diffusion on a variance-preserving path (Song et al. 2021); used as
    ``FlowMatching``.

    With noise n standard normal and the cosine schedule (Nichol & Dhariwal 2021) alpha =
    sin(pi t / 2), sigma = cos(pi t / 2): x_t = alpha x_1 + sigma n.  The network predicts
    v = sigma x_1 - alpha n (Salimans & Ho 2022, sign turned), which keeps the size of the data and
    the noise at every t; then

        n = sigma x_t - alpha v,   score = -n / sigma,   probability flow dx/dt = (pi / 2) v.

    Sampling follows that flow or the reverse-time SDE dx = ((pi / 2) v + g^2 / 2 score) dt + g dW,
    of the same marginal laws for all g (Karras et al. 2022, eq. 6); here g^2 = pi sigma^2, so that
    the drift (pi / 2) (v - sigma n) is bounded at both ends.

    ``sampler``: "ode" (probability flow, midpoint method), "sde" (by Heun's method) or "euler" (by
    Euler and Maruyama's, one evaluation a step; Kloeden & Platen 1992).

    Raises:
        AgmpkError: another sampler.
    """

    sampler: str = "ode"

    def __post_init__(self) -> None:
        if self.sampler not in ("ode", "sde", "euler"):
            raise AgmpkError(f"There is no sampler {self.sampler!r}: use one of ode, sde, euler.")

    def pair(self, x_0: Tensor, x_1: Tensor, t: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """As ``FlowMatching.pair``; the path has no noise of its own."""
        alpha, sigma = torch.sin(t * math.pi / 2), torch.cos(t * math.pi / 2)
        return alpha * x_1 + sigma * x_0, sigma * x_1 - alpha * x_0

    def sample(self, predict: Predict, x_0: Tensor, steps: int, fresh: Fresh | None) -> Tensor:
        """As ``FlowMatching.sample``, by ``sampler``; "euler" asks once a step."""
        if fresh is None or self.sampler == "ode":
            return follow(lambda x, t: math.pi / 2 * predict(x, t), x_0, steps)
        x, h = x_0, 1.0 / steps

        def drift(x: Tensor, t: float) -> Tensor:
            v, alpha, sigma = predict(x, t), math.sin(t * math.pi / 2), math.cos(t * math.pi / 2)
            return math.pi / 2 * (v - sigma * (sigma * x - alpha * v))

        for k in range(steps):
            t = k * h
            if self.sampler == "euler":
                g = math.sqrt(math.pi * h) * math.cos(t * math.pi / 2)
                x = x + h * drift(x, t) + g * fresh()
                continue
            g = math.sqrt(math.pi * h) * math.cos((t + h / 2) * math.pi / 2)
            f, noise = drift(x, t), g * fresh()
            x = x + 0.5 * h * (f + drift(x + h * f + noise, t + h)) + noise
        return x


def follow(velocity: Predict, x: Tensor, steps: int) -> Tensor:
    """Integrate dx/dt = v(x, t) from t = 0 to 1 by ``steps`` midpoint steps.

    Unlike Heun's method, of the same order and cost, it never asks at t = 1, where the law of a
    well-predicted point is narrow and the velocity steep.  (``torchdiffeq.odeint`` with
    ``method="midpoint"`` gives the same numbers; written out it exports to other runtimes.)
    """
    h = 1.0 / steps
    for k in range(steps):
        halfway = x + 0.5 * h * velocity(x, k * h)
        x = x + h * velocity(halfway, (k + 0.5) * h)
    return x


@dataclass(frozen=True)
class Kernel(Tensors):
    """length, level c and nugget n of the process [..., 1, 1]."""

    length: Tensor
    level: Tensor
    nugget: Tensor

    @classmethod
    def from_raw(cls, raw: Tensor) -> Kernel:
        """From three unbounded numbers [..., 3]; zeros give the starting values."""
        length = LENGTH * torch.exp(raw[..., 0].clamp(-2.5, 2.5))
        free = torch.stack([raw[..., 1], raw[..., 2], torch.zeros_like(raw[..., 0])], -1)
        start = raw.new_tensor([LEVEL, NUGGET, 1 - LEVEL - NUGGET]).log()
        share = torch.softmax(free.clamp(-6, 6) + start, -1)
        share = share * 0.97 + 0.01  # never singular
        return cls(*(x[..., None, None] for x in (length, share[..., 0], share[..., 1])))

    def covariance(self, u: Tensor) -> Tensor:
        """[..., T, T] at warped times ``u`` [..., T]."""
        distance = (u[..., :, None] - u[..., None, :]).abs() * (3**0.5 / self.length)
        smooth = (1 + distance) * torch.exp(-distance)
        eye = torch.eye(u.shape[-1], dtype=u.dtype, device=u.device)
        return self.level + (1 - self.level - self.nugget) * smooth + self.nugget * eye


def correlation(kernel: Kernel, u: Tensor, prefix: Tensor, free: Tensor) -> Tensor:
    """Correlation [..., T, T] of the points where ``free``, given those where ``prefix``; the
    identity elsewhere."""
    eye = torch.eye(u.shape[-1], dtype=u.dtype, device=u.device)
    covariance = kernel.covariance(u) + JITTER * eye
    seen = prefix.to(u.dtype)
    # The system of the seen points, made invertible by ones on the diagonal elsewhere.
    known = covariance * seen[..., :, None] * seen[..., None, :] + torch.diag_embed(1 - seen)
    cross = covariance * seen[..., None, :]
    root = torch.linalg.cholesky_ex(known)[0]
    half = torch.linalg.solve_triangular(root, cross.transpose(-1, -2), upper=False)
    rest = covariance - half.transpose(-1, -2) @ half
    unseen = free.to(u.dtype)
    scale = rest.diagonal(dim1=-2, dim2=-1).clamp(min=JITTER).rsqrt() * unseen
    return rest * scale[..., :, None] * scale[..., None, :] + torch.diag_embed(1 - unseen)


def factor(correlation: Tensor) -> Tensor:
    """Cholesky factor [..., T, T]."""
    eye = torch.eye(correlation.shape[-1], dtype=correlation.dtype, device=correlation.device)
    return torch.linalg.cholesky_ex((correlation + JITTER * eye) / (1 + JITTER))[0]


def negative_log_likelihood(z: Tensor, correlation: Tensor, free: Tensor) -> Tensor:
    """-ln of the Gaussian copula density of ``z`` [..., T] where ``free``, per point, averaged."""
    z = torch.where(free, z, 0.0)
    root = factor(correlation)
    solved = torch.linalg.solve_triangular(root, z[..., None], upper=False)[..., 0]
    determinant = root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    nll = 0.5 * (solved.square() - z.square()).sum(-1) + determinant
    return nll.sum() / free.sum().clamp(min=1)


@dataclass(frozen=True)
class FlowConfig(Sizes):
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

    draws: Count = 6
    at_start: Annotated[float, Range(0.0, 1.0)] = 0.25
    process: Literal["study", "fixed", "white"] = "study"
    dose_tokens: bool = True
    limit_tokens: bool = True
    use_context: bool = True
    temperature: Factor = 1.0


class FlowModel(Network):
    """Predicts the velocity x_1 - x_0."""

    transport: FlowMatching | VariancePreserving = FlowMatching()
    steps: ClassVar[int] = 4  # of the sampler, unless asked for otherwise

    def __init__(self, config: FlowConfig) -> None:
        super().__init__(config)
        # Without a study and without a prefix nothing tells the level of a curve.
        self.generates = config.use_context
        self.network = ConditioningNetwork(config, config.dose_tokens, config.limit_tokens)
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
        free, x_1 = frame.scored(task)
        state, kernel = self._know(task)
        kind, shape = self.kernel.weight.dtype, (self.config.draws, *x_1.shape)
        spread = frame.spread.to(kind)
        # What is not asked costs nothing: the heads see the asked points of a packed task alone.
        points = asked_points(task)
        state = state.flatten(0, 2).index_select(0, points)
        mean, sd = self.normal(state)
        mean, sd = spread_out(mean, points, free.shape), spread_out(sd, points, free.shape, 1.0)
        loss = beta_loss(mean, sd, x_1.to(kind), free, 0.5, spread)
        mean, sd = mean.detach(), sd.detach()
        w_1 = ((x_1.to(kind) - mean) / sd).clamp(-TRIM, TRIM)
        w_0, noise = normal((2, *shape), generator, w_1)
        t, start = torch.rand((2, *shape), generator=generator, device=generator.device).to(w_1)
        t = torch.where(start < self.config.at_start, 0.0, t)
        w_t, wanted = self.transport.pair(w_0, w_1, t, noise)
        w_t, t = (x.flatten(1).index_select(1, points) for x in (w_t, t))
        predicted = self.velocity(w_t, t, self.velocity.prepare(state))
        predicted = spread_out(predicted, points, free.shape)
        error = ((predicted - wanted) * spread * sd).square()
        loss = loss + curve_mean(error, free, 1 / curve_weight(spread * sd, free))
        if self.config.process == "study":
            # In double precision: rounded, a correlation need not stay positive definite.
            law = correlation(kernel.to(torch.float64), place(task).double(), task.prefix, free)
            copula = negative_log_likelihood(w_1.clamp(-4, 4).double(), law, free)
            loss = loss + COPULA * copula.to(loss)
        return loss

    @torch.no_grad()
    def condition(self, task: Task) -> tuple[Task, Tensor, Kernel]:
        """The task as the network sees it, the state of every point, the reference's kernel."""
        seen = self._see(task)
        return seen, *self._know(seen)

    def _draws(
        self,
        task: Task,
        known: tuple[Task, Tensor, Kernel],
        samples: int,
        generator: torch.Generator,
        steps: int | None = None,
    ) -> Tensor:
        """``steps`` of the sampler, two evaluations of the velocity each."""
        seen, state, kernel = known
        frame = seen.frame
        root = factor(correlation(kernel, place(seen), seen.prefix, seen.asked))

        def fresh() -> Tensor:
            z = normal((samples, *root.shape[:-1]), generator, root)
            return self.config.temperature * (root @ z[..., None])[..., 0]

        return frame.decode(self.moved(state, fresh(), steps, fresh).to(frame.spread))

    def _mean(self, task: Task, known: tuple[Task, Tensor, Kernel]) -> Tensor:
        """By quadrature: the transport is a map of one Gaussian number, which is evaluated at
        ``NODES``, without sampling noise."""
        seen, state, _ = known
        frame = seen.frame
        z = self.config.temperature * frame.spread.new_tensor(NODES)
        x_1 = self.moved(state, z[:, None, None, None].expand(-1, *frame.spread.shape))
        weights = frame.spread.new_tensor(WEIGHTS)
        return frame.decode(torch.tensordot(weights, x_1.to(frame.spread), 1))

    def moved(
        self, state: Tensor, w_0: Tensor, steps: int | None = None, fresh: Fresh | None = None
    ) -> Tensor:
        """Draws of x from numbers ``w_0`` [S, B, R, T] of the standardized reference."""
        prepared, kind = self.velocity.prepare(state), state.dtype

        def predict(w: Tensor, t: float) -> Tensor:
            return self.velocity(w.to(kind), w.new_tensor(t).to(kind), prepared).to(w.dtype)

        mean, sd = (x.to(w_0) for x in self.normal(state))
        return mean + sd * self.transport.sample(predict, w_0, steps or self.steps, fresh)

    def _see(self, task: Task) -> Task:
        """What the network is shown of the task."""
        if self.config.use_context:
            return task
        # The values, too: where nothing is visible attention averages what is hidden.
        return replace(task, context=task.context.each(torch.zeros_like))

    def _know(self, task: Task) -> tuple[Tensor, Kernel]:
        known = self.network.encode(task)
        raw = self.kernel(known.own[:, :, 0]).to(task.frame.spread.dtype)
        if self.config.process == "fixed":
            raw = torch.zeros_like(raw)
        elif self.config.process == "white":
            raw = raw.new_tensor(WHITE).expand_as(raw)
        return self.network.decode(task, known), Kernel.from_raw(raw)


def place(task: Task) -> Tensor:
    """Warped time since the first dose, on which the reference lives."""
    return warp(task.target.times / task.frame.time_scale[:, None, None])


@dataclass(frozen=True)
class DiffusionConfig(FlowConfig):
    """Settings of the diffusion; sampler: "ode", "sde" or "euler" (see ``VariancePreserving``)."""

    sampler: str = "ode"

    def __post_init__(self) -> None:
        VariancePreserving(self.sampler)


class DiffusionModel(FlowModel):
    """Predicts v = sigma x_1 - alpha n; the score follows from it."""

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__(config)
        self.transport = VariancePreserving(config.sampler)
