"""The configuration of the simulator prior: frozen, validated, and equal to its YAML form.

Every quantity carries its unit, meaning and source as metadata, so that the book renders the
table of the prior from here and nothing is written twice.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from agmpk.errors import AgmpkError
from agmpk.prior.laws import Law

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
        return _plain(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str = "The prior") -> PriorConfig:
        """Build and validate from nested plain values; ``where`` names the source in errors."""
        return _build(cls, values, where)

    def replace(self, **groups: dict[str, Any]) -> PriorConfig:
        """A copy with some quantities changed, as in ``replace(assay={"lloq_probability": 0.0})``."""
        changes = {
            name: dataclasses.replace(getattr(self, name), **values)
            if isinstance(values, dict)
            else values
            for name, values in groups.items()
        }
        return dataclasses.replace(self, **changes)


def presets() -> tuple[str, ...]:
    """Names of the presets that ship with the package."""
    folder = resources.files("agmpk.prior") / "presets"
    return tuple(
        sorted(p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml"))
    )


def load_prior(name_or_path: str | Path) -> PriorConfig:
    """A preset by name, or any prior from its YAML file.

    Raises
    ------
    AgmpkError
        If there is no such preset or file, or an entry is missing, unknown or of the wrong kind.
    """
    text = str(name_or_path)
    if text in presets():
        source = (resources.files("agmpk.prior") / "presets" / f"{text}.yaml").read_text("utf-8")
    elif Path(text).suffix in (".yaml", ".yml") and Path(text).is_file():
        source = Path(text).read_text("utf-8")
    else:
        raise AgmpkError(
            f"There is no prior {text!r}: use one of {', '.join(presets())}, or a .yaml file."
        )
    return PriorConfig.from_dict(yaml.safe_load(source), where=text)


def _plain(value: Any) -> Any:
    if isinstance(value, Law):
        return value.to_yaml()
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return list(value) if isinstance(value, tuple) else value


def _build(cls: type, values: Any, where: str) -> Any:
    if not isinstance(values, dict):
        raise AgmpkError(f"{where} must be a mapping of names to values, not {values!r}.")
    names = {f.name for f in fields(cls)}
    for problem, odd in (("does not know", set(values) - names), ("lacks", names - set(values))):
        if odd:
            raise AgmpkError(f"{where} {problem} {', '.join(sorted(odd))}.")
    hints = get_type_hints(cls)
    return cls(
        **{name: _read(hints[name], value, f"{where}: {name}") for name, value in values.items()}
    )


def _read(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind) and kind is not Law:
        return _build(kind, value, where)
    if kind is Law or kind == (Law | None):
        return None if value is None and kind is not Law else Law.from_yaml(value, where)
    if kind in (float, int, str):
        if isinstance(value, bool) or not isinstance(
            value, (int, float) if kind is float else kind
        ):
            raise AgmpkError(f"{where} must be of type {kind.__name__}, not {value!r}.")
        if kind is float and "probability" in where and not 0 <= value <= 1:
            raise AgmpkError(f"{where} must lie between 0 and 1, not {value}.")
        return kind(value)
    if isinstance(value, list) and value and all(isinstance(v, (int, float)) for v in value):
        return tuple(value)
    raise AgmpkError(f"{where} must be a list of numbers, not {value!r}.")
