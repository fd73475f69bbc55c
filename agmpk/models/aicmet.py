"""AICMET: an amortized mixed-effects model with latent variables (Ojeda Marin et al. 2025).

A neural process with two levels.  The study effect z_s and the individual effect z_i are normal,

    z_s ~ q(z_s | context),            z_i ~ q(z_i | prefix, z_s),

and given both, every unseen point is normal with mean and SD from a functional-attention decoder.
Training maximizes the neural-process bound (Garnelo et al. 2018, eq. 9): the same q's, which also
see the targets, take the place of the posterior,

    ln p(rest | prefix, context) >= E ln p(rest | z_s, z_i)
        - KL(q(z_s | context, targets) || q(z_s | context))
        - KL(q(z_i | whole target, z_s) || q(z_i | prefix, z_s)).

Shapes: S samples, B studies, J context individuals, R targets, T points, D width.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from agmpk.models.curves import context_curves, target_curves
from agmpk.models.features import TARGET_CHANNELS, target_features, warp
from agmpk.models.frame import TRIM, Frame, to_frame
from agmpk.models.functional_decoder import Asked, FunctionalDecoder, Keys, ask, lay_keys
from agmpk.models.gaussian import point_nll
from agmpk.models.hierarchy import CurveEncoder, StudyEncoder
from agmpk.models.latent import LatentHead, standard
from agmpk.models.task import Task


@dataclass(frozen=True)
class AicmetConfig:
    """Sizes; ``free_nats``: divergence of each latent variable that costs nothing."""

    width: int = 128
    curve_layers: int = 2
    study_layers: int = 2
    decoder_layers: int = 4
    latent: int = 16
    free_nats: float = 0.5

    def to_dict(self) -> dict[str, int | float]:
        return asdict(self)


@dataclass(frozen=True)
class Known:
    """What the encoders say: study [B, D] (and with the targets), the targets' prefix [B, R, D]
    (and whole), keys of the decoder."""

    study: Tensor
    study_whole: Tensor | None
    prefix: Tensor
    whole: Tensor | None
    keys: Keys


class AicmetModel(nn.Module):
    """Learns with ``loss``, answers with ``sample``."""

    kind = "aicmet"
    generates = True

    def __init__(self, config: AicmetConfig) -> None:
        super().__init__()
        self.config = config
        width, latent = config.width, config.latent
        self.curves = CurveEncoder(width, config.curve_layers)
        self.studies = StudyEncoder(width, config.study_layers)
        self.member = nn.Linear(width, width)
        self.study_effect = LatentHead(width, width, latent)
        self.individual_effect = LatentHead(width + latent, width, latent)
        self.decoder = FunctionalDecoder(TARGET_CHANNELS, 2 * latent, width, config.decoder_layers)

    def loss(self, task: Task, generator: torch.Generator) -> Tensor:
        """Negative bound per point, averaged over the curves.

        Each curve counts in proportion to the root mean square spread of its frame, as in the
        flow's loss; a target with neither prefix nor context has no level and does not count.
        """
        task = task.trimmed()
        frame = to_frame(task)
        free = task.target_mask & ~task.prefix_mask
        free = free & (frame.use.any(-1)[:, None] | task.prefix_mask.any(-1))[..., None]
        kind = self.member.weight.dtype
        known = self.encode(task, frame, whole=True)
        noise = standard((2, *free.shape[:2], self.config.latent), generator)
        prior_s, post_s = self.study_effect(known.study), self.study_effect(known.study_whole)
        z_s = post_s.draw(noise[0, :, 0])
        prior_i, post_i = self.individual(known.prefix, z_s), self.individual(known.whole, z_s)
        z_i = post_i.draw(noise[1])
        mean, sd = self.decode(task, frame, free, known, z_s[None], z_i[None])
        x = frame.encode(task.target_logs).clamp(-TRIM, TRIM)[free].to(kind)
        nll = torch.zeros(free.shape, dtype=kind, device=free.device)
        nll = nll.masked_scatter(free, point_nll(mean[0], sd[0], x)).sum(-1)

        points = free.sum(-1).to(kind)
        counted = (points > 0).to(kind)
        least = self.config.free_nats
        kl_s = post_s.divergence(prior_s).clamp(min=least)
        kl_i = post_i.divergence(prior_i).clamp(min=least)
        share = kl_s / counted.sum(-1).clamp(min=1)
        square = torch.where(free, frame.spread.square(), 0.0).sum(-1).to(kind)
        weight = counted * (square / points.clamp(min=1)).sqrt()
        curve = weight * (nll + kl_i + share[:, None]) / points.clamp(min=1)
        return curve.sum() / counted.sum().clamp(min=1)

    @torch.no_grad()
    def sample(self, task: Task, samples: int, generator: torch.Generator) -> Tensor:
        """Draws of ln(y / dose) [S, B, R, T]; at prefix points the observed value itself.

        One draw is one study effect, one individual effect, and residual error at every point.
        """
        frame = to_frame(task)
        free = task.target_mask & ~task.prefix_mask
        known = self.encode(task, frame, whole=False)
        B, R, latent = *free.shape[:2], self.config.latent
        z_s = self.study_effect(known.study).draw(standard((samples, B, latent), generator))
        z_i = self.individual(known.prefix, z_s).draw(standard((samples, B, R, latent), generator))
        mean, sd = self.decode(task, frame, free, known, z_s, z_i)
        error = standard(tuple(mean.shape), generator).to(mean)
        x = torch.zeros((samples, *free.shape), dtype=frame.spread.dtype, device=free.device)
        x[:, free] = (mean + sd * error).to(x.dtype)
        return torch.where(task.prefix_mask, task.target_logs, frame.decode(x))

    def encode(self, task: Task, frame: Frame, whole: bool) -> Known:
        """Run both encoders; ``whole``: also with the targets' unseen points (training only)."""
        kind = self.member.weight.dtype
        B, R, _ = task.target_mask.shape
        present = task.context_mask.any(-1)
        groups = [
            context_curves(task, frame),
            target_curves(task, frame, task.prefix_mask),
            *([target_curves(task, frame, task.target_mask)] if whole else []),
        ]
        (context, points), (prefix, seen), *rest = self.curves.many(groups, kind)
        context = context.unflatten(0, present.shape)
        study, members = self.studies(context, present)
        study_whole, wholes = None, None
        if whole:
            wholes = rest[0][0].unflatten(0, (B, R))
            there = task.target_mask.any(-1)
            study_whole, _ = self.studies(
                torch.cat([context, wholes], 1), torch.cat([present, there], 1)
            )
        # A context point knows its place in the study through its individual.
        points = points + self.member(members).flatten(0, 1)[groups[0].curve]
        owner = torch.cat([torch.full_like(groups[0].curve, -1), groups[1].curve % R])
        keys = lay_keys(
            torch.cat([points, seen]),
            owner,
            torch.cat([groups[0].u, groups[1].u]).to(kind),
            torch.cat([groups[0].curve // present.shape[1], groups[1].curve // R]),
            B,
        )
        return Known(study, study_whole, prefix.unflatten(0, (B, R)), wholes, keys)

    def individual(self, state: Tensor, z_s: Tensor):
        """Law of z_i given what is seen of the individual [B, R, D] and z_s [..., B, Z]."""
        R = state.shape[1]
        z_s = z_s[..., None, :].expand(*z_s.shape[:-1], R, -1)
        state = state.expand(*z_s.shape[:-1], -1)
        return self.individual_effect(torch.cat([state, z_s], -1))

    def decode(
        self, task: Task, frame: Frame, free: Tensor, known: Known, z_s: Tensor, z_i: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mean and SD [S, F] of x at the F points where ``free``."""
        kind = self.member.weight.dtype
        u = warp(task.target_times / frame.time_scale[:, None, None]).to(kind)
        asked: Asked = ask(free, u)
        z = torch.cat([z_s[:, :, None].expand_as(z_i), z_i], -1)
        points = target_features(task, frame)[free].to(kind)
        return self.decoder(points, asked, known.keys, known.study, z)
