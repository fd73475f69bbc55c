"""Loss and samples of the models without a study level: a Gaussian at every unseen point.

A network here maps an ``OwnFrame`` to mean and SD of x at its unseen points, in order of
``frame.free``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from agmpk.errors import AgmpkError
from agmpk.models.frame import TRIM
from agmpk.models.gaussian import antithetic, curve_loss
from agmpk.models.own_frame import OwnFrame, own_frame
from agmpk.models.task import Task

Network = Callable[[OwnFrame], tuple[Tensor, Tensor]]


def keep_trainable(task: Task) -> Tensor:
    """Targets [B, R] with a prefix and something left to predict."""
    free = task.target_mask & ~task.prefix_mask
    return task.prefix_mask.any(-1) & free.any(-1)


def keep_answerable(task: Task, kind: str) -> Tensor:
    """Targets [B, R] with a prefix.

    Raises
    ------
    AgmpkError
        If points are asked for and no target has one: without a study level there is nothing to
        answer from.
    """
    keep = task.prefix_mask.any(-1)
    if task.target_mask.any() and not keep.any():
        raise AgmpkError(
            f"The {kind} model has no study level and cannot forecast without a prefix: give at "
            "least one observation of the target individual, or use a model of the study."
        )
    return keep


def own_loss(network: Network, frame: OwnFrame, beta: float) -> Tensor:
    """Negative log-likelihood of the unseen points (see ``curve_loss``)."""
    mean, sd = network(frame)
    x = frame.x.clamp(-TRIM, TRIM).to(mean.dtype)
    free = frame.free

    def spread_out(values: Tensor, fill: float) -> Tensor:
        full = torch.full(free.shape, fill, dtype=values.dtype, device=values.device)
        return full.masked_scatter(free, values)

    return curve_loss(spread_out(mean, 0.0), spread_out(sd, 1.0), x, free, beta)


def own_sample(
    network: Network, frame: OwnFrame, samples: int, generator: torch.Generator
) -> Tensor:
    """Draws of ln(y / dose) [S, B, R, T]: at prefix points what was observed.

    A target without a prefix has no answer: its entries are NaN.
    """
    logs = frame.task.target_logs
    mean, sd = (a.to(logs.dtype) for a in network(frame))
    draws = mean + sd * antithetic(samples, mean, generator)
    inner = logs.new_zeros((samples, *frame.free.shape))
    inner[:, frame.free] = draws
    out = torch.full_like(logs, torch.nan).expand(samples, *logs.shape).clone()
    out[:, frame.keep] = inner + frame.centre[:, None]
    return torch.where(frame.task.prefix_mask, logs, out)


class PrefixModel(nn.Module):
    """A network without a study level: what it learns with and answers with.

    ``forward`` maps an ``OwnFrame`` to mean and SD of x at its unseen points; ``config.beta`` is
    that of the likelihood (see ``curve_loss``).
    """

    kind: ClassVar[str]
    generates = False

    def loss(self, task: Task, generator: torch.Generator) -> Tensor:
        """Negative log-likelihood of the unseen points of the targets that have a prefix."""
        keep = keep_trainable(task)
        if not keep.any():
            return sum(p.sum() for p in self.parameters()) * 0.0
        return own_loss(self, own_frame(task, keep), self.config.beta)

    @torch.no_grad()
    def sample(self, task: Task, samples: int, generator: torch.Generator) -> Tensor:
        """Draws of ln(y / dose) [S, B, R, T]; at prefix points the observed value itself.

        Raises
        ------
        AgmpkError
            If no target has a prefix.
        """
        return own_sample(
            self, own_frame(task, keep_answerable(task, self.kind)), samples, generator
        )
