"""What the model has to answer: the schema it is held to."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TriageAnswer(_Strict):
    """One single bioequivalence trial in humans?"""

    single_trial: bool
    reason: str = Field(max_length=400)


class Text(_Strict):
    """A word or name with the passage it was copied from."""

    value: str = Field(min_length=1, max_length=200)
    quote: str = Field(min_length=1, max_length=2000)


class Count(_Strict):
    """A number of subjects with the passage it was copied from."""

    value: int = Field(ge=1, le=100_000)
    quote: str = Field(min_length=1, max_length=2000)


class Amount(_Strict):
    """A dose with its unit and the passage it was copied from."""

    value: float = Field(gt=0)
    unit: str = Field(min_length=1, max_length=30)
    quote: str = Field(min_length=1, max_length=2000)


class Quantity(_Strict):
    """A pharmacokinetic value: number and unit as printed, dispersion as printed, and the
    passage."""

    value: float = Field(gt=0)
    unit: str = Field(min_length=1, max_length=30)
    central_tendency: Literal["mean", "geometric mean", "median"] | None = None
    dispersion: float | str | None = Field(
        default=None, description="a number, or low-high for a range"
    )
    dispersion_type: Literal["SD", "CV%", "SEM", "range", "IQR", "95% CI", "90% CI"] | None = None
    quote: str = Field(min_length=1, max_length=2000)

    @model_validator(mode="after")
    def _dispersion_has_a_type(self) -> Quantity:
        if isinstance(self.dispersion, str) and not any(c.isdigit() for c in self.dispersion):
            raise ValueError("dispersion must hold a number; use null where none is printed")
        return self


class ExtractionAnswer(_Strict):
    """Everything that is taken from one article; null where it is not stated."""

    compound: Text | None = None
    dose: Amount | None = None
    n_subjects: Count | None = None
    route: (
        Literal[
            "oral", "intravenous", "subcutaneous", "intramuscular", "inhaled", "topical", "other"
        ]
        | None
    ) = None
    cmax: Quantity | None = None
    tmax: Quantity | None = None
    auc0_t: Quantity | None = None
    auc0_inf: Quantity | None = None
