"""Draw the parameters of the individuals of many studies at once.

Shapes: S studies, I individuals per study (all are drawn, the design says how many take part),
P peripheral compartments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from agmpk.prior.config import PriorConfig, Variability
from agmpk.prior.laws import draw_integer, draw_normal, draw_switch


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

    ``ou_sd`` [S, 4 + 2 P] and ``ou_time_scale`` [S] describe the within-individual processes of
    (ka, ke, V, km, k_out, k_in), in this order.
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
    transits: Tensor
    km: Tensor
    formed: Tensor
    first_pass: Tensor
    is_metabolite: Tensor
    poor: Tensor
    ou_sd: Tensor
    ou_time_scale: Tensor


def draw_parameters(
    config: PriorConfig, horizon: Tensor, individuals: int, generator: torch.Generator
) -> Parameters:
    """Parameters of ``individuals`` individuals in each study; ``horizon`` is [S] in hours."""
    S, P = len(horizon), config.disposition.peripherals[1]
    g = generator
    typical = _typical(config, horizon, g)
    deviation = _deviations(config.variability, S, individuals, P, g)

    v = config.variability
    coupling = v.coupling.draw((S, 1), g) if v.coupling else horizon.new_zeros((S, 1))
    ke = typical.ke[:, None] + deviation["ke"] - coupling * deviation["V"]

    carriers = draw_switch(v.polymorphism_probability, (S, 1), g)
    poor = carriers & (
        torch.rand((S, individuals), generator=g, dtype=torch.float64)
        < v.poor_share.draw((S, 1), g)
    )
    metabolite = _metabolite(config, typical, individuals, g)
    # Poor metabolisers lose part of the path that forms the metabolite, not of the others.
    factor = torch.where(poor, v.poor_factor.draw((S, 1), g), 1.0)
    formed = metabolite.pop("formed")
    ke = ke + torch.log(1 - formed + formed * factor)
    formed = formed * factor / (1 - formed + formed * factor)

    a = config.absorption
    has_lag = draw_switch(a.lag_probability, (S, 1), g)
    lag = a.lag.draw((S, 1), g) * torch.exp(
        a.sd_lag.draw((S, 1), g) * draw_normal((S, individuals), g)
    )
    has_split = draw_switch(a.split_probability, (S, 1), g)
    split = a.split_fraction.draw((S, individuals), g)
    delay = a.split_delay.draw((S, 1), g) * torch.exp(0.3 * draw_normal((S, individuals), g))
    has_transit = draw_switch(a.transit_probability, (S,), g)

    low, high = config.disposition.peripherals
    count = draw_integer(low, high, (S, 1), g)
    return Parameters(
        typical=typical,
        ka=typical.ka[:, None] + deviation["ka"],
        ke=ke,
        V=typical.V[:, None] + deviation["V"],
        k_out=typical.k_out[:, None] + deviation["k_out"],
        k_in=typical.k_in[:, None] + deviation["k_in"],
        exchange=(torch.arange(P) < count)[:, None].expand(S, individuals, P),
        F=deviation["F"],
        lag=torch.where(has_lag, lag, 0.0),
        split_fraction=torch.where(has_split, split, 0.0),
        split_delay=torch.where(has_split, delay, 0.0),
        transits=draw_integer(min(1, a.max_transits), a.max_transits, (S,), g) * has_transit,
        formed=formed,
        poor=poor,
        ou_sd=_ou_sd(v, S, P, g),
        ou_time_scale=v.ou_time_scale.draw((S,), g),
        **metabolite,
    )


def _typical(config: PriorConfig, horizon: Tensor, g: torch.Generator) -> Typical:
    S, d = len(horizon), config.disposition
    P = d.peripherals[1]
    log_ke = d.log_ke.draw((S,), g)
    if d.half_lives_in_horizon:
        log_ke = torch.log(math.log(2) * d.half_lives_in_horizon.draw((S,), g) / horizon)
    return Typical(
        ka=config.absorption.log_ka.draw((S,), g),
        ke=log_ke,
        V=d.log_V.draw((S,), g),
        k_out=d.log_k_out.draw((S, P), g),
        k_in=d.log_k_in.draw((S, P), g),
    )


def _deviations(
    v: Variability, S: int, individuals: int, P: int, g: torch.Generator
) -> dict[str, Tensor]:
    """Between-individual deviations of log-parameters, correlated where a common factor is set."""
    sizes = {"ka": 1, "ke": 1, "V": 1, "F": 1, "k_out": P, "k_in": P}
    sds = {
        "ka": v.sd_ka.draw((S, 1, 1), g),
        "ke": v.sd_ke.draw((S, 1, 1), g),
        "V": v.sd_V.draw((S, 1, 1), g),
        "F": v.sd_F.draw((S, 1, 1), g) if v.sd_F else torch.zeros(S, 1, 1, dtype=torch.float64),
        "k_out": v.sd_k.draw((S, 1, P), g),
        "k_in": v.sd_k.draw((S, 1, P), g),
    }
    common = draw_normal((S, individuals, 1), g)
    out = {}
    for name, size in sizes.items():
        z = draw_normal((S, individuals, size), g)
        if v.common_factor:
            load = v.common_factor.draw((S, 1, size), g)
            z = load * common + torch.sqrt(1 - load.square()) * z
        deviation = sds[name] * z
        out[name] = deviation if name.startswith("k_") else deviation[..., 0]
    return out


def _metabolite(
    config: PriorConfig, typical: Typical, individuals: int, g: torch.Generator
) -> dict[str, Tensor]:
    m, S = config.metabolite, len(typical.ke)
    is_metabolite = draw_switch(m.probability, (S,), g)
    sd = m.sd_rate.draw((S, 1), g)
    km = (typical.ke + torch.log(m.rate_ratio.draw((S,), g)))[:, None]
    share = torch.logit(torch.rand((S, 1), generator=g, dtype=torch.float64).clamp(0.05, 0.95))
    first = draw_switch(m.first_pass_probability, (S, 1), g) & is_metabolite[:, None]
    return {
        "is_metabolite": is_metabolite,
        "km": km + sd * draw_normal((S, individuals), g),
        "formed": torch.sigmoid(share + sd * draw_normal((S, individuals), g)),
        "first_pass": torch.where(first, m.first_pass.draw((S, 1), g), 0.0).expand(S, individuals),
    }


def _ou_sd(v: Variability, S: int, P: int, g: torch.Generator) -> Tensor:
    rates = v.ou_rates.draw((S, 4 + 2 * P), g)
    rates[:, 2] = v.ou_V.draw((S,), g)
    return rates
