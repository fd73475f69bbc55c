"""From a true concentration to a reported one: proportional and additive error, LLOQ drop-out."""

from __future__ import annotations

import torch
from torch import Tensor

from agmpk.prior.config import Assay
from agmpk.prior.laws import draw_normal, draw_switch


def observe(
    assay: Assay, true: Tensor, exists: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Reported concentrations [S, I, T], which of them are quantified, and the LLOQ [S].

    ``y = C (1 + eps_1) + eps_2`` with eps_2 in multiples of the LLOQ; a value below the LLOQ, or
    not positive, is not quantified.  Without a limit, the LLOQ and the additive error are 0.
    """
    S, g = len(true), generator
    cmax = torch.where(exists, true, 0.0).amax(-1)
    lloq = assay.lloq.draw((S,), g) * cmax.median(dim=1).values
    lloq = torch.where(draw_switch(assay.lloq_probability, (S,), g), lloq, 0.0)
    proportional = assay.proportional.draw((S, 1, 1), g)
    reported = true * (1 + proportional * draw_normal(true.shape, g))
    if assay.additive:
        additive = assay.additive.draw((S, 1, 1), g) * lloq[:, None, None]
        reported = reported + additive * draw_normal(true.shape, g)
    quantified = exists & (reported > 0) & (reported >= lloq[:, None, None])
    return reported, quantified, lloq
