"""Candidate priors: what may be changed, and how a simulated trial is weighted for a candidate.

``CHANGES`` are what the development cohorts ask of the prior before the literature is fitted: the
features in which the real cohorts lie at the edge of ``extended``
(:mod:`agmpk.paper.prior_fit.features`), and the ranges that move them.  ``RANGES`` and
``SWITCHES`` are what the fit may change afterwards, as numbers within limits.

Trials of any candidate come from one pool by importance weights.  The pool is drawn from the broad
prior, whose laws are uniform (or log-uniform); a candidate has the same laws on shorter ranges and
other probabilities of the switches, so a trial's weight is the product of 1/width where its draws
lie within the candidate's ranges (0 where one does not), and of the candidate's probabilities over
those of the pool.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agmpk.prior import PriorConfig
from agmpk.prior.laws import Law


class Change(NamedTuple):
    """One change: the quantity "group.quantity", its new value, and why."""

    quantity: str
    value: tuple[float, float] | tuple[float, ...] | float
    reason: str


CHANGES = (
    Change(
        "disposition.half_lives_in_horizon",
        (0.35, 25.0),
        "log-curves of seven of eight cohorts fall by 3 to 6 units, which extended rarely reaches",
    ),
    Change(
        "assay.lloq",
        (0.0001, 0.15),
        "and their assays follow them: last concentrations down to 1/300 of Cmax are quantified",
    ),
    Change(
        "disposition.log_k_out",
        (-4.0, 1.5),
        "intravenous curves fall steeply within the first hour: distribution faster than 1/h",
    ),
    Change("disposition.log_k_in", (-4.0, 0.5), "and the tissues give back as fast"),
    Change(
        "variability.sd_ke",
        (0.07, 0.7),
        "without bioavailability, intravenous cohorts show that clearances differ by 20 to 45 %",
    ),
    Change(
        "variability.sd_V",
        (0.06, 0.6),
        "intravenous cohorts: early partial AUC and level at the upper edge",
    ),
    Change(
        "variability.sd_k",
        (0.05, 0.7),
        "intravenous cohorts: shape of the log-curves differs more than extended believes",
    ),
    Change(
        "variability.sd_F",
        (0.03, 0.6),
        "oral cohorts are less parallel than extended: less of the spread is the level alone",
    ),
    Change("design.deviation_probability", 0.35, "all cohorts report times that individuals share"),
)


def changed(start: PriorConfig) -> PriorConfig:
    """The starting prior with every change made."""
    values = {}
    for change in CHANGES:
        old, new = get(start, change.quantity), change.value
        values[change.quantity] = Law(*new, log=old.log) if isinstance(old, Law) else new
    horizons = start.design.horizons
    # Two cohorts end at four hours, which is earlier than any horizon of extended.
    values["design.horizons"] = horizons if min(horizons) <= 4 else (4.0, *horizons)
    return put(start, values)


@dataclass(frozen=True)
class Limits:
    """How far the ends of a range may move, as shares of its starting width.

    ``reach`` outwards, ``trim_low`` and ``trim_high`` inwards; on the logarithmic scale for a
    log-uniform law.
    """

    reach: float = 0.3
    trim_low: float = 0.25
    trim_high: float = 0.25


# The literature shows healthy people after one oral dose, sampled as long as guidelines ask for.
# Where it is silent about an end, that end stays.
RANGES: Mapping[str, Limits] = {
    "disposition.log_V": Limits(trim_low=0.1, trim_high=0.1),
    # Trials for registration follow a drug for five half-lives; other studies do not.
    "disposition.half_lives_in_horizon": Limits(reach=0.15, trim_low=0.0),
    "absorption.log_ka": Limits(),
    # Enteric-coated and other delayed forms are few among the articles, but a class of their own.
    "absorption.lag": Limits(reach=0.1, trim_high=0.0),
    # Healthy volunteers under the rules of a trial differ less than patients do.
    "variability.sd_ka": Limits(reach=0.15, trim_high=0.1),
    "variability.sd_ke": Limits(reach=0.15, trim_high=0.1),
    "variability.sd_V": Limits(reach=0.15, trim_high=0.1),
    "variability.sd_F": Limits(reach=0.15),
}
"""The ranges that Cmax, AUC, Tmax and their %CVs can speak about."""

SWITCHES = (
    "absorption.transit_probability",
    "absorption.lag_probability",
    "absorption.split_probability",
    "variability.tight_probability",
)
"""The switches likewise."""

KEPT, GAINED = 0.7, 0.1
"""A switch keeps this share of its starting probability, and gains no more than that."""


def get(config: PriorConfig, path: str) -> Law | float:
    """The quantity "group.quantity" of a prior."""
    group, name = path.split(".")
    return getattr(getattr(config, group), name)


def put(config: PriorConfig, values: Mapping[str, Law | float]) -> PriorConfig:
    """The prior with the quantities "group.quantity" replaced."""
    groups: dict[str, dict[str, Law | float]] = {}
    for path, value in values.items():
        group, name = path.split(".")
        groups.setdefault(group, {})[name] = value
    return config.replace(**groups)


def moved(law: Law, low: float, high: float) -> Law:
    """The law with its ends moved outwards by shares of its width (inwards where negative)."""
    a, b = (math.log(law.low), math.log(law.high)) if law.log else (law.low, law.high)
    a, b = a - low * (b - a), b + high * (b - a)
    if law.log:
        a, b = math.exp(a), math.exp(b)
    return Law(a, b, law.log)


def broadened(config: PriorConfig, ranges: Mapping[str, Limits]) -> PriorConfig:
    """The prior with every one of ``ranges`` at its outer limits."""
    wide = {path: moved(get(config, path), one.reach, one.reach) for path, one in ranges.items()}
    return put(config, wide)


def importance_weights(
    pool: pd.DataFrame, candidate: Mapping[str, Law | float], chances: Mapping[str, float]
) -> NDArray[np.float64]:
    """Weights float64[S] of the pool's trials under the candidate's laws and probabilities.

    ``chances`` are the probabilities of the switches in the pool.  A constant factor of all weights
    (the widths) is left out.
    """
    weights = np.ones(len(pool))
    for path, value in candidate.items():
        drawn = pool[path].to_numpy()
        if isinstance(value, Law):
            weights *= (drawn >= value.low) & (drawn <= value.high)
        else:
            chance = chances[path]
            weights *= np.where(drawn > 0.5, value / chance, (1.0 - value) / (1.0 - chance))
    return weights


def effective_size(weights: NDArray[np.float64]) -> float:
    """Kish's effective sample size, (sum w)^2 / sum w^2; 0 where all weights are 0."""
    square = float(np.square(weights).sum())
    return float(weights.sum()) ** 2 / square if square > 0 else 0.0
