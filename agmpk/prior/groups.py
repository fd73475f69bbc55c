"""The groups of quantities of the prior; each says its unit, meaning and source as metadata.

The book renders the table of the prior from here, so that nothing is written twice.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field
from typing import Annotated, Any

from agmpk.config import Range
from agmpk.prior.laws import Law

Share = Annotated[float, Range(0.0, 1.0)]
Real = int | float  # kept as it was written, so that a file that is written again is the same

PUBLISHED = "published configuration (AGM-PK, PAGE 34, 2026)"
REAL = "what real studies show (Rowland & Tozer; BE guidance)"
SAVIC = "Savic et al. 2007, J Pharmacokinet Pharmacodyn 34:711"
ALLOMETRY = "Anderson & Holford 2008, Annu Rev Pharmacol Toxicol 48:303"


POPPK = "published population models (data/poppk)"
CLINIC = "what clinics and trials do (BE guidance; therapeutic drug monitoring)"
NONE = Law(0.0, 0.0)
ONE = Law(1.0, 1.0)


def quantity(unit: str, meaning: str, source: str = PUBLISHED, off: Any = MISSING) -> Any:
    """A dataclass field that says what it is; ``off`` is what a prior without it means."""
    metadata = {"unit": unit, "meaning": meaning, "source": source}
    return field(metadata=metadata, default=off)


@dataclass(frozen=True, kw_only=True)
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
    log_CL: Law | None = quantity(
        "ln L/h",
        "mean log clearance of a compound of V = 70 L; where set, it replaces log_ke, and "
        "half_lives_in_horizon sets the horizon by the terminal half-life",
        POPPK,
        None,
    )
    clearance_power: Law = quantity(
        "1", "slope of that mean in ln V: large molecules of tissue are cleared faster", POPPK, NONE
    )
    peripheral_shares: tuple[Real, ...] = quantity(
        "share of studies",
        "shares of 0, 1, ... peripheral compartments; 0 alone: all of the range alike",
        POPPK,
        (0.0,),
    )
    saturable_probability: Share = quantity(
        "share of studies", "elimination is saturable: ke / (1 + C / Km) (Michaelis-Menten)", REAL
    )
    saturable_blocks: float = quantity(
        "share of blocks",
        "only such blocks of studies hold saturable ones, the more: stepping them costs time",
        CLINIC,
        1.0,
    )
    saturation: Law = quantity("multiple of dose / V", "Km of such a study", REAL)


@dataclass(frozen=True, kw_only=True)
class Absorption:
    """How an oral dose reaches the central compartment."""

    log_ka: Law = quantity("ln 1/h", "mean log absorption rate constant")
    transit_probability: Share = quantity(
        "share of studies", "transit compartments before the gut", REAL
    )
    max_transits: int = quantity("compartments", "largest number of transit compartments", REAL)
    long_chain_probability: Share = quantity(
        "share of transit studies", "chains longer than that", POPPK, 0.0
    )
    longest_chain: int = quantity("compartments", "largest number in such a chain", POPPK, 0)
    transit_time: Law | None = quantity(
        "h", "mean time through the chain; where off, its rate is ka", POPPK, None
    )
    sd_transit: Law = quantity(
        "SD of ln", "between-individual SD of the rate of such a chain", POPPK, NONE
    )
    gamma_probability: Share = quantity(
        "share of transit studies", "their number is real, not whole (gamma input)", SAVIC
    )
    lag_probability: Share = quantity("share of studies", "studies with an absorption lag", REAL)
    lag: Law = quantity("h", "typical lag of a study that has one", REAL)
    sd_lag: Law = quantity("SD of ln", "between-individual SD of the lag", REAL)
    late_probability: Share = quantity(
        "share of lagged studies", "some individuals start much later (gastric emptying)", REAL
    )
    late_share: Law = quantity("fraction", "share of late individuals in such a study", REAL)
    late_delay: Law = quantity("h", "how much later they start", REAL)
    split_probability: Share = quantity(
        "share of studies", "part of the dose is released later (double peak)", REAL
    )
    split_fraction: Law = quantity("fraction", "part of the dose that is released later", REAL)
    split_delay: Law = quantity("h", "how much later", REAL)
    zero_order_probability: Share = quantity(
        "share of studies", "oral doses are released at a constant rate", POPPK, 0.0
    )
    zero_order_duration: Law = quantity("h", "typical duration of that release", POPPK, ONE)
    sd_zero_order: Law = quantity("SD of ln", "between-individual SD of it", POPPK, NONE)
    zero_order_gut_probability: Share = quantity(
        "share of zero-order studies", "released into the gut: then absorbed with ka", POPPK, 0.0
    )
    zero_order_part_probability: Share = quantity(
        "share of zero-order studies", "only a part is, the rest is at hand at once", POPPK, 0.0
    )
    zero_order_part: Law = quantity("fraction", "part of the dose that is", POPPK, ONE)


@dataclass(frozen=True, kw_only=True)
class Variability:
    """Between individuals (SD of log-parameters) and within an individual (OU processes)."""

    sd_ka: Law = quantity("SD of ln", "between-individual SD of ka")
    sd_ke: Law = quantity("SD of ln", "between-individual SD of ke (of CL where coupled to V)")
    sd_V: Law = quantity("SD of ln", "between-individual SD of V")
    sd_k: Law = quantity("SD of ln", "between-individual SD of each exchange rate k+, k-")
    sd_F: Law | None = quantity("SD of ln", "between-individual SD of bioavailability F", REAL)
    sd_F_occasion: Law | None = quantity(
        "SD of ln", "SD of F between doses of the same individual", POPPK, None
    )
    coupling: Law | None = quantity(
        "1", "c in ln ke_i = ... - c (ln V_i - ln V): 1 where CL and V vary independently", REAL
    )
    common_factor: Law | None = quantity(
        "correlation", "loading of each parameter's deviation on one factor per individual", REAL
    )
    tight_probability: Share = quantity(
        "share of studies", "all between-individual SDs are smaller by one factor", REAL
    )
    tight_factor: Law = quantity("ratio", "that factor", REAL)
    ou_rates: Law = quantity("SD of ln", "stationary SD of the OU process of each rate (tmag)")
    ou_V: Law = quantity("SD of ln", "stationary SD of the OU process of V (tmag)")
    ou_time_scale: Law = quantity("h", "time scale 1/lambda of the OU processes (tscl)")
    ou_shared: Law | None = quantity(
        "ratio", "SD of processes that a study shares (meals, time of day) / of one's own", REAL
    )
    polymorphism_probability: Share = quantity(
        "share of studies", "clearance is a mixture of normal and poor metabolisers", REAL
    )
    poor_share: Law = quantity("fraction", "share of poor metabolisers in such a study", REAL)
    poor_factor: Law = quantity("ratio", "their ke relative to the others", REAL)
    poor_gain: Law | None = quantity(
        "1", "their F is higher by (1 / the ratio of their ke) to this power", REAL
    )


@dataclass(frozen=True, kw_only=True)
class Metabolite:
    """Studies that measure a metabolite formed from the parent instead of the parent."""

    probability: Share = quantity("share of studies", "the analyte is a metabolite", REAL)
    rate_ratio: Law = quantity(
        "ratio", "elimination rate of the metabolite / ke of the parent", REAL
    )
    sd_rate: Law = quantity("SD of ln", "between-individual SD of that rate", REAL)
    first_pass_probability: Share = quantity(
        "share of metabolite studies",
        "part is formed before the parent reaches the circulation",
        REAL,
    )
    first_pass: Law = quantity("fraction", "absorbed dose that becomes metabolite at once", REAL)


@dataclass(frozen=True, kw_only=True)
class Dosing:
    """Route, amount and schedule of the doses; the first is at time 0."""

    oral_probability: Share = quantity("share of studies", "oral dose; the rest is intravenous")
    infusion_probability: Share = quantity("share of IV studies", "infusion instead of bolus", REAL)
    infusion_duration: Law = quantity("fraction of the horizon", "infusion duration", REAL)
    log_dose: Law = quantity("ln dose unit", "mean log dose")
    sd_log_dose: Law = quantity("SD of ln", "spread of the dose between individuals")
    same_dose_probability: Share = quantity("share of studies", "one dose for everybody", REAL)
    per_kg_probability: Share = quantity(
        "share of studies", "doses per kg; CL grows with weight^0.75 and V with weight", ALLOMETRY
    )
    weight: Law = quantity("kg", "median body weight of such a study", ALLOMETRY)
    sd_weight: Law = quantity("SD of ln", "spread of the body weight", ALLOMETRY)
    repeated_probability: Share = quantity("share of studies", "repeated dosing", REAL)
    intervals: tuple[Real, ...] = quantity("h", "dosing interval, where two fit the horizon", REAL)
    max_doses: int = quantity("doses", "largest number of doses", REAL)
    after_last_dose: Law = quantity("fraction", "share of samples after the last dose", REAL)
    short_infusion: Law | None = quantity(
        "h", "infusion duration; where set, it replaces infusion_duration", CLINIC, None
    )
    long_infusion_probability: Share = quantity(
        "share of infusion studies", "such infusions are long", CLINIC, 0.0
    )
    long_infusion: Law = quantity("h", "duration of a long infusion", CLINIC, ONE)
    arms_probability: Share = quantity(
        "share of studies", "arms with doses of their own level", CLINIC, 0.0
    )
    arms: tuple[int, int] = quantity("arms", "number of arms", CLINIC, (1, 1))
    arm_range: Law = quantity("ratio", "highest level / lowest level", CLINIC, ONE)
    arm_routes_probability: Share = quantity(
        "share of studies with arms", "some arms have the other route", CLINIC, 0.0
    )
    arm_intervals_probability: Share = quantity(
        "share of studies with arms and a course", "arms have dosing intervals of their own",
        CLINIC, 0.0,
    )
    course_probability: Share = quantity(
        "share of the studies of none of the kinds below",
        "a course of repeated doses, observed after the last one as after a single one",
        CLINIC, 0.0,
    )
    course_doses: tuple[int, int] = quantity("doses", "their number", CLINIC, (2, 2))
    intervals_per_half_life: Law = quantity(
        "ratio", "dosing interval / terminal half-life, before rounding to ``intervals``",
        CLINIC, ONE,
    )
    loading_probability: Share = quantity(
        "share of repeated studies", "the first dose is a loading dose", CLINIC, 0.0
    )
    loading: Law = quantity("ratio", "loading dose / maintenance dose", CLINIC, ONE)
    missed_dose_probability: Share = quantity(
        "share of repeated studies", "doses are missed now and then", CLINIC, 0.0
    )
    missed_doses: Law = quantity("fraction", "doses that are missed", CLINIC, NONE)
    changed_probability: Share = quantity(
        "share of repeated studies", "the amount is changed midway", CLINIC, 0.0
    )
    changed: Law = quantity("ratio", "amount after / before the change", CLINIC, ONE)
    irregular_probability: Share = quantity(
        "share of repeated studies", "times of doses are irregular", CLINIC, 0.0
    )
    irregular: Law = quantity("fraction of the interval", "SD of those times", CLINIC, NONE)
    crossover_probability: Share = quantity(
        "share of the studies that are neither monitored nor newborn",
        "a second occasion after a washout, other route or amount; the record goes on",
        CLINIC, 0.0,
    )
    washout: Law = quantity("terminal half-lives", "time between occasions", CLINIC, ONE)
    crossover_route_probability: Share = quantity(
        "share of crossover studies", "the occasions differ in route", CLINIC, 0.0
    )
    crossover_change: Law = quantity("ratio", "amount of an occasion / the other", CLINIC, ONE)
    monitoring_probability: Share = quantity(
        "share of studies",
        "therapeutic monitoring: amounts and intervals of one's own, sampled sparsely late",
        CLINIC, 0.0,
    )
    monitoring_doses: tuple[int, int] = quantity("doses", "until then", CLINIC, (1, 1))
    monitoring_spread: Law = quantity("SD of ln", "spread of the amounts", CLINIC, NONE)
    newborn_probability: Share = quantity(
        "share of studies of 20 or more that are not monitored",
        "newborns: intravenous loading and maintenance doses per kg, sampled sparsely",
        CLINIC, 0.0,
    )
    newborn_weight: Law = quantity("kg", "median weight of such a study", CLINIC, ONE)
    newborn_doses: tuple[int, int] = quantity("doses", "their number", CLINIC, (1, 1))


@dataclass(frozen=True, kw_only=True)
class Design:
    """Who is sampled when."""

    individuals: tuple[int, ...] = quantity(
        "individuals", "number of individuals of a study, drawn from this list"
    )
    caps: tuple[int, ...] = quantity(
        "individuals",
        "largest number of a block of studies, drawn from this list; 0: as individuals has it",
        CLINIC,
        (0,),
    )
    filled: Law = quantity("fraction of the cap", "number of individuals", CLINIC, ONE)
    observations: tuple[int, int] = quantity("samples", "scheduled samples per individual")
    observations_power: float = quantity(
        "1", "1: that number is uniform; above, small numbers are more frequent", CLINIC, 1.0
    )
    sparse_probability: Share = quantity(
        "share of studies of up to 16",
        "each individual has a few samples at times of its own",
        CLINIC,
        0.0,
    )
    sparse_large_probability: Share = quantity(
        "share of studies of more than 16", "the same", CLINIC, 0.0
    )
    sparse_observations: tuple[int, int] = quantity(
        "samples", "per individual of a sparse study", CLINIC, (1, 1)
    )
    late_only_probability: Share = quantity(
        "share of repeated studies", "all samples are taken after the last dose", CLINIC, 0.0
    )
    trough_probability: Share = quantity(
        "share of repeated studies", "some samples are taken just before a dose", CLINIC, 0.0
    )
    troughs: Law = quantity("fraction", "samples of such a study that are", CLINIC, NONE)
    dropout_probability: Share = quantity(
        "share of studies", "some individuals drop out early", CLINIC, 0.0
    )
    dropout: Law = quantity("fraction", "individuals who do, at any time", CLINIC, NONE)
    thin_probability: Share = quantity(
        "share of studies", "some individuals have few samples", CLINIC, 0.0
    )
    thin: Law = quantity("fraction", "individuals with one to four samples", CLINIC, NONE)
    horizons: tuple[Real, ...] = quantity(
        "h", "last scheduled sampling time, drawn from this list"
    )
    peak_schedule_probability: Share = quantity(
        "share of studies", "random schedules set by T_peak and T_half, each individual its own"
    )
    clock_schedule_probability: Share = quantity(
        "share of the other studies",
        "nominal clock times (0.25, 0.5, ... h), else a power law",
        REAL,
    )
    time_deviation: Law = quantity("SD of ln", "deviation of actual from nominal times", REAL)
    deviation_probability: Share = quantity("share of studies", "actual times deviate", REAL)
    missed: Law = quantity("fraction", "samples that are missed", REAL)


@dataclass(frozen=True, kw_only=True)
class Assay:
    """From a true concentration to a reported one."""

    proportional: Law = quantity("SD", "proportional error")
    additive: Law | None = quantity("multiple of the LLOQ", "SD of the additive error", REAL)
    lloq_probability: Share = quantity("share of studies", "values below an LLOQ are missing", REAL)
    lloq: Law = quantity("fraction of the median Cmax", "lower limit of quantification", REAL)
