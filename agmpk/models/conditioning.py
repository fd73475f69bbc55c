"""The conditioning network: from the study, the individual's past and doses, and a time, to a state
that says all that is known of the concentration at that time.

    samples of an individual -> attention within the individual -> its summary
    summaries of the context -> a fixed number of study states (a set: no order, linear in its size)
    prefix and doses of the target -> attention within the target
    an asked time            -> looks up the target, the study and the context's samples

Asked times never see each other: what is said of one depends on nothing else that is asked.

An attention's bias is additive and broadcasts to [N, heads, Q, K]; ``INVISIBLE`` hides a key.

Shapes: B studies, J context individuals, K samples, R targets, T points, P prefix, D doses, M study
states, W width, V width of a sample (there are many, and each says little); in attention N
sequences, Q queries, K keys, H heads, D width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from agmpk.config import Range
from agmpk.models.features import (
    DOSE_CHANNELS,
    QUERY_CHANNELS,
    SAMPLE_CHANNELS,
    Places,
    target_samples,
)
from agmpk.models.heads import Count
from agmpk.models.task import Task

STUDY_STATES = 8
HEAD_WIDTH = 32
TIME_SLOPES = (1.0, 4.0, 16.0)  # bias -slope |u - u'| of the heads that look near in time

# exp(-1e4) is 0 exactly, and unlike -inf it does no harm where there is nothing to see at all.
INVISIBLE = -1e4


def hide(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Bias [N, 1, 1, K] that hides the keys [N, K] outside ``mask``."""
    return torch.where(mask, 0.0, INVISIBLE).to(dtype)[:, None, None]


def near_in_time(u_query: Tensor, u: Tensor, mask: Tensor, heads: int) -> Tensor:
    """Bias [N, H, Q, K] of queries at warped times [N, Q] on keys at [N, K]: some heads see
    everything in ``mask``, some mostly what is near in time."""
    distance = (u_query[:, :, None] - u[:, None, :]).abs()
    slopes = u.new_tensor([*TIME_SLOPES, *[0.0] * heads][:heads])
    bias = -slopes[:, None, None] * distance[:, None]
    return bias.masked_fill(~mask[:, None, None], INVISIBLE)


class Attention(nn.Module):
    """softmax(q k / sqrt(d) + bias) v with separate sources of queries and keys, in the precision
    of the bias.

    Half precision would be slower: on a CPU its backward pass takes thirty times as long, and on a
    GPU cuDNN plans anew for every shape, of which each batch has others.
    """

    def __init__(self, width: int, source: int | None = None) -> None:
        super().__init__()
        self.heads = width // HEAD_WIDTH
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(source or width, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor, source: Tensor, bias: Tensor) -> Tensor:
        """Attend from ``x`` [N, Q, D] to ``source`` [N, K, source]."""
        query = self.query(x).unflatten(-1, (self.heads, -1)).transpose(-2, -3)
        key, value = self.key_value(source).unflatten(-1, (2, self.heads, -1)).unbind(-3)
        key, value = key.transpose(-2, -3), value.transpose(-2, -3)
        with torch.autocast(x.device.type, enabled=False):
            query, key, value = (a.to(bias.dtype) for a in (query, key, value))
            y = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.out(y.to(x.dtype).transpose(-2, -3).flatten(-2))


class FeedForward(nn.Sequential):
    """Pre-normed two-layer perceptron, zero at the start so that a block begins as identity."""

    def __init__(self, width: int) -> None:
        super().__init__(
            nn.LayerNorm(width),
            nn.Linear(width, 3 * width),
            nn.GELU(),
            nn.Linear(3 * width, width),
        )
        nn.init.zeros_(self[-1].weight)
        nn.init.zeros_(self[-1].bias)


class SelfBlock(nn.Module):
    """Self-attention, then a feed-forward layer; the identity at the start."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width)
        self.feed = FeedForward(width)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """[N, Q, D], of which ``bias`` [N, heads, Q, Q] hides some from others."""
        normed = self.norm(x)
        x = x + self.attention(normed, normed, bias)
        return x + self.feed(x)


class CrossBlock(nn.Module):
    """Queries look up encoded keys of width ``source``; ``feed``: then a feed-forward layer."""

    def __init__(self, width: int, source: int | None = None, feed: bool = True) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, source)
        self.feed = FeedForward(width) if feed else None

    def forward(self, x: Tensor, source: Tensor, bias: Tensor) -> Tensor:
        """Queries ``x`` [N, Q, D] look up ``source`` [N, K, source]."""
        x = x + self.attention(self.norm(x), source, bias)
        return x if self.feed is None else x + self.feed(x)


class Heads(Range):
    """Widths that are shared out evenly among the heads of an attention."""

    def __contains__(self, value: float) -> bool:
        return value >= HEAD_WIDTH and value % (value // HEAD_WIDTH) == 0

    def __str__(self) -> str:
        return f"a multiple of {HEAD_WIDTH}, the width of a head of attention"


Width = Annotated[int, Heads()]


@dataclass(frozen=True)
class Sizes:
    """Of the conditioning network."""

    width: Width = 128
    sample_width: Width = 64
    encoder_layers: Count = 2
    decoder_layers: Count = 3


@dataclass(frozen=True)
class Encoded:
    """study [B, M, W]; samples [B, J K, V] of the context with ``u`` and ``seen`` [B, J K], fewer
    where packed; own [B, R, 1 + P + D, W] the target (its summary first), its mask
    [B, R, 1 + P + D]."""

    study: Tensor
    samples: Tensor
    u: Tensor
    seen: Tensor
    own: Tensor
    own_mask: Tensor


class IndividualEncoder(nn.Module):
    """Attention within each individual over its samples and, for a target, its doses; a learned
    first token gathers the whole."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.sample = nn.Linear(SAMPLE_CHANNELS, width)
        self.dose = nn.Linear(DOSE_CHANNELS, width)
        self.whole = nn.Parameter(torch.zeros(1, 1, width))
        self.layers = nn.ModuleList(SelfBlock(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        samples: Tensor,
        mask: Tensor,
        doses: Tensor | None = None,
        dosed: Tensor | None = None,
        packed: tuple[Places, ...] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """samples [B, N, T, C], doses [B, N, D, C] -> [B, N, 1 + T + D, V] and its mask; only what
        is ``packed``, if given, else everything."""
        kind = self.whole.dtype
        B, N = mask.shape[:2]
        x = self.sample(samples.to(kind))
        if doses is not None:
            x, mask = torch.cat([x, self.dose(doses.to(kind))], 2), torch.cat([mask, dosed], 2)
        x, mask = x.flatten(0, 1), mask.flatten(0, 1)
        x = torch.cat([self.whole.to(x.dtype).expand(B * N, -1, -1), x], 1)
        mask = torch.cat([torch.ones_like(mask[:, :1]), mask], 1)
        if packed is None:
            y = self._attend(x, mask)
        else:
            y = torch.zeros_like(x)
            for places in packed:
                y = places.put(self._attend(places.take(x), places.take(mask)), y)
        return y.unflatten(0, (B, N)), mask.unflatten(0, (B, N))

    def _attend(self, x: Tensor, mask: Tensor) -> Tensor:
        bias = hide(mask, self.whole.dtype)
        for layer in self.layers:
            x = layer(x, bias)
        return self.norm(x)


class StudyEncoder(nn.Module):
    """A set of individuals to ``STUDY_STATES`` states of the study, and back to what each
    individual is within it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.states = nn.Parameter(torch.randn(1, STUDY_STATES, width) * 0.5)
        self.count = nn.Linear(2, width)
        self.gather_layers = nn.ModuleList(CrossBlock(width) for _ in range(2))
        self.among_layers = nn.ModuleList(SelfBlock(width) for _ in range(2))
        self.back_layers = nn.ModuleList([CrossBlock(width)])
        self.norm = nn.LayerNorm(width)

    def forward(self, members: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """members [B, J, W] where ``present`` [B, J] -> study [B, M, W], members [B, J, W]."""
        number = present.sum(-1, keepdim=True).to(self.states.dtype)
        count = self.count(torch.cat([number.log1p() / 3, (number == 0).to(number.dtype)], -1))
        x = self.states.to(members.dtype) + count[:, None].to(members.dtype)
        bias = hide(present, self.states.dtype)
        free = bias.new_zeros(()).expand(1, 1, 1, STUDY_STATES)
        for gather, among in zip(self.gather_layers, self.among_layers, strict=True):
            x = among(gather(x, members, bias), free)
        for back in self.back_layers:
            members = back(members, x, free)
        return self.norm(x), members


class Decoder(nn.Module):
    """From asked times to states: no asked time sees another."""

    def __init__(self, width: int, sample_width: int, layers: int) -> None:
        super().__init__()
        self.query = nn.Linear(QUERY_CHANNELS, width)
        self.own_layers = nn.ModuleList(CrossBlock(width, feed=False) for _ in range(layers))
        self.study_layers = nn.ModuleList(CrossBlock(width, sample_width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(
        self, queries: Tensor, u: Tensor, own: Tensor, own_bias: Tensor, known: Encoded
    ) -> Tensor:
        """queries [B, Q, C] at warped times u [B, Q] -> [B, Q, W].

        ``own`` [N, L, W] is what the queries know of their individuals, N rows of individuals or
        studies; ``own_bias`` [N, 1, 1 or Q, L].
        """
        kind = self.query.weight.dtype  # of the biases too, whatever autocast makes of x
        x = self.query(queries.to(kind))
        heads = self.study_layers[0].attention.heads
        bias = near_in_time(u.to(kind), known.u.to(kind), known.seen, heads)
        for look_own, look_study in zip(self.own_layers, self.study_layers, strict=True):
            x = look_own(x.reshape(len(own), -1, x.shape[-1]), own, own_bias)
            x = look_study(x.reshape(len(u), -1, x.shape[-1]), known.samples, bias)
        return self.norm(x)


class ConditioningNetwork(nn.Module):
    """Encoders and decoder; see the module.

    ``dose_tokens`` False hides the list of doses (their superposition stays in the frame);
    ``limit_tokens`` False hides samples below the limit.
    """

    def __init__(self, sizes: Sizes, dose_tokens: bool = True, limit_tokens: bool = True) -> None:
        super().__init__()
        width, sample_width = sizes.width, sizes.sample_width
        self.dose_tokens, self.limit_tokens = dose_tokens, limit_tokens
        self.individual = IndividualEncoder(sample_width, sizes.encoder_layers)
        self.widen = nn.Linear(sample_width, width)
        self.study = StudyEncoder(width)
        self.member = nn.Linear(width, sample_width)
        self.decoder = Decoder(width, sample_width, sizes.decoder_layers)

    def encode(self, task: Task) -> Encoded:
        """Encode the context and the known part of the targets."""
        told, packing = task.features, task.packing
        seen = task.context.mask if self.limit_tokens else task.context.quantified
        tokens, _ = self.individual(told.context, seen, packed=packing and packing.people)
        present = seen.any(-1)
        study, members = self.study(self.widen(tokens[:, :, 0]), present)
        # A context sample knows its place in the study through its individual.
        samples = tokens[:, :, 1:] + self.member(members)[:, :, None]
        shown = task.prefix[..., : task.longest_prefix]
        own, own_mask = self.encode_target(task, shown, told.prefix, packing and packing.own)
        keys = samples.flatten(1, 2), told.u_context.flatten(1), seen.flatten(1)
        if packing:
            keys = tuple(packing.keys.take(x) for x in keys)
        return Encoded(study, *keys, own, own_mask)

    def encode_target(
        self,
        task: Task,
        shown: Tensor,
        samples: Tensor | None = None,
        packed: tuple[Places, ...] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The targets of which ``shown`` [B, R, P] is seen, and their doses: tokens and mask.

        ``samples``: what ``target_samples`` says of ``shown``, where that is known already.
        """
        if samples is None:
            samples = target_samples(task, task.frame, shown)
        if not self.limit_tokens:
            shown = shown & ~task.target.below[..., : shown.shape[-1]]
        dosed = task.target.dosed if self.dose_tokens else torch.zeros_like(task.target.dosed)
        own, mask = self.individual(samples, shown, task.features.doses, dosed, packed)
        return self.widen(own), mask

    def decode(self, task: Task, known: Encoded) -> Tensor:
        """States [B, R, T, W] of the targets' points; of the asked ones alone in a packed task."""
        told, packing, study = task.features, task.packing, known.study
        queries, u = told.queries.flatten(1, 2), told.u_target.flatten(1)
        kind = self.decoder.query.weight.dtype
        own, mask = known.own, known.own_mask
        if packing:
            own, mask = (packing.tokens.take(x.flatten(1, 2)) for x in (own, mask))
            mask = packing.same & mask[:, None]
            queries, u = packing.asked.take(queries), packing.asked.take(u)
        else:
            study = study[:, None].expand(-1, own.shape[1], -1, -1).flatten(0, 1)
            own, mask = own.flatten(0, 1), mask.flatten(0, 1)[:, None]
        own = torch.cat([own, study], 1)
        mask = torch.cat([mask, mask.new_ones(*mask.shape[:2], study.shape[1])], 2)
        bias = torch.where(mask, 0.0, INVISIBLE).to(kind)[:, None]
        state = self.decoder(queries, u, own, bias, known)
        if packing:
            nothing = state.new_zeros(*task.asked.flatten(1).shape, state.shape[-1])
            state = packing.asked.put(state, nothing)
        return state.view(*task.asked.shape, -1)
