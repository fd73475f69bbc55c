"""From a true concentration to a reported one: proportional and additive error, LLOQ drop-out."""

from __future__ import annotations

import torch
from torch import Tensor

from agmpk.prior.groups import Assay
from agmpk.prior.laws import draw_normal, draw_switch
from agmpk.prior.streams import Streams


def observe(
    assay: Assay, true: Tensor, exists: Tensor, streams: Streams
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Reported concentrations, which are quantified, which are below the LLOQ, and the LLOQ [S].

    The first three are [S, I, T].  ``y = C (1 + eps_1) + eps_2`` with eps_2 in multiples of the
    LLOQ; a value below the LLOQ is a censored one.  Without a limit, the LLOQ and the additive
    error are 0, and only a value that is not positive is not quantified.
    """
    S, g = len(true), streams("lloq")
    cmax = torch.where(exists, true, 0.0).amax(-1)
    # The median over those who take part; the others have no samples.
    cmax = torch.where(exists.any(-1), cmax, torch.nan).nanmedian(dim=1).values.nan_to_num(0.0)
    lloq = assay.lloq.draw((S,), g) * cmax
    lloq = torch.where(draw_switch(assay.lloq_probability, (S,), g), lloq, 0.0)
    g = streams("proportional error")
    proportional = assay.proportional.draw((S, 1, 1), g)
    reported = true * (1 + proportional * draw_normal(true.shape, g))
    if assay.additive:
        g = streams("additive error")
        additive = assay.additive.draw((S, 1, 1), g) * lloq[:, None, None]
        reported = reported + additive * draw_normal(true.shape, g)
    limit = lloq[:, None, None]
    quantified = exists & (reported > 0) & (reported >= limit)
    return reported, quantified, exists & ~quantified & (limit > 0), lloq
