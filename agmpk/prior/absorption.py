"""How oral doses arrive: lag, late individuals, split release and the gamma-like transit chain.

Shapes: S studies, I individuals per study.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agmpk.prior.groups import Absorption
from agmpk.prior.laws import draw_normal, draw_switch
from agmpk.prior.streams import Streams


def draw_lag(
    a: Absorption, horizon: Tensor, tightness: Tensor, individuals: int, streams: Streams
) -> Tensor:
    """Absorption lag [S, I] in h; ``tightness`` [S, 1] multiplies its between-individual SD.

    In some of the lagged studies a share of the individuals starts hours later than the rest: an
    enteric-coated tablet waits in the stomach until it empties.  No lag exceeds half the horizon.
    """
    S, g = len(horizon), streams("lag")
    lagged = draw_switch(a.lag_probability, (S, 1), g)
    spread = a.sd_lag.draw((S, 1), g) * tightness * draw_normal((S, individuals), g)
    lag = a.lag.draw((S, 1), g) * torch.exp(spread)
    g = streams("late")
    late = draw_switch(a.late_probability, (S, 1), g)
    late = late & (_uniform((S, individuals), g) < a.late_share.draw((S, 1), g))
    delay = a.late_delay.draw((S, 1), g) * torch.exp(0.3 * draw_normal((S, individuals), g))
    lag = lag + torch.where(late, delay, 0.0)
    return torch.where(lagged, torch.minimum(lag, 0.5 * horizon[:, None]), 0.0)


def draw_split(
    a: Absorption, studies: int, individuals: int, streams: Streams
) -> tuple[Tensor, Tensor]:
    """Fraction of the dose that is released later, and how much later in h, both [S, I]."""
    g = streams("split")
    split = draw_switch(a.split_probability, (studies, 1), g)
    fraction = a.split_fraction.draw((studies, individuals), g)
    delay = a.split_delay.draw((studies, 1), g)
    delay = delay * torch.exp(0.3 * draw_normal((studies, individuals), g))
    return torch.where(split, fraction, 0.0), torch.where(split, delay, 0.0)


def draw_transits(a: Absorption, studies: int, streams: Streams) -> Tensor:
    """Number of transit stages before the gut, [S]: 0, a whole number, or a real one (gamma)."""
    g = streams("transits")
    chain = draw_switch(a.transit_probability, (studies,), g)
    real = draw_switch(a.gamma_probability, (studies,), g)
    number = a.max_transits * _uniform((studies,), g)
    g = streams("long chains")
    long = draw_switch(a.long_chain_probability, (studies,), g)
    longer = a.max_transits + (a.longest_chain - a.max_transits) * _uniform((studies,), g)
    number = torch.where(long, longer, number)
    return torch.where(chain, torch.where(real, number, number.ceil()), 0.0)


def draw_chain_rate(
    a: Absorption, ka: Tensor, transits: Tensor, tightness: Tensor, streams: Streams
) -> Tensor:
    """ln rate of the chain's stages [S, I] in ln 1/h: that of ``ka`` [S, I], or one of its own."""
    if a.transit_time is None:
        return ka
    (S, individuals), g = ka.shape, streams("transit time")
    mean = torch.log(transits.clamp(min=0.5)[:, None] / a.transit_time.draw((S, 1), g))
    sd = a.sd_transit.draw((S, 1), g) * tightness
    return mean + sd * draw_normal((S, individuals), g)


def draw_zero_order(
    a: Absorption, individuals: int, horizon: Tensor, tightness: Tensor, streams: Streams
) -> dict[str, Tensor]:
    """Release at a constant rate: ``zero_duration`` h (0: none), ``zero_part`` of the dose, and
    ``zero_gut``, whether the gut comes next; all [S, I]."""
    (S,), g = horizon.shape, streams("zero order")
    switch = draw_switch(a.zero_order_probability, (S, 1), g)
    to_gut = draw_switch(a.zero_order_gut_probability, (S, 1), g)
    partial = draw_switch(a.zero_order_part_probability, (S, 1), g)
    part = torch.where(partial, a.zero_order_part.draw((S, 1), g), 1.0)
    typical = torch.minimum(a.zero_order_duration.draw((S, 1), g), 0.5 * horizon[:, None])
    sd = a.sd_zero_order.draw((S, 1), g) * tightness
    duration = typical * torch.exp(sd * draw_normal((S, individuals), g))
    return {
        "zero_duration": torch.where(switch, duration, 0.0),
        "zero_part": torch.where(switch, part, 0.0).expand(S, individuals),
        "zero_gut": (switch & to_gut).expand(S, individuals),
    }


def chain_entry(transits: Tensor, gut: int, size: int) -> Tensor:
    """Share of a dose that enters each state of the chain, [N, D], for a real number of stages [N].

    Savic et al. (2007) let a dose reach the gut by a gamma density of real shape n + 1.  A chain
    of k stages of rate ka gives shapes k + 1; between two whole numbers k < n < k + 1 the share
    n - k of the dose takes one stage more.  Mean transit time is that of the gamma density,
    (n + 1) / ka; the variance exceeds it by (n - k)(k + 1 - n) / ka^2, at most 1/4 of 1 / ka^2.
    """
    below = transits.floor()
    share = transits - below
    place = gut - torch.stack([below, transits.ceil()], -1).long()
    entry = transits.new_zeros((len(transits), size))
    return entry.scatter_add_(1, place, torch.stack([1 - share, share], -1))


def _uniform(shape: tuple[int, ...], g: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=g, dtype=torch.float64)
