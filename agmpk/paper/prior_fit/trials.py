"""What a bioequivalence (BE) article reports, of articles and of simulated trials.

A BE trial gives one oral dose of a known amount to some two dozen healthy people and samples all
of them at the same clock times.  So the design of the prior is replaced by that one; disposition,
absorption, variability and assay stay as they are.  Both sides are brought to the same quantities:
dose-normalized Cmax [ng/mL per mg] and AUC0-t [ng h/mL per mg], Tmax [h], and their %CVs.

Shapes: S studies, I individuals, T samples.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from agmpk.errors import AgmpkError
from agmpk.paper.prior_fit.candidates import recorded, study_draws
from agmpk.paths import data_path
from agmpk.prior import PriorConfig, SimulatedStudies, simulate_block
from agmpk.prior.laws import Law

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
    dose = batch.dose_amount[..., 0].where(batch.present, 1.0)
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


SUBJECTS = 24
"""Subjects of a trial: the smallest usual size, and the literature's lower quartile."""

SAMPLES = 18
"""Samples after the dose, as protocols of BE trials have them (EMA guideline, 2010)."""

NONE = Law(0.0, 0.0)


PLAIN_DESIGN = {
    "caps": (0,),
    "observations_power": 1.0,
    "sparse_probability": 0.0,
    "sparse_large_probability": 0.0,
    "dropout_probability": 0.0,
    "thin_probability": 0.0,
    "peak_schedule_probability": 0.0,
    "clock_schedule_probability": 1.0,
    "deviation_probability": 0.0,
    "missed": NONE,
}
PLAIN_DOSING = {
    "same_dose_probability": 1.0,
    "per_kg_probability": 0.0,
    "repeated_probability": 0.0,
    "arms_probability": 0.0,
    "course_probability": 0.0,
    "crossover_probability": 0.0,
    "monitoring_probability": 0.0,
    "newborn_probability": 0.0,
}
"""One dose for everybody, and everybody sampled alike: what turns a prior's designs off."""


def rich_trials(config: PriorConfig, people: int, samples: int, oral: float) -> PriorConfig:
    """``config`` with trials of one dose, ``people`` people and up to ``samples`` samples each, a
    share ``oral`` of them oral; no metabolites."""
    design = PLAIN_DESIGN | {
        "individuals": _like(config.design.individuals, people),
        "observations": (samples, samples),
    }
    dosing = PLAIN_DOSING | {"oral_probability": oral}
    return known(config, design=design, dosing=dosing, metabolite={"probability": 0.0})


def be_trials(config: PriorConfig, horizons: tuple[float, ...]) -> PriorConfig:
    """``config`` with the design of BE trials that end at one of ``horizons`` [h]."""
    trials = rich_trials(config, SUBJECTS, SAMPLES, oral=1.0)
    return trials.replace(design={"horizons": tuple(float(h) for h in horizons)})


def simulated_trials(config: PriorConfig, seed: int, blocks: int) -> pd.DataFrame:
    """Summaries of ``blocks`` blocks of trials, one row a trial."""
    return pd.concat([trial_block(config, seed, b) for b in range(blocks)], ignore_index=True)


def trial_block(config: PriorConfig, seed: int, block: int) -> pd.DataFrame:
    """Summaries of the trials of one block, with the hyper-parameters they were drawn from.

    Columns: the quantities of :func:`summarize` and "group.quantity" names.
    """
    watched = recorded(config)
    studies = simulate_block(watched, seed, block)
    columns = {**summarize(studies), **study_draws(watched, len(studies))}
    return pd.DataFrame({name: values.numpy() for name, values in columns.items()})


def known(config: PriorConfig, **groups: dict[str, Any]) -> PriorConfig:
    """``config.replace`` without the switches that this version of the prior does not have."""
    kept = {}
    for group, values in groups.items():
        names = {f.name for f in fields(getattr(config, group))}
        kept[group] = {name: value for name, value in values.items() if name in names}
    return config.replace(**kept)


def _like(counts: tuple[int, ...], n: int) -> tuple[int, ...]:
    return tuple(n for _ in counts)


def literature(reference: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row a bioequivalence article: the columns of ``QUANTITIES``, ``t_last`` [h] and ``n``.

    A quantity that an article does not report is NaN.  ``reference`` is the table of
    ``data/literature/reference.csv``, which is read if none is given.

    Raises:
        AgmpkError: a column is missing.
    """
    if reference is None:
        reference = pd.read_csv(data_path("literature", "reference.csv"))
    needed = [
        "compound",
        "n",
        "t_last_h",
        "cmax_per_mg",
        "auc0_t_per_mg",
        "tmax_h",
        "cmax_cv_percent",
        "auc0_t_cv_percent",
        "tmax_cv_percent",
    ]
    missing = [name for name in needed if name not in reference]
    if missing:
        raise AgmpkError(
            f"The literature table lacks the columns {', '.join(missing)}; make it again with "
            "'agmpk literature harmonize'."
        )
    cmax, auc, tmax = (reference[c] for c in ("cmax_per_mg", "auc0_t_per_mg", "tmax_h"))
    frame = pd.DataFrame(
        {
            "log_cmax": np.log(cmax),
            "log_auc": np.log(auc),
            "log_auc_per_cmax": np.log(auc / cmax),
            "log_tmax": np.log(tmax),
            "tmax_per_t_last": tmax / reference.t_last_h,
            "cv_cmax": reference.cmax_cv_percent,
            "cv_auc": reference.auc0_t_cv_percent,
            "cv_tmax": reference.tmax_cv_percent,
            "t_last": reference.t_last_h,
            "n": reference.n,
        }
    )
    frame.index = pd.Index(reference["compound"], name="compound")
    assert set(QUANTITIES) <= set(frame)
    return frame


def horizons(table: pd.DataFrame) -> tuple[float, ...]:
    """The last sampling times [h] of the literature, one an article that gives it."""
    return tuple(float(t) for t in table["t_last"].dropna())
