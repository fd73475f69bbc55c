"""The groups of quantities of the prior; each says its unit, meaning and source as metadata.

The book renders the table of the prior from here, so that nothing is written twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agmpk.prior.laws import Law

PUBLISHED = "published configuration (AGM-PK, PAGE 34, 2026)"
REAL = "what real studies show (Rowland & Tozer; BE guidance)"
SAVIC = "Savic et al. 2007, J Pharmacokinet Pharmacodyn 34:711"
ALLOMETRY = "Anderson & Holford 2008, Annu Rev Pharmacol Toxicol 48:303"


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
    saturable_probability: float = quantity(
        "share of studies", "elimination is saturable: ke / (1 + C / Km) (Michaelis-Menten)", REAL
    )
    saturation: Law = quantity("multiple of dose / V", "Km of such a study", REAL)


@dataclass(frozen=True)
class Absorption:
    """How an oral dose reaches the central compartment."""

    log_ka: Law = quantity("ln 1/h", "mean log absorption rate constant")
    transit_probability: float = quantity(
        "share of studies", "transit compartments before the gut", REAL
    )
    max_transits: int = quantity("compartments", "largest number of transit compartments", REAL)
    gamma_probability: float = quantity(
        "share of transit studies", "their number is real, not whole (gamma input)", SAVIC
    )
    lag_probability: float = quantity("share of studies", "studies with an absorption lag", REAL)
    lag: Law = quantity("h", "typical lag of a study that has one", REAL)
    sd_lag: Law = quantity("SD of ln", "between-individual SD of the lag", REAL)
    late_probability: float = quantity(
        "share of lagged studies", "some individuals start much later (gastric emptying)", REAL
    )
    late_share: Law = quantity("fraction", "share of late individuals in such a study", REAL)
    late_delay: Law = quantity("h", "how much later they start", REAL)
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
    tight_probability: float = quantity(
        "share of studies", "all between-individual SDs are smaller by one factor", REAL
    )
    tight_factor: Law = quantity("ratio", "that factor", REAL)
    ou_rates: Law = quantity("SD of ln", "stationary SD of the OU process of each rate (tmag)")
    ou_V: Law = quantity("SD of ln", "stationary SD of the OU process of V (tmag)")
    ou_time_scale: Law = quantity("h", "time scale 1/lambda of the OU processes (tscl)")
    ou_shared: Law | None = quantity(
        "ratio", "SD of processes that a study shares (meals, time of day) / of one's own", REAL
    )
    polymorphism_probability: float = quantity(
        "share of studies", "clearance is a mixture of normal and poor metabolisers", REAL
    )
    poor_share: Law = quantity("fraction", "share of poor metabolisers in such a study", REAL)
    poor_factor: Law = quantity("ratio", "their ke relative to the others", REAL)
    poor_gain: Law | None = quantity(
        "1", "their F is higher by (1 / the ratio of their ke) to this power", REAL
    )


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
    """Route, amount and schedule of the doses; the first is at time 0."""

    oral_probability: float = quantity("share of studies", "oral dose; the rest is intravenous")
    infusion_probability: float = quantity("share of IV studies", "infusion instead of bolus", REAL)
    infusion_duration: Law = quantity("fraction of the horizon", "infusion duration", REAL)
    log_dose: Law = quantity("ln dose unit", "mean log dose")
    sd_log_dose: Law = quantity("SD of ln", "spread of the dose between individuals")
    same_dose_probability: float = quantity("share of studies", "one dose for everybody", REAL)
    per_kg_probability: float = quantity(
        "share of studies", "doses per kg; CL grows with weight^0.75 and V with weight", ALLOMETRY
    )
    weight: Law = quantity("kg", "median body weight of such a study", ALLOMETRY)
    sd_weight: Law = quantity("SD of ln", "spread of the body weight", ALLOMETRY)
    repeated_probability: float = quantity("share of studies", "repeated dosing", REAL)
    intervals: tuple[float, ...] = quantity("h", "dosing interval, where two fit the horizon", REAL)
    max_doses: int = quantity("doses", "largest number of doses", REAL)
    after_last_dose: Law = quantity("fraction", "share of samples after the last dose", REAL)


@dataclass(frozen=True)
class Design:
    """Who is sampled when."""

    individuals: tuple[int, ...] = quantity(
        "individuals", "number of individuals of a study, drawn from this list"
    )
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
