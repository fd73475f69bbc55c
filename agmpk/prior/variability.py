"""How individuals of a study differ: spread, common factor, tight studies, poor metabolisers.

Shapes: S studies, I individuals per study, P peripheral compartments.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agmpk.prior.groups import Variability
from agmpk.prior.laws import draw_normal, draw_switch
from agmpk.prior.streams import Streams


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
    u = torch.rand((S, individuals), generator=g, dtype=torch.float64)
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
