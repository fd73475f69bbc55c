"""AICMET: an amortized mixed-effects model with latent variables (Ojeda Marin et al. 2025).

An attentive neural process (Kim et al. 2019) with two levels.  A study effect z_s and individual
effects z_i are normal,

    z_s ~ p(z_s | context),            z_i ~ q(z_i | prefix, z_s),

and given both, every asked point is normal with mean and SD from a perceptron of the flow's
conditioning state at that time, z_s and z_i.  They enter after all attention, so a draw costs no
more than the perceptron.  Training raises the bound

    ln p(rest | prefix, context) >= E ln p(rest | z_s, z_i)
        - KL(q(z_s | context, targets) || p(z_s | context))
        - sum_i KL(q(z_i | whole target, z_s) || q(z_i | prefix, z_s)),

in which the posterior of z_s sees every target of the study whole.  Two things in the loss make it
other than a bound: each curve is weighted by its spread, and the batch mean of each divergence is
free up to ``free_nats``.  Counting the free nats over a batch instead of study by study leaves the
price of z_s in force where it is needed: with few others in the context, what the targets have in
common is cheaper to say once, by z_s, than once for each by z_i.  With many, attention has told it
already, the study effect is nearly a constant, and the model one of individual effects.

Shapes: S draws, B studies, R targets, T points, W width, Z latent width, M study states.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from agmpk.models.conditioning import STUDY_STATES, ConditioningNetwork, Sizes
from agmpk.models.frame import Frame
from agmpk.models.heads import (
    SD_FLOOR,
    Count,
    Factor,
    Network,
    antithetic,
    curve_mean,
    curve_weight,
    normal,
    point_nll,
    raw_sd,
)
from agmpk.models.task import Task

AT_ONCE = 2**23  # hidden values of the decoder that are held at once in sampling
DRAWS = 256  # of both effects, for the mean


@dataclass(frozen=True)
class AicmetConfig(Sizes):
    """Sizes and training.

    latent: width of z_s and of z_i.  draws: of both per step.  free_nats: mean divergence of each
    over a batch that costs nothing.  temperature: factor on all noise in sampling.
    """

    latent: Count = 16
    draws: Count = 2
    free_nats: Factor = 0.25
    temperature: Factor = 1.0


@dataclass(frozen=True)
class Normal:
    """Independent normal components: mean and sd [..., Z]."""

    mean: Tensor
    sd: Tensor

    def draw(self, noise: Tensor) -> Tensor:
        """A draw from standard normal ``noise`` of the same or a larger shape."""
        return self.mean + self.sd * noise

    def divergence(self, other: Normal) -> Tensor:
        """KL(self || other) [...] in nats."""
        ratio = self.sd / other.sd
        away = (self.mean - other.mean) / other.sd
        return (0.5 * (ratio.square() + away.square() - 1) - ratio.log()).sum(-1)


class LatentHead(nn.Module):
    """The law of a latent variable from what is known; SD 0.3 at the start."""

    def __init__(self, known: int, width: int, latent: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(known, width), nn.GELU())
        self.out = nn.Linear(width, 2 * latent)
        with torch.no_grad():
            self.out.weight[latent:] = 0.0
            self.out.bias[latent:] = raw_sd(0.3)

    def forward(self, known: Tensor) -> Normal:
        """[..., known] -> law of [..., Z]."""
        mean, raw = self.out(self.body(known)).to(self.out.weight.dtype).chunk(2, -1)
        return Normal(mean, F.softplus(raw) + SD_FLOOR)


class LatentDecoder(nn.Module):
    """Mean and SD of a point from its state and the latent variables."""

    def __init__(self, width: int, latent: int) -> None:
        super().__init__()
        self.known = nn.Linear(width, width)
        self.latent = nn.Linear(2 * latent, width, bias=False)
        self.middle = nn.Linear(width, width)
        self.out = nn.Linear(width, 2)
        nn.init.zeros_(self.out.weight)
        with torch.no_grad():
            self.out.bias.copy_(torch.tensor([0.0, raw_sd(0.7)]))

    def forward(self, state: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """state [B, R, T, W], z [S, B, R, 2 Z] -> mean and SD [S, B, R, T]."""
        h = F.gelu(self.known(state) + self.latent(z)[..., None, :])
        h = h + F.gelu(self.middle(h))
        mean, raw = self.out(h).to(self.out.weight.dtype).unbind(-1)
        return mean, F.softplus(raw) + SD_FLOOR


class AicmetModel(Network):
    """Learns with ``loss``, answers with ``sample`` and ``mean``."""

    def __init__(self, config: AicmetConfig) -> None:
        super().__init__(config)
        width, latent = config.width, config.latent
        self.network = ConditioningNetwork(config)
        self.study = nn.Linear(STUDY_STATES * width, width)
        self.study_effect = LatentHead(width, width, latent)
        self.study_posterior = LatentHead(2 * width + 1, width, latent)
        self.individual_effect = LatentHead(width + latent, width, latent)
        self.decoder = LatentDecoder(width, latent)

    def loss(self, task: Task, generator: torch.Generator) -> Tensor:
        """Weighted negative bound per point, averaged over the curves (see the module).

        Each curve counts in proportion to the root mean square spread of its frame, as in the
        flow's loss.
        """
        frame = task.frame
        free, x = frame.scored(task)
        kind = self.study.weight.dtype
        known = self.network.encode(task)
        whole = self.network.encode_target(task, task.prefix | free)[0][:, :, 0]
        state = self.network.decode(task, known)

        code, own = self.study(known.study.flatten(1)), known.own[:, :, 0]
        prior_s, post_s = self.study_effect(code), self._study_posterior(code, whole, free)
        S, (B, R) = self.config.draws, free.shape[:2]
        noise = normal((S, B, R + 1, self.config.latent), generator, prior_s.mean)
        z_s = post_s.draw(noise[:, :, 0])
        prior_i, post_i = self._individual(own, z_s), self._individual(whole, z_s)
        z_i = post_i.draw(noise[:, :, 1:])
        mean, sd = self._decode(state, z_s, z_i)

        points = free.sum(-1).to(kind)
        counted = (points > 0).to(kind)
        weight = curve_weight(frame.spread.to(kind), free)
        cost = counted * weight / points.clamp(min=1)
        each_s = cost.sum(-1) / counted.sum(-1).clamp(min=1)
        loss = curve_mean(point_nll(mean, sd, x.to(kind)), free, weight)
        for kl, price in (
            (post_s.divergence(prior_s), each_s),
            (post_i.divergence(prior_i), cost),
        ):
            here = (price > 0).to(kind).expand_as(kl)
            average = (kl * here).sum() / here.sum().clamp(min=1)
            total = (kl * price).sum() * (price.numel() / kl.numel())
            charged = (1 - self.config.free_nats / average.clamp(min=1e-6)).clamp(min=0)
            loss = loss + charged * total / counted.sum().clamp(min=1)
        return loss

    @torch.no_grad()
    def condition(self, task: Task) -> tuple[Tensor, Normal, Tensor]:
        """The state of every point, the law of the study's effect, what is seen of each
        individual."""
        known = self.network.encode(task)
        law = self.study_effect(self.study(known.study.flatten(1)))
        return self.network.decode(task, known), law, known.own[:, :, 0]

    def _draws(
        self,
        task: Task,
        known: tuple[Tensor, Normal, Tensor],
        samples: int,
        generator: torch.Generator,
    ) -> Tensor:
        """One draw is one study effect, one individual effect, and residual error at every point.

        The effects are drawn first, so that they are the same whatever is asked.
        """
        B, R, T = task.asked.shape
        shape = (B, R + 1, self.config.latent)
        effects = antithetic(samples, shape, generator, self.study.weight)
        mean, sd = self._laws(known, task.frame, self.config.temperature * effects)
        error = self.config.temperature * antithetic(samples, (B, R, T), generator, mean)
        return task.frame.decode(mean + sd * error)

    def _mean(self, task: Task, known: tuple[Tensor, Normal, Tensor]) -> Tensor:
        """Over a fixed set of study and individual effects: no other random numbers."""
        fixed = torch.Generator().manual_seed(0)
        noise = antithetic(DRAWS, (2, self.config.latent), fixed, self.study.weight)
        effects = noise[:, None, [0] + [1] * task.asked.shape[1]]
        mean, _ = self._laws(known, task.frame, effects.expand(-1, len(task), -1, -1))
        return task.frame.decode(mean.mean(0))

    def _laws(
        self, known: tuple[Tensor, Normal, Tensor], frame: Frame, noise: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mean and SD [S, B, R, T] of x for standard normal ``noise`` [S, B, 1 + R, Z]."""
        state, law, own = known
        parts = []
        for part in noise.split(max(1, AT_ONCE // max(1, state.numel()))):
            z_s = law.draw(part[:, :, 0])
            z_i = self._individual(own, z_s).draw(part[:, :, 1:])
            parts.append(self._decode(state, z_s, z_i))
        return tuple(torch.cat(values).to(frame.spread) for values in zip(*parts, strict=True))

    def _study_posterior(self, code: Tensor, whole: Tensor, free: Tensor) -> Normal:
        """Law of z_s given the study's code [B, W] and its targets [B, R, W] as a set."""
        there = free.any(-1, keepdim=True).to(whole.dtype)
        number = there.sum(1)
        together = (whole * there).sum(1) / number.clamp(min=1)
        return self.study_posterior(torch.cat([code, together, number.log1p()], -1))

    def _individual(self, state: Tensor, z_s: Tensor) -> Normal:
        """Law of z_i given what is seen of the individual [B, R, W] and z_s [S, B, Z]."""
        R = state.shape[1]
        z_s = z_s[:, :, None].expand(-1, -1, R, -1)
        return self.individual_effect(torch.cat([state.expand(len(z_s), -1, -1, -1), z_s], -1))

    def _decode(self, state: Tensor, z_s: Tensor, z_i: Tensor) -> tuple[Tensor, Tensor]:
        z = torch.cat([z_s[:, :, None].expand_as(z_i), z_i], -1)
        return self.decoder(state, z)
