"""What a bioequivalence (BE) article reports, of articles and of simulated trials.

A BE trial gives one oral dose of a known amount to some two dozen healthy people and samples all
of them at the same clock times.  So the design of the prior is replaced by that one; disposition,
absorption, variability and assay stay as they are.  Both sides are brought to the same quantities:
dose-normalized Cmax [ng/mL per mg] and AUC0-t [ng h/mL per mg], Tmax [h], and their %CVs.

Shapes: S studies, I individuals, T samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance
from torch import Tensor

from agmpk.config import load_yaml
from agmpk.errors import AgmpkError
from agmpk.evaluation.exposure import auc
from agmpk.files import data_path
from agmpk.prior import PriorConfig, SimulatedStudies, simulate_block
from agmpk.prior.laws import Law

Array = NDArray[np.float64]

MEANINGS: Mapping[str, dict[str, str]] = load_yaml(Path(__file__).with_name("meanings.yaml"))
"""What is compared in the tables of this folder, and how to write it on an axis."""

QUANTITIES = MEANINGS["trials"]
"""In which prior and literature are compared."""

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
    area = torch.from_numpy(auc(times.numpy(), values.numpy()))
    dose = batch.dose_amount[..., 0].where(batch.present, 1.0)
    cmax, cv_cmax = _mean_and_cv(NG_PER_ML * peak / dose, usable)
    exposure, cv_auc = _mean_and_cv(NG_PER_ML * area / dose, usable)
    _, cv_tmax = _mean_and_cv(tmax, usable)
    middle = torch.where(usable, tmax, torch.nan).nanquantile(0.5, dim=1)
    t_last = torch.where(usable, times[..., -1], 0.0).amax(1)
    logs = (one.log() for one in (cmax, exposure, exposure / cmax, middle))
    found = (*logs, middle / t_last, cv_cmax, cv_auc, cv_tmax, t_last)
    return dict(zip((*QUANTITIES, "t_last"), found, strict=True))


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

_NEVER = "sparse sparse_large dropout thin peak_schedule deviation"
PLAIN_DESIGN = {f"{name}_probability": 0.0 for name in _NEVER.split()} | {
    "clock_schedule_probability": 1.0,
    "observations_power": 1.0,
    "caps": (0,),
    "missed": Law(0.0, 0.0),
}
_NEVER = "per_kg repeated arms course crossover monitoring newborn"
PLAIN_DOSING = {f"{name}_probability": 0.0 for name in _NEVER.split()}
PLAIN_DOSING |= {"same_dose_probability": 1.0}
"""One dose for everybody, and everybody sampled alike: what turns a prior's designs off."""


def rich_trials(config: PriorConfig, people: int, samples: int, oral: float) -> PriorConfig:
    """``config`` with trials of one dose, ``people`` people and up to ``samples`` samples each, a
    share ``oral`` of them oral; no metabolites."""
    design = PLAIN_DESIGN | {
        "individuals": (people,) * len(config.design.individuals),
        "observations": (samples, samples),
    }
    dosing = PLAIN_DOSING | {"oral_probability": oral}
    return config.replace(design=design, dosing=dosing, metabolite={"probability": 0.0})


def be_trials(config: PriorConfig, horizons: tuple[float, ...]) -> PriorConfig:
    """``config`` with the design of BE trials that end at one of ``horizons`` [h]."""
    trials = rich_trials(config, SUBJECTS, SAMPLES, oral=1.0)
    return trials.replace(design={"horizons": tuple(float(h) for h in horizons)})


def simulated_trials(config: PriorConfig, seed: int, blocks: int) -> pd.DataFrame:
    """Summaries of ``blocks`` blocks of trials, one row a trial."""
    return pd.concat([trial_block(config, seed, b) for b in range(blocks)], ignore_index=True)


@dataclass(frozen=True)
class RecordedLaw(Law):
    """The same law; ``drawn`` collects every tensor it hands out.

    The simulator hands out curves, not the typical values and SDs behind them.
    """

    drawn: list[Tensor] = field(default_factory=list, compare=False, repr=False)

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        values = super().draw(shape, generator)
        self.drawn.append(values)
        return values


def put(config: PriorConfig, values: Mapping[str, Any]) -> PriorConfig:
    """The prior with the quantities "group.quantity" replaced."""
    groups: dict[str, dict[str, Any]] = {}
    for path, value in values.items():
        group, name = path.split(".")
        groups.setdefault(group, {})[name] = value
    return config.replace(**groups)


def laws(config: PriorConfig) -> dict[str, Law]:
    """Every range of the prior, by "group.quantity"."""
    groups = {one.name: getattr(config, one.name) for one in fields(config)}
    return {
        f"{group}.{one.name}": law
        for group, part in groups.items()
        if is_dataclass(part)
        for one in fields(part)
        if isinstance(law := getattr(part, one.name), Law)
    }


def recorded(config: PriorConfig) -> PriorConfig:
    """The same prior with every law recorded; its studies are the same, number by number."""
    found = laws(config).items()
    return put(config, {path: RecordedLaw(law.low, law.high, law.log) for path, law in found})


def study_draws(config: PriorConfig, studies: int) -> dict[str, Tensor]:
    """What a recorded prior has drawn once per study: "group.quantity" -> [S].

    Laws drawn more than once per study (one SD for each exchange rate, say) are left out: no
    single number of a study stands for them.
    """
    drawn = {path: law.drawn for path, law in laws(config).items()}
    once = {path: one[0].flatten() for path, one in drawn.items() if len(one) == 1}
    return {path: values for path, values in once.items() if len(values) == studies}


def trial_block(config: PriorConfig, seed: int, block: int) -> pd.DataFrame:
    """Summaries of the trials of one block, with the hyper-parameters they were drawn from.

    Columns: the quantities of :func:`summarize` and "group.quantity" names.
    """
    watched = recorded(config)
    studies = simulate_block(watched, seed, block)
    columns = {**summarize(studies), **study_draws(watched, len(studies))}
    return pd.DataFrame({name: values.numpy() for name, values in columns.items()})


def literature() -> pd.DataFrame:
    """One row a bioequivalence article: the columns of ``QUANTITIES``, ``t_last`` [h] and ``n``.

    A quantity that an article does not report is NaN.

    Raises:
        AgmpkError: ``data/literature/reference.csv`` lacks a column.
    """
    table = pd.read_csv(data_path("literature", "reference.csv"), index_col="compound")
    names = {
        **{"cmax_per_mg": "log_cmax", "auc0_t_per_mg": "log_auc", "tmax_h": "log_tmax"},
        **{"cmax_cv_percent": "cv_cmax", "auc0_t_cv_percent": "cv_auc"},
        **{"tmax_cv_percent": "cv_tmax", "t_last_h": "t_last", "n": "n"},
    }
    if missing := [name for name in names if name not in table]:
        raise AgmpkError(
            f"The literature table lacks the column {missing[0]!r}; make it again with "
            "'agmpk literature harmonize'."
        )
    found = table[[*names]].rename(columns=names)
    found["log_auc_per_cmax"] = np.log(found.log_auc / found.log_cmax)
    found["tmax_per_t_last"] = found.log_tmax / found.t_last
    logs = ["log_cmax", "log_auc", "log_tmax"]
    found[logs] = np.log(found[logs])
    return found[[*QUANTITIES, "t_last", "n"]]


def horizons(table: pd.DataFrame) -> tuple[float, ...]:
    """The last sampling times [h] of the literature, one an article that gives it."""
    return tuple(float(t) for t in table["t_last"].dropna())


def distances(real: Array, simulated: Array, weights: Array | None = None) -> dict[str, float]:
    """``wasserstein`` (in the unit of the values), and ``inside_95``: the share of the real values
    within the central 95 % of the simulated ones.

    ``weights`` of the simulated values need not sum to 1; without them all weigh the same.
    """
    weights = np.ones(len(simulated)) if weights is None else weights
    order = np.argsort(simulated)
    values, share = simulated[order], np.cumsum(weights[order]) / weights.sum()
    ends = np.array([0.025, 0.975]) - 1e-12
    low, high = values[np.searchsorted(share, ends).clip(max=len(values) - 1)]
    return {
        "wasserstein": float(wasserstein_distance(real, simulated, v_weights=weights)),
        "inside_95": float(np.mean((real >= low) & (real <= high))),
    }
