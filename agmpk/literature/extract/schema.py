"""The output of every extraction engine: flat fields, their evidence, and flags.

Conventions (the same for rules, language model and gold set): values are those of the TEST product;
fasting where both states are given; the parent or first-named analyte; the first-named dose where
several are studied. AUC0-t includes areas to a fixed time (AUC0-72) and over a dosing interval.
`n_subjects` counts those enrolled (randomised); a smaller number of completers is put into the
flags.
Anything the text does not state is null.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Route = Literal[
    "oral", "intravenous", "subcutaneous", "intramuscular", "inhaled", "topical", "other"
]
DispersionType = Literal["SD", "CV%", "SEM", "range", "IQR", "95% CI", "90% CI"]
CenterType = Literal["mean", "geometric mean", "median"]

FIELDS = (
    "compound",
    "dose",
    "dose_unit",
    "n_subjects",
    "route",
    "cmax",
    "cmax_unit",
    "cmax_dispersion",
    "cmax_dispersion_type",
    "tmax",
    "tmax_unit",
    "auc0_t",
    "auc0_t_unit",
    "auc0_t_dispersion",
    "auc0_inf",
    "auc0_inf_unit",
)
QUANTITIES = ("cmax", "tmax", "auc0_t", "auc0_inf")


class Span(BaseModel):
    """Where a value stands: `text` is `source[start:end]` of the untouched document."""

    model_config = ConfigDict(frozen=True)
    source: str
    start: int
    end: int
    text: str


class Rejection(BaseModel):
    """A value an engine offered that was not accepted, and why."""

    field: str
    value: Any
    reason: str


class Extraction(BaseModel):
    """One output line of `agmpk literature extract`."""

    id: str
    compound: str | None = None
    dose: float | None = None
    dose_unit: str | None = None
    n_subjects: int | None = None
    route: Route | None = None
    cmax: float | None = None
    cmax_unit: str | None = None
    cmax_dispersion: float | str | None = None
    cmax_dispersion_type: DispersionType | None = None
    tmax: float | None = None
    tmax_unit: str | None = None
    auc0_t: float | None = None
    auc0_t_unit: str | None = None
    auc0_t_dispersion: float | str | None = None
    auc0_inf: float | None = None
    auc0_inf_unit: str | None = None
    # Beyond the common fields: what the harmonization can use.
    cmax_type: CenterType | None = None
    tmax_type: CenterType | None = None
    tmax_dispersion: float | str | None = None
    tmax_dispersion_type: DispersionType | None = None
    auc0_t_type: CenterType | None = None
    auc0_t_dispersion_type: DispersionType | None = None
    auc0_inf_type: CenterType | None = None
    auc0_inf_dispersion: float | str | None = None
    auc0_inf_dispersion_type: DispersionType | None = None
    t_last: float | None = None
    t_last_unit: str | None = None
    pmid: str | int | None = None
    pmcid: str | None = None
    year: int | None = None
    evidence: dict[str, list[Span]] = Field(default_factory=dict)
    flags: list[str] = Field(default_factory=list)
    rejected: list[Rejection] = Field(default_factory=list)
    engine: str = ""
