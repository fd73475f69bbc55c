"""What a bioequivalence article reports, of many simulated trials at once.

Dose-normalized Cmax [ng/mL per mg] and AUC0-t [ng h/mL per mg], Tmax [h], and their %CVs.
Shapes: S studies, I individuals, T samples.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from agmpk.prior import SimulatedStudies

QUANTITIES = {
    "log_cmax": "ln Cmax/dose [ng/mL per mg]",
    "log_auc": "ln AUC0-t/dose [ng h/mL per mg]",
    "log_auc_per_cmax": "ln AUC0-t/Cmax [h]",
    "log_tmax": "ln Tmax [h]",
    "tmax_per_t_last": "Tmax / last sampling time",
    "cv_cmax": "Cmax %CV",
    "cv_auc": "AUC0-t %CV",
    "cv_tmax": "Tmax %CV",
}
"""The quantities in which prior and literature are compared, and how to write them on an axis."""

LOGGED = ("tmax_per_t_last", "cv_cmax", "cv_auc", "cv_tmax")
"""Positive quantities whose distances are measured on the logarithmic scale, like the rest."""

NG_PER_ML = 1000.0  # of one mg/L: the prior's doses are mg and its volumes L


def summarize(batch: SimulatedStudies) -> dict[str, Tensor]:
    """The quantities of :data:`QUANTITIES` and ``t_last`` [h] of each study, [S].

    Cmax and AUC0-t are arithmetic means over the individuals with two or more quantified samples,
    Tmax is their median, %CV is 100 SD / mean.  NaN where fewer than three individuals are left.
    """
    times, values = quantified_first(batch)
    usable = (values > 0).sum(-1) >= 2
    peak, where = values.max(-1)
    tmax = times.gather(-1, where[..., None])[..., 0]
    area = auc0_t(times, values)
    dose = batch.dose
    cmax, cv_cmax = _mean_and_cv(NG_PER_ML * peak / dose, usable)
    auc, cv_auc = _mean_and_cv(NG_PER_ML * area / dose, usable)
    _, cv_tmax = _mean_and_cv(tmax, usable)
    middle = torch.where(usable, tmax, torch.nan).nanquantile(0.5, dim=1)
    t_last = torch.where(usable, times[..., -1], 0.0).amax(1)
    return {
        "log_cmax": cmax.log(),
        "log_auc": auc.log(),
        "log_auc_per_cmax": (auc / cmax).log(),
        "log_tmax": middle.log(),
        "tmax_per_t_last": middle / t_last,
        "cv_cmax": cv_cmax,
        "cv_auc": cv_auc,
        "cv_tmax": cv_tmax,
        "t_last": t_last,
    }


def comparable(table: pd.DataFrame) -> pd.DataFrame:
    """The quantities on the scale on which distances are measured: all logarithmic.

    %CVs below 1 (one common sampling time of all peaks, say) count as 1.
    """
    frame = table[list(QUANTITIES)].copy()
    for name in LOGGED:
        floor = 1.0 if name.startswith("cv_") else 1e-6
        frame[name] = np.log(frame[name].clip(lower=floor))
    return frame


def quantified_first(batch: SimulatedStudies) -> tuple[Tensor, Tensor]:
    """Times and concentrations [S, I, T + 1]: time 0 with 0, then the quantified samples.

    What is left of a row repeats its last sample, which adds nothing to an area or a maximum.
    """
    keep = batch.quantified & batch.present[..., None]
    order = (~keep).to(torch.int8).argsort(dim=-1, stable=True)
    count = keep.sum(-1, keepdim=True)
    index = torch.minimum(torch.arange(keep.shape[-1]), (count - 1).clamp(min=0))
    index = order.gather(-1, index)
    times = torch.where(count > 0, batch.times.gather(-1, index), 0.0)
    values = torch.where(count > 0, batch.concentration.gather(-1, index), 0.0)
    start = torch.zeros_like(times[..., :1])
    return torch.cat([start, times], -1), torch.cat([start, values], -1)


def auc0_t(times: Tensor, values: Tensor) -> Tensor:
    """Area under each curve: trapezoids where it rises, logarithmic trapezoids where it falls.

    The rule of :func:`agmpk.evaluation.nca.auc`, over the last axis of any batch [..., T].
    """
    a, b, h = values[..., :-1], values[..., 1:], times.diff(dim=-1)
    falling = (b < a) & (b > 0)
    ratio = torch.where(falling, a / torch.where(falling, b, 1.0), torch.e).log()
    return torch.where(falling, (a - b) * h / ratio, (a + b) * h / 2).sum(-1)


def _mean_and_cv(values: Tensor, usable: Tensor) -> tuple[Tensor, Tensor]:
    n = usable.sum(1)
    mean = torch.where(usable, values, 0.0).sum(1) / n
    square = torch.where(usable, values - mean[:, None], 0.0).square().sum(1)
    sd = torch.sqrt(square / (n - 1))
    enough = n >= 3
    return torch.where(enough, mean, torch.nan), torch.where(enough, 100 * sd / mean, torch.nan)
