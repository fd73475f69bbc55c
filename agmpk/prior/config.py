"""The configuration of the simulator prior: frozen, validated, and equal to its YAML form.

Every quantity carries its unit, meaning and source as metadata, so that the book renders the
table of the prior from here and nothing is written twice.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from agmpk.prior.laws import Law
from agmpk.prior.plain import from_plain, to_plain

PUBLISHED = "published configuration (AGM-PK, PAGE 34, 2026)"
REAL = "what real studies show (Rowland & Tozer; BE guidance)"


def quantity(unit: str, meaning: str, source: str = PUBLISHED) -> Any:
    """A dataclass field that says what it is."""
    return field(metadata={"unit": unit, "meaning": meaning, "source": source})


@dataclass(frozen=True)
class Disposition:
    """Elimination and distribution: the typical values of a study."""

    log_ke: Law = quantity("ln 1/h", "mean log elimination rate constant")
    log_V: Law = quantity("ln L", "mean log central volume")
    log_k_out: Law = quantity("ln 1/h", "mean log rate central -> peripheral (k+)")
    log_k_in: Law = quantity("ln 1/h", "mean log rate peripheral -> central (k-)")
    peripherals: tuple[int, int] = quantity("compartments", "number of peripheral compartments")
    half_lives_in_horizon: Law | None = quantity(
        "ratio", "horizon / elimination half-life; where set, it replaces log_ke", REAL
    )


@dataclass(frozen=True)
class Absorption:
    """How an oral dose reaches the central compartment."""

    log_ka: Law = quantity("ln 1/h", "mean log absorption rate constant")
    transit_probability: float = quantity(
        "share of studies", "transit compartments before the gut", REAL
    )
    max_transits: int = quantity("compartments", "largest number of transit compartments", REAL)
    lag_probability: float = quantity("share of studies", "studies with an absorption lag", REAL)
    lag: Law = quantity("h", "typical lag of a study that has one", REAL)
    sd_lag: Law = quantity("SD of ln", "between-individual SD of the lag", REAL)
    split_probability: float = quantity(
        "share of studies", "part of the dose is released later (double peak)", REAL
    )
    split_fraction: Law = quantity("fraction", "part of the dose that is released later", REAL)
    split_delay: Law = quantity("h", "how much later", REAL)


@dataclass(frozen=True)
class Variability:
    """Between individuals (SD of log-parameters) and within an individual (OU processes)."""

    sd_ka: Law = quantity("SD of ln", "between-individual SD of ka")
    sd_ke: Law = quantity("SD of ln", "between-individual SD of ke (of CL where coupled to V)")
    sd_V: Law = quantity("SD of ln", "between-individual SD of V")
    sd_k: Law = quantity("SD of ln", "between-individual SD of each exchange rate k+, k-")
    sd_F: Law | None = quantity("SD of ln", "between-individual SD of bioavailability F", REAL)
    coupling: Law | None = quantity(
        "1", "c in ln ke_i = ... - c (ln V_i - ln V): 1 where CL and V vary independently", REAL
    )
    common_factor: Law | None = quantity(
        "correlation", "loading of each parameter's deviation on one factor per individual", REAL
    )
    ou_rates: Law = quantity("SD of ln", "stationary SD of the OU process of each rate (tmag)")
    ou_V: Law = quantity("SD of ln", "stationary SD of the OU process of V (tmag)")
    ou_time_scale: Law = quantity("h", "time scale 1/lambda of the OU processes (tscl)")
    polymorphism_probability: float = quantity(
        "share of studies", "clearance is a mixture of normal and poor metabolisers", REAL
    )
    poor_share: Law = quantity("fraction", "share of poor metabolisers in such a study", REAL)
    poor_factor: Law = quantity("ratio", "their ke relative to the others", REAL)


@dataclass(frozen=True)
class Metabolite:
    """Studies that measure a metabolite formed from the parent instead of the parent."""

    probability: float = quantity("share of studies", "the analyte is a metabolite", REAL)
    rate_ratio: Law = quantity(
        "ratio", "elimination rate of the metabolite / ke of the parent", REAL
    )
    sd_rate: Law = quantity("SD of ln", "between-individual SD of that rate", REAL)
    first_pass_probability: float = quantity(
        "share of metabolite studies",
        "part is formed before the parent reaches the circulation",
        REAL,
    )
    first_pass: Law = quantity("fraction", "absorbed dose that becomes metabolite at once", REAL)


@dataclass(frozen=True)
class Dosing:
    """Route and amount of the single dose at time 0."""

    oral_probability: float = quantity("share of studies", "oral dose; the rest is intravenous")
    infusion_probability: float = quantity("share of IV studies", "infusion instead of bolus", REAL)
    infusion_duration: Law = quantity("fraction of the horizon", "infusion duration", REAL)
    log_dose: Law = quantity("ln dose unit", "mean log dose")
    sd_log_dose: Law = quantity("SD of ln", "spread of the dose between individuals")
    same_dose_probability: float = quantity("share of studies", "one dose for everybody", REAL)


@dataclass(frozen=True)
class Design:
    """Who is sampled when."""

    individuals: tuple[int, int] = quantity("individuals", "number of individuals of a study")
    observations: tuple[int, int] = quantity("samples", "scheduled samples per individual")
    horizons: tuple[float, ...] = quantity(
        "h", "last scheduled sampling time, drawn from this list"
    )
    peak_schedule_probability: float = quantity(
        "share of studies", "random schedules set by T_peak and T_half, each individual its own"
    )
    clock_schedule_probability: float = quantity(
        "share of the other studies",
        "nominal clock times (0.25, 0.5, ... h), else a power law",
        REAL,
    )
    time_deviation: Law = quantity("SD of ln", "deviation of actual from nominal times", REAL)
    deviation_probability: float = quantity("share of studies", "actual times deviate", REAL)
    missed: Law = quantity("fraction", "samples that are missed", REAL)


@dataclass(frozen=True)
class Assay:
    """From a true concentration to a reported one."""

    proportional: Law = quantity("SD", "proportional error")
    additive: Law | None = quantity("multiple of the LLOQ", "SD of the additive error", REAL)
    lloq_probability: float = quantity("share of studies", "values below an LLOQ are missing", REAL)
    lloq: Law = quantity("fraction of the median Cmax", "lower limit of quantification", REAL)


@dataclass(frozen=True)
class PriorConfig:
    """The whole prior.  ``solver_steps`` > 0 adds a uniform grid for the OU paths to refresh on.

    With ``solver_steps`` 0 the parameters are refreshed at the sampling times and at
    ``ou_refresh`` further times, which is cheaper and exact where there is no OU variation.
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

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values, as they stand in a preset file."""
        return to_plain(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str = "The prior") -> PriorConfig:
        """Build and validate from nested plain values; ``where`` names the source in errors."""
        return from_plain(cls, values, where)

    def replace(self, **groups: dict[str, Any]) -> PriorConfig:
        """A copy with changed quantities, as in ``replace(assay={"lloq_probability": 0.0})``."""
        changes = {
            name: dataclasses.replace(getattr(self, name), **values)
            if isinstance(values, dict)
            else values
            for name, values in groups.items()
        }
        return dataclasses.replace(self, **changes)
