"""Draw the parameters of the individuals of many studies at once.

Shapes: S studies, I individuals per study (all are drawn, the design says how many take part),
P peripheral compartments; N individuals that take part, all studies below each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from agmpk.prior.config import Absorption, PriorConfig, Variability
from agmpk.prior.dosing import STANDARD_WEIGHT, nearest
from agmpk.prior.laws import (
    Streams,
    draw_integer,
    draw_normal,
    draw_switch,
    draw_uniform,
    shared_waves,
)

# Clearances grow with weight^0.75 and volumes with weight (Anderson & Holford 2008), so rate
# constants, their ratios, fall with weight^-0.25.
RATE_EXPONENT, VOLUME_EXPONENT = -0.25, 1.0
STANDARD_VOLUME = 70.0  # L


@dataclass(frozen=True)
class Typical:
    """Typical values of each study, [S] ([S, P] for the exchange rates), natural logarithms."""

    ka: Tensor
    ke: Tensor
    V: Tensor
    k_out: Tensor
    k_in: Tensor


@dataclass(frozen=True)
class Parameters:
    """Parameters of every individual: log rates (ln 1/h), log V, times in h; [S, I] or [S, I, P].

    ``ktr`` is the log rate of the transit chain; ``zero_duration`` h (0: none), ``zero_part`` and
    ``zero_gut`` describe release at a constant rate, as ``absorption.draw_zero_order`` has them.

    [S] are ``transits`` (a real number of stages), ``is_metabolite``, ``saturation`` (Km in
    multiples of dose / V; infinite where elimination is linear) and ``ou_time_scale``; ``ou_sd``
    is [S, 4 + 2 P]: the SDs of the processes of (ka, ke, V, km, k_out, k_in), in this order;
    ``shared`` [S, 2 WAVES, 4 + 2 P] and ``frequency`` [S, WAVES] 1/h make up what the study shares.
    """

    typical: Typical
    ka: Tensor
    ke: Tensor
    V: Tensor
    k_out: Tensor
    k_in: Tensor
    exchange: Tensor
    F: Tensor
    lag: Tensor
    split_fraction: Tensor
    split_delay: Tensor
    zero_duration: Tensor
    zero_part: Tensor
    zero_gut: Tensor
    ktr: Tensor
    km: Tensor
    formed: Tensor
    first_pass: Tensor
    poor: Tensor
    transits: Tensor
    is_metabolite: Tensor
    saturation: Tensor
    ou_sd: Tensor
    ou_time_scale: Tensor
    shared: Tensor
    frequency: Tensor

    def rows(self, study: Tensor, individual: Tensor) -> Parameters:
        """The parameters of N individuals, given by number of study and individual: [N, ...]."""
        of_study = ("transits", "is_metabolite", "saturation")
        of_study += ("ou_sd", "ou_time_scale", "shared", "frequency")
        picked = {"typical": Typical(**{k: v[study] for k, v in vars(self.typical).items()})}
        for name in (f.name for f in fields(self) if f.name != "typical"):
            value = getattr(self, name)
            picked[name] = value[study] if name in of_study else value[study, individual]
        return Parameters(**picked)


def draw_parameters(
    config: PriorConfig,
    horizon: Tensor,
    weight: Tensor,
    streams: Streams,
    reference: Tensor | float = STANDARD_WEIGHT,
) -> Parameters:
    """Parameters of all individuals.

    Args:
        config: the prior.
        horizon: [S] h, how long a single dose is watched.
        weight: [S, I] kg.
        streams: the random streams of the block.
        reference: [S, 1] kg, the weight of which the typical rates are.
    """
    (S, individuals), P = weight.shape, config.disposition.peripherals[1]
    v = config.variability
    typical = _typical(config, horizon, streams)
    tight = draw_tightness(v, S, streams("tight"))
    deviation = draw_deviations(v, individuals, P, tight, streams)
    size = torch.log(weight / STANDARD_WEIGHT)
    slower = RATE_EXPONENT * torch.log(weight / reference)
    coupling = v.coupling.draw((S, 1), streams("coupling")) if v.coupling else 0.0
    ke = typical.ke[:, None] + deviation["ke"] - coupling * deviation["V"] + slower

    metabolite = _metabolite(config, typical, individuals, tight, streams)
    metabolite["km"] = metabolite["km"] + slower
    normal = ke
    ke, metabolite["formed"], poor = draw_poor_metabolisers(v, ke, metabolite["formed"], streams)
    gain = v.poor_gain.draw((S, 1), streams("poor gain")) if v.poor_gain else 0.0
    ou_sd = draw_ou_sd(v, S, P, streams("ou sd"))
    time_scale = v.ou_time_scale.draw((S,), streams("ou time scale"))
    ratio = v.ou_shared.draw((S, 1), streams("ou shared ratio")) if v.ou_shared else 0.0
    a = config.absorption
    zero = draw_zero_order(a, individuals, horizon, tight, streams)
    frequency, shared = shared_waves(ou_sd * ratio, time_scale, streams("ou shared"))
    fraction, delay = draw_split(a, S, individuals, streams)
    fraction = torch.where(zero["zero_duration"] > 0, 0.0, fraction)
    ka, transits = typical.ka[:, None] + deviation["ka"], draw_transits(a, S, streams)
    count = _peripherals(config, S, streams("peripherals"))
    return Parameters(
        typical=typical,
        ka=ka,
        ktr=draw_chain_rate(a, ka, transits, tight, streams),
        ke=ke,
        V=typical.V[:, None] + deviation["V"] + VOLUME_EXPONENT * size,
        k_out=typical.k_out[:, None] + deviation["k_out"] + slower[..., None],
        k_in=typical.k_in[:, None] + deviation["k_in"] + slower[..., None],
        exchange=(torch.arange(P) < count[:, None])[:, None].expand(S, individuals, P),
        F=deviation["F"] + gain * (normal - ke),
        lag=draw_lag(a, horizon, tight, individuals, streams),
        split_fraction=fraction,
        split_delay=delay,
        poor=poor,
        transits=transits,
        saturation=_saturation(config, S, streams("saturation")),
        ou_sd=ou_sd,
        ou_time_scale=time_scale,
        shared=shared,
        frequency=frequency,
        **zero,
        **metabolite,
    )


def fit_horizon(
    config: PriorConfig, studies: int, streams: Streams
) -> tuple[Tensor, Tensor | None]:
    """How long a single dose is watched [S] h, and the terminal half-life [S] h where it sets that.

    Without ``log_CL`` horizons are drawn from their list (and half-lives fit them); with it, the
    horizon is the nearest of the list to ``half_lives_in_horizon`` terminal half-lives.
    """
    choices, d = config.design.horizons, config.disposition
    if d.log_CL is None:
        table = torch.tensor(choices, dtype=torch.float64)
        return table[draw_integer(0, len(choices) - 1, (studies,), streams("horizon"))], None
    typical = _typical(config, torch.ones(studies, dtype=torch.float64), streams)
    number = _peripherals(config, studies, streams("peripherals"))
    k_out = typical.k_out.exp() * (torch.arange(d.peripherals[1]) < number[:, None])
    half_life = math.log(2) / slowest_rate(typical.ke.exp(), k_out, typical.k_in.exp())
    ratio = d.half_lives_in_horizon.draw((studies,), streams("half-lives"))
    return nearest(choices, ratio * half_life), half_life


def slowest_rate(ke: Tensor, k_out: Tensor, k_in: Tensor) -> Tensor:
    """Rate of the terminal phase [S] in 1/h; ``k_out`` 0 where there is no such compartment.

    The system matrix is similar to a symmetric one, whose smallest eigenvalue is what is asked.
    """
    P = k_out.shape[-1]
    matrix = ke.new_zeros((len(ke), P + 1, P + 1))
    matrix[:, 0, 0] = ke + k_out.sum(-1)
    for j in range(P):
        # Absent compartments are made too fast to be the slowest.
        matrix[:, j + 1, j + 1] = torch.where(k_out[:, j] > 0, k_in[:, j], 1e6)
        matrix[:, 0, j + 1] = matrix[:, j + 1, 0] = torch.sqrt(k_out[:, j] * k_in[:, j])
    return torch.linalg.eigvalsh(matrix)[:, 0]


def _peripherals(config: PriorConfig, studies: int, g: torch.Generator) -> Tensor:
    """Number of peripheral compartments [S]."""
    d = config.disposition
    if not any(d.peripheral_shares):
        return draw_integer(*d.peripherals, (studies,), g)
    shares = torch.tensor(d.peripheral_shares, dtype=torch.float64)
    u = draw_uniform((studies,), g)
    return (u[:, None] > (shares / shares.sum()).cumsum(0)[:-1]).sum(-1)


def _typical(config: PriorConfig, horizon: Tensor, streams: Streams) -> Typical:
    S, d = len(horizon), config.disposition
    P = d.peripherals[1]
    log_ke, log_V = d.log_ke.draw((S,), streams("ke")), d.log_V.draw((S,), streams("V"))
    if d.log_CL:
        power = d.clearance_power.draw((S,), streams("clearance power"))
        log_CL = d.log_CL.draw((S,), streams("CL")) + power * (log_V - math.log(STANDARD_VOLUME))
        log_ke = log_CL - log_V
    elif d.half_lives_in_horizon:
        half_lives = d.half_lives_in_horizon.draw((S,), streams("half-lives"))
        log_ke = torch.log(math.log(2) * half_lives / horizon)
    return Typical(
        ka=config.absorption.log_ka.draw((S,), streams("ka")),
        ke=log_ke,
        V=log_V,
        k_out=d.log_k_out.draw((S, P), streams("k_out")),
        k_in=d.log_k_in.draw((S, P), streams("k_in")),
    )


def _saturation(config: PriorConfig, S: int, g: torch.Generator) -> Tensor:
    d = config.disposition
    saturable = draw_switch(d.saturable_probability / d.saturable_blocks, (S,), g)
    saturation = d.saturation.draw((S,), g)
    here = draw_switch(d.saturable_blocks, (1,), g)
    return torch.where(saturable & here, saturation, math.inf)


def _metabolite(
    config: PriorConfig, typical: Typical, individuals: int, tight: Tensor, streams: Streams
) -> dict[str, Tensor]:
    m, S, g = config.metabolite, len(typical.ke), streams("metabolite")
    is_metabolite = draw_switch(m.probability, (S,), g)
    sd = m.sd_rate.draw((S, 1), g) * tight
    km = (typical.ke + torch.log(m.rate_ratio.draw((S,), g)))[:, None]
    share = torch.logit(draw_uniform((S, 1), g).clamp(0.05, 0.95))
    z = draw_normal((2, S, individuals), g)
    g = streams("first pass")
    first = draw_switch(m.first_pass_probability, (S, 1), g) & is_metabolite[:, None]
    return {
        "is_metabolite": is_metabolite,
        "km": km + sd * z[0],
        "formed": torch.sigmoid(share + sd * z[1]),
        "first_pass": torch.where(first, m.first_pass.draw((S, 1), g), 0.0).expand(S, individuals),
    }


def draw_tightness(v: Variability, S: int, g: torch.Generator) -> Tensor:
    """Factor [S, 1] on all between-individual SDs: 1, or less in a tight study."""
    tight = draw_switch(v.tight_probability, (S, 1), g)
    return torch.where(tight, v.tight_factor.draw((S, 1), g), 1.0)


def draw_deviations(
    v: Variability, individuals: int, P: int, tightness: Tensor, streams: Streams
) -> dict[str, Tensor]:
    """Between-individual deviations of log-parameters, [S, I] (k_out, k_in: [S, I, P]).

    Correlated where a common factor is set; ``tightness`` [S, 1] multiplies all SDs.
    """
    S = len(tightness)
    laws = {"ka": v.sd_ka, "ke": v.sd_ke, "V": v.sd_V, "F": v.sd_F, "k_out": v.sd_k, "k_in": v.sd_k}
    common = draw_normal((S, individuals, 1), streams("common factor"))
    out = {}
    for name, law in laws.items():
        g, size = streams(f"deviation of {name}"), P if name.startswith("k_") else 1
        z = draw_normal((S, individuals, size), g)
        sd = law.draw((S, 1, size), g) * tightness[..., None] if law else 0.0
        if v.common_factor:
            load = v.common_factor.draw((S, 1, size), streams(f"loading of {name}"))
            z = load * common + torch.sqrt(1 - load.square()) * z
        out[name] = sd * z if name.startswith("k_") else (sd * z)[..., 0]
    return out


def draw_poor_metabolisers(
    v: Variability, ke: Tensor, formed: Tensor, streams: Streams
) -> tuple[Tensor, Tensor, Tensor]:
    """ln ke, the share that forms the metabolite, and who is poor, all [S, I].

    Poor metabolisers lose part of the path that forms the metabolite, not of the others.
    """
    (S, individuals), g = ke.shape, streams("polymorphism")
    carriers = draw_switch(v.polymorphism_probability, (S, 1), g)
    u = draw_uniform((S, individuals), g)
    poor = carriers & (u < v.poor_share.draw((S, 1), g))
    factor = torch.where(poor, v.poor_factor.draw((S, 1), g), 1.0)
    left = 1 - formed + formed * factor
    return ke + torch.log(left), formed * factor / left, poor


def draw_ou_sd(v: Variability, S: int, P: int, g: torch.Generator) -> Tensor:
    """Stationary SDs [S, 4 + 2 P] of the processes of (ka, ke, V, km, k_out, k_in)."""
    rates = v.ou_rates.draw((S, 4 + 2 * P), g)
    rates[:, 2] = v.ou_V.draw((S,), g)
    return rates


def draw_occasions(v: Variability, dosed: Tensor, streams: Streams) -> Tensor:
    """ln F of each dose relative to the individual's own, [S, I, D]; 0 for the first one.

    The first dose sets what an individual's own F is, so that a single dose is as without.
    """
    g, first = streams("occasions of F"), torch.arange(dosed.shape[-1]) == 0
    if v.sd_F_occasion is None:
        return torch.zeros(dosed.shape, dtype=torch.float64)
    sd = v.sd_F_occasion.draw((len(dosed), 1, 1), g)
    return torch.where(first | ~dosed, 0.0, sd * draw_normal(dosed.shape, g))


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
    late = late & (draw_uniform((S, individuals), g) < a.late_share.draw((S, 1), g))
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
    number = a.max_transits * draw_uniform((studies,), g)
    g = streams("long chains")
    long = draw_switch(a.long_chain_probability, (studies,), g)
    longer = a.max_transits + (a.longest_chain - a.max_transits) * draw_uniform((studies,), g)
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
