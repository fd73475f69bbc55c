"""What a language model has to answer, and what every extraction engine puts out.

Conventions (the same for rules, language model and gold set): values are those of the TEST product;
fasting where both states are given; the parent or first-named analyte; the first-named dose where
several are studied. AUC0-t includes areas to a fixed time (AUC0-72) and over a dosing interval.
`n_subjects` counts those enrolled (randomised); a smaller number of completers is put into the
flags. Anything the text does not state is null.

The answer (`ExtractionAnswer`) is what a model is held to: every field is *required*, null where
nothing is stated, because a small model leaves optional fields out; keys that nobody asked for are
ignored; words for dispersions are mapped, not refused. The record (`Extraction`) is one output line
of `agmpk literature extract`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agmpk.literature.text import NormalText

Route = Literal[
    "oral", "intravenous", "subcutaneous", "intramuscular", "inhaled", "topical", "other"
]
DispersionType = Literal["SD", "CV%", "SEM", "range", "IQR", "95% CI", "90% CI"]
CenterType = Literal["mean", "geometric mean", "median"]

FIELDS = (
    *("compound", "dose", "dose_unit", "n_subjects", "route"),
    *("cmax", "cmax_unit", "cmax_dispersion", "cmax_dispersion_type", "tmax", "tmax_unit"),
    *("auc0_t", "auc0_t_unit", "auc0_t_dispersion", "auc0_inf", "auc0_inf_unit"),
)
QUANTITIES = ("cmax", "tmax", "auc0_t", "auc0_inf")


class Span(BaseModel):
    """Where a value stands: `text` is `source[start:end]` of the untouched document."""

    model_config = ConfigDict(frozen=True)
    source: str
    start: int
    end: int
    text: str

    @classmethod
    def of(cls, source: str, normal: NormalText, start: int, stop: int, offset: int = 0) -> Span:
        """The untouched text behind a normalized place; it stands at `offset` of the source."""
        a, b = normal.span(start, stop)
        return cls(source=source, start=a + offset, end=b + offset, text=normal.source[a:b])


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


# -------------------------------------------------------------------------- a model's answer
MAX_QUOTE = 1000  # characters; a longer quotation is cut, it only has to be found

_DISPERSIONS = (  # the first pattern that fits; order matters (`standard error`, `geometric SD`)
    ("SEM", r"\bs\.?e\.?m?\.?\b|standard error"),
    ("CV%", r"\bg?\s?cv\b|coefficient of variation|%|percent"),
    ("95% CI", r"\b95\b.*(?:ci|confidence)"),
    ("90% CI", r"\b90\b.*(?:ci|confidence)"),
    ("IQR", r"\biqr\b|interquartile|quartile|\bq1\b"),
    ("range", r"\brange\b|\bmin"),
    ("SD", r"\bs\.?d\b\.?|standard dev|\bst\.?\s?dev|\bstd\b|±|\+/-"),
)


def dispersion_type(text: object) -> DispersionType | None:
    """The kind of dispersion that a word or sign names (`standard deviation` is SD), or None."""
    words = str(text or "").strip().lower()
    if re.fullmatch(r"9[05]\s?% ?(?:ci|confidence intervals?)", words):
        return f"{words[:2]}% CI"  # type: ignore[return-value]
    return next((k for k, p in _DISPERSIONS if re.search(p, words)), None)  # type: ignore[return-value]


def center_type(text: object) -> CenterType | None:
    """The kind of central value that a word names (`GM`, `arithmetic mean`), or None."""
    words = str(text or "").strip().lower()
    if re.search(r"\bgeo|\bgm\b|\bgls", words):
        return "geometric mean"
    if "median" in words:
        return "median"
    return "mean" if re.search(r"mean|average", words) else None


def _number(value: object) -> object:
    """`"1,234.5 ng/mL"` is 1234.5: a model may answer a number with marks around it."""
    if not isinstance(value, str):
        return value
    found = re.findall(r"\d[\d,]*(?:\.\d+)?", value)
    return float(found[0].replace(",", "")) if len(found) == 1 else None


def _or_null(required: tuple[str, ...]) -> BeforeValidator:
    """An answer without its number or unit is no answer: null, instead of a refused document. So is
    a number that is not above zero: small models say so that nothing is stated."""

    def check(value: object) -> object:
        if not isinstance(value, dict):
            return value
        for part in map(value.get, required):
            if part in (None, "", "null") or (isinstance(part, (int, float)) and part <= 0):
                return None
        return value

    return BeforeValidator(check)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")


Quote = Annotated[
    str,
    BeforeValidator(lambda v: v[:MAX_QUOTE] if isinstance(v, str) else v),
    Field(description="the words of the article that state the value, copied"),
]
Number = Annotated[float, BeforeValidator(_number), Field(gt=0)]


class TriageAnswer(_Answer):
    """One single bioequivalence trial in humans?"""

    single_trial: bool
    reason: Annotated[str, BeforeValidator(lambda v: v[:400] if isinstance(v, str) else v)]


class NameAnswer(_Answer):
    """A name with the passage it was copied from."""

    quote: Quote
    value: str


class CountAnswer(_Answer):
    """A number of subjects with the passage it was copied from."""

    quote: Quote
    value: Annotated[int, BeforeValidator(_number), Field(ge=1, le=100_000)]


class AmountAnswer(_Answer):
    """A dose with its unit and the passage it was copied from."""

    quote: Quote
    value: Number
    unit: str


class QuantityAnswer(_Answer):
    """A pharmacokinetic value: number and unit as printed, its dispersion, and the passage."""

    quote: Quote
    value: Number
    unit: str
    central_tendency: Annotated[CenterType | None, BeforeValidator(center_type)]
    dispersion: Annotated[str | None, BeforeValidator(lambda v: v if v is None else str(v))]
    dispersion_type: Annotated[DispersionType | None, BeforeValidator(dispersion_type)]


_Quantity = Annotated[QuantityAnswer | None, _or_null(("value", "unit"))]


class ExtractionAnswer(_Answer):
    """Everything that is taken from one article; null where it is not stated."""

    compound: Annotated[NameAnswer | None, _or_null(("value",))]
    dose: Annotated[AmountAnswer | None, _or_null(("value", "unit"))]
    n_subjects: Annotated[CountAnswer | None, _or_null(("value",))]
    route: Annotated[Route | None, BeforeValidator(lambda v: None if v in ("", "null") else v)]
    cmax: _Quantity
    tmax: _Quantity
    auc0_t: _Quantity
    auc0_inf: _Quantity

    def unchecked(self) -> dict[str, Any]:
        """The flat fields of the answer as the model gave them, before any check against the text:
        what `score_records` takes, to see what grounding changes."""
        flat: dict[str, Any] = {"route": self.route}
        parts = ("value", "unit", "dispersion", "dispersion_type")
        for name in ("compound", "n_subjects", "dose", *QUANTITIES):
            for part in parts[: {"compound": 1, "n_subjects": 1, "dose": 2}.get(name, 4)]:
                field = name if part == "value" else f"{name}_{part}"
                flat[field] = getattr(getattr(self, name), part, None)
        return flat
