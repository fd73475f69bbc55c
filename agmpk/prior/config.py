"""The configuration of the prior: frozen, validated, equal to its YAML form, and its table.

What a quantity is, its unit and its source stand in quantities.yaml, from which the book renders
the table of the prior.  A field with a default may be missing in a file: the default is what it
means to be without it.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import pandas as pd

from agmpk.config import Range, load_yaml, read_config, shipped, to_plain
from agmpk.errors import AgmpkError
from agmpk.prior.laws import Law

VERSION = 2  # of the quantities; 1 is what was published, calibrated and trained on first
WORDS = Path(__file__).with_name("quantities.yaml")

Share = Annotated[float, Range(0.0, 1.0)]
Real = int | float  # kept as it was written, so that a file that is written again is the same
NONE = Law(0.0, 0.0)
ONE = Law(1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Disposition:
    """Elimination and distribution: the typical values of a study."""

    log_ke: Law
    log_V: Law
    log_k_out: Law
    log_k_in: Law
    peripherals: tuple[int, int]
    half_lives_in_horizon: Law | None
    log_CL: Law | None = None
    clearance_power: Law = NONE
    peripheral_shares: tuple[Real, ...] = (0.0,)
    saturable_probability: Share
    saturable_blocks: float = 1.0
    saturation: Law


@dataclass(frozen=True, kw_only=True)
class Absorption:
    """How an oral dose reaches the central compartment."""

    log_ka: Law
    transit_probability: Share
    max_transits: int
    long_chain_probability: Share = 0.0
    longest_chain: int = 0
    transit_time: Law | None = None
    sd_transit: Law = NONE
    gamma_probability: Share
    lag_probability: Share
    lag: Law
    sd_lag: Law
    late_probability: Share
    late_share: Law
    late_delay: Law
    split_probability: Share
    split_fraction: Law
    split_delay: Law
    zero_order_probability: Share = 0.0
    zero_order_duration: Law = ONE
    sd_zero_order: Law = NONE
    zero_order_gut_probability: Share = 0.0
    zero_order_part_probability: Share = 0.0
    zero_order_part: Law = ONE


@dataclass(frozen=True, kw_only=True)
class Variability:
    """Between individuals (SD of log-parameters) and within an individual (OU processes)."""

    sd_ka: Law
    sd_ke: Law
    sd_V: Law
    sd_k: Law
    sd_F: Law | None
    sd_F_occasion: Law | None = None
    coupling: Law | None
    common_factor: Law | None
    tight_probability: Share
    tight_factor: Law
    ou_rates: Law
    ou_V: Law
    ou_time_scale: Law
    ou_shared: Law | None
    polymorphism_probability: Share
    poor_share: Law
    poor_factor: Law
    poor_gain: Law | None


@dataclass(frozen=True, kw_only=True)
class Metabolite:
    """Studies that measure a metabolite formed from the parent instead of the parent."""

    probability: Share
    rate_ratio: Law
    sd_rate: Law
    first_pass_probability: Share
    first_pass: Law


@dataclass(frozen=True, kw_only=True)
class Dosing:
    """Route, amount and schedule of the doses; the first is at time 0."""

    oral_probability: Share
    infusion_probability: Share
    infusion_duration: Law
    log_dose: Law
    sd_log_dose: Law
    same_dose_probability: Share
    per_kg_probability: Share
    weight: Law
    sd_weight: Law
    repeated_probability: Share
    intervals: tuple[Real, ...]
    max_doses: int
    after_last_dose: Law
    short_infusion: Law | None = None
    long_infusion_probability: Share = 0.0
    long_infusion: Law = ONE
    arms_probability: Share = 0.0
    arms: tuple[int, int] = (1, 1)
    arm_range: Law = ONE
    arm_routes_probability: Share = 0.0
    arm_intervals_probability: Share = 0.0
    course_probability: Share = 0.0
    course_doses: tuple[int, int] = (2, 2)
    intervals_per_half_life: Law = ONE
    loading_probability: Share = 0.0
    loading: Law = ONE
    missed_dose_probability: Share = 0.0
    missed_doses: Law = NONE
    changed_probability: Share = 0.0
    changed: Law = ONE
    irregular_probability: Share = 0.0
    irregular: Law = NONE
    crossover_probability: Share = 0.0
    washout: Law = ONE
    crossover_route_probability: Share = 0.0
    crossover_change: Law = ONE
    monitoring_probability: Share = 0.0
    monitoring_doses: tuple[int, int] = (1, 1)
    monitoring_spread: Law = NONE
    newborn_probability: Share = 0.0
    newborn_weight: Law = ONE
    newborn_doses: tuple[int, int] = (1, 1)


@dataclass(frozen=True, kw_only=True)
class Design:
    """Who is sampled when."""

    individuals: tuple[int, ...]
    caps: tuple[int, ...] = (0,)
    filled: Law = ONE
    observations: tuple[int, int]
    observations_power: float = 1.0
    sparse_probability: Share = 0.0
    sparse_large_probability: Share = 0.0
    sparse_observations: tuple[int, int] = (1, 1)
    late_only_probability: Share = 0.0
    trough_probability: Share = 0.0
    troughs: Law = NONE
    dropout_probability: Share = 0.0
    dropout: Law = NONE
    thin_probability: Share = 0.0
    thin: Law = NONE
    horizons: tuple[Real, ...]
    peak_schedule_probability: Share
    clock_schedule_probability: Share
    time_deviation: Law
    deviation_probability: Share
    missed: Law


@dataclass(frozen=True, kw_only=True)
class Assay:
    """From a true concentration to a reported one."""

    proportional: Law
    additive: Law | None
    lloq_probability: Share
    lloq: Law


@dataclass(frozen=True, kw_only=True)
class PriorConfig:
    """The whole prior.  ``solver_steps`` > 0 adds a uniform grid for the OU paths to refresh on.

    With ``solver_steps`` 0 the parameters are refreshed at the sampling times and at
    ``ou_refresh`` further times, which is cheaper and exact where there is no OU variation.

    Where elimination is saturable, ``fine_steps`` further grid times are added.
    A quantity that a file does not name is off, so that files written before it still read;
    ``version`` is that of the quantities when the file was written.

    Raises:
        AgmpkError: it is of a later version, or quantities do not go together.
    """

    name: str
    disposition: Disposition
    absorption: Absorption
    variability: Variability
    metabolite: Metabolite
    dosing: Dosing
    design: Design
    assay: Assay
    solver_steps: int
    ou_refresh: int
    fine_steps: int = 200
    version: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.version <= VERSION:
            raise AgmpkError(
                f"The prior {self.name} is of version {self.version}, this package knows 1 to "
                f"{VERSION}: update the package."
            )
        for group in filter(is_dataclass, vars(self).values()):
            if empty := [name for name, value in vars(group).items() if value == ()]:
                raise AgmpkError(f"The prior {self.name}: {empty[0]} must be a list of numbers.")
        if self.disposition.log_CL and not self.disposition.half_lives_in_horizon:
            raise AgmpkError(f"The prior {self.name} has log_CL but no half_lives_in_horizon.")

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values, as they stand in a preset file."""
        return to_plain(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str = "The prior") -> PriorConfig:
        """Build and validate from nested plain values; ``where`` names the source in errors."""
        return read_config(cls, values, where)

    def replace(self, **groups: dict[str, Any]) -> PriorConfig:
        """A copy with changed quantities, as in ``replace(assay={"lloq_probability": 0.0})``."""
        for name, values in groups.items():
            if isinstance(values, dict):
                groups[name] = dataclasses.replace(getattr(self, name), **values)
        return dataclasses.replace(self, **groups)


def presets() -> tuple[str, ...]:
    """Names of the presets that ship with the package."""
    return tuple(shipped("agmpk.prior", "presets"))


def load_prior(name_or_path: str | Path) -> PriorConfig:
    """A preset by name, or any prior from its YAML file.

    Raises:
        AgmpkError: there is no such preset or file, or an entry is missing, unknown or of the wrong
            kind, or a preset has another name than its file.
    """
    text = str(name_or_path)
    if text in presets():
        return _preset(text)
    source = Path(text)
    if source.suffix not in (".yaml", ".yml") or not source.is_file():
        raise AgmpkError(
            f"There is no prior {text!r}: use one of {', '.join(presets())}, or a .yaml file."
        )
    return PriorConfig.from_dict(load_yaml(source), where=text)


@functools.cache
def _preset(name: str) -> PriorConfig:
    """Read once a process: reading takes longer than all else that many callers do with it."""
    source = shipped("agmpk.prior", "presets")[name]
    config = PriorConfig.from_dict(load_yaml(source), where=name)
    if config.name != name:
        raise AgmpkError(f"The preset {source} has the name {config.name}: name it {name} there.")
    return config


def quantity_table(*configs: PriorConfig) -> pd.DataFrame:
    """One row a quantity: group, its range in every configuration, unit, meaning and source."""
    words = load_yaml(WORDS)
    rows = []
    for group in (f.name for f in fields(PriorConfig) if is_dataclass(getattr(configs[0], f.name))):
        for one in fields(getattr(configs[0], group)):
            ranges = {c.name: describe(getattr(getattr(c, group), one.name)) for c in configs}
            unit, meaning, source = words[group][one.name]
            about = {"unit": unit, "meaning": meaning, "source": words["sources"][source]}
            rows.append({"group": group, "quantity": one.name, **ranges, **about})
    return pd.DataFrame(rows)


def describe(value: Any) -> str:
    """A law or a plain value in words."""
    if value is None:
        return "off"
    if isinstance(value, Law):
        if value.low == value.high:
            return f"{value.low:g}"
        return f"{'log-uniform' if value.log else 'uniform'} {value.low:g} to {value.high:g}"
    if isinstance(value, tuple):
        return ", ".join(f"{v:g}" for v in dict.fromkeys(value))
    return f"{value:g}"
