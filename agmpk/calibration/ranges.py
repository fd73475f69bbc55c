"""What the fit may change: ranges and switches of the prior, as numbers within limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from agmpk.prior import PriorConfig
from agmpk.prior.laws import Law


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


def rounded(law: Law) -> Law:
    """Three significant digits: more would claim more than some fifty articles can say."""
    return Law(float(f"{law.low:.3g}"), float(f"{law.high:.3g}"), law.log)


def broadened(config: PriorConfig, ranges: Mapping[str, Limits]) -> PriorConfig:
    """The prior with every one of ``ranges`` at its outer limits."""
    return put(
        config,
        {path: moved(get(config, path), one.reach, one.reach) for path, one in ranges.items()},
    )
