"""Where the real tokens of a padded task are, so that training does not compute its padding.

Two thirds of a batch of simulated studies is padding: people, samples, doses and asked points of
the smaller studies.  Masks make it harmless, packing makes it cheap: rows of similar length are
attended to together, keys and asked points stand densely.  The numbers are the same up to the order
of summation.  Forecasts do without, since shapes that depend on data cannot be exported.

Shapes: N sequences of L places, C channels, S kept places.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from agmpk.models.task import Task


@dataclass(frozen=True)
class Places:
    """Some places of a padded array [N, L]: ``index`` [n, S], counted through, all different;
    ``real`` [n, S], the others fill up."""

    index: Tensor
    real: Tensor

    def take(self, x: Tensor) -> Tensor:
        """x [N, L, ...] -> [n, S, ...]."""
        return x.flatten(0, 1).index_select(0, self.index.flatten()).unflatten(0, self.index.shape)

    def put(self, x: Tensor, into: Tensor) -> Tensor:
        """``into`` [N, L, ...] with x [n, S, ...] in these places."""
        flat = into.flatten(0, 1).index_copy(0, self.index.flatten(), x.flatten(0, 1))
        return flat.view_as(into)


def first(mask: Tensor) -> Places:
    """The places marked in ``mask`` [N, L], as many of each row as the fullest has."""
    length = max(1, int(mask.sum(-1).max()))
    order = mask.int().argsort(dim=-1, descending=True, stable=True)[:, :length]
    start = mask.shape[1] * torch.arange(len(mask), device=mask.device)[:, None]
    return Places(start + order, mask.gather(1, order))


def by_length(mask: Tensor) -> tuple[Places, ...]:
    """The rows of ``mask`` [N, L] that have anything beside their first place, in groups whose
    lengths are within a factor of two."""
    length = mask.sum(-1)
    group = torch.where(length > 1, (length - 1).float().log2().floor().int(), -1)
    found = []
    for which in group.unique().tolist():
        rows = (group == which).nonzero()[:, 0]
        if which >= 0:
            inside = first(mask[rows])
            shift = mask.shape[1] * (rows - torch.arange(len(rows), device=rows.device))
            found.append(Places(inside.index + shift[:, None], inside.real))
    return tuple(found)


@dataclass(frozen=True)
class Packing:
    """people: individuals of the context, [B J, 1 + K]; own: targets with what is shown and their
    doses, [B R, 1 + P + D]; keys: the context's samples [B, J K]; tokens: those of the targets
    [B, R (1 + P + D)]; asked: points [B, R T]; same [B, asked, tokens], whose target is the same;
    points [M], all asked ones counted through B R T."""

    people: tuple[Places, ...]
    own: tuple[Places, ...]
    keys: Places
    tokens: Places
    asked: Places
    same: Tensor
    points: Tensor

    @classmethod
    def of(cls, task: Task) -> Packing:
        """Packing of a task with B studies."""
        B, R, T = task.asked.shape
        people = _with_whole(task.context.mask)
        shown = torch.cat([task.prefix[..., : task.longest_prefix], task.target.dosed], -1)
        own = _with_whole(shown) & shown.any(-1).flatten()[:, None]
        tokens, asked = first(own.view(B, -1)), first(task.asked.flatten(1))
        whose_token = tokens.index // own.shape[-1]
        same = (asked.index // T)[:, :, None] == whose_token[:, None]
        return cls(
            by_length(people),
            by_length(own),
            first(task.context.mask.flatten(1)),
            tokens,
            asked,
            same & tokens.real[:, None],
            task.asked.flatten().nonzero()[:, 0],
        )


def asked_points(task: Task) -> Tensor:
    """Asked points [M] counted through B R T; every point where the task is not packed."""
    packing = task.features.packing
    return packing.points if packing else torch.arange(task.asked.numel(), device=task.asked.device)


def spread_out(x: Tensor, points: Tensor, shape: Sequence[int], fill: float = 0.0) -> Tensor:
    """[..., M] -> [..., *shape]: ``x`` at the ``points``, ``fill`` elsewhere."""
    nothing = x.new_full((*x.shape[:-1], math.prod(shape)), fill)
    return nothing.index_copy(-1, points, x).unflatten(-1, shape)


def _with_whole(mask: Tensor) -> Tensor:
    """The token that gathers an individual stands before its others: [N, 1 + L]."""
    mask = mask.flatten(0, 1)
    return torch.cat([torch.ones_like(mask[:, :1]), mask], 1)
