"""Units of a study, and their conversion by pint."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from agmpk.errors import AgmpkError

# Dimensions a unit may have. A dose per body weight (mg/kg) is dimensionless to pint.
_ALLOWED = {
    "time": ("h",),
    "concentration": ("ng/mL", "mol/L"),
    "dose": ("mg", "mol", "mg/kg", "mol/kg"),
}


@dataclass(frozen=True, slots=True)
class Units:
    """Units of a study's times, concentrations and doses.

    Attributes:
        time: hours; another unit of time is accepted by ``read_study`` only, which converts.
        concentration: mass or amount of substance per volume.
        dose: mass or amount of substance, also per body weight (``mg/kg``).

    Raises:
        AgmpkError: a unit cannot be parsed or is of the wrong kind.
    """

    time: str = "h"
    concentration: str = "ng/mL"
    dose: str = "mg"

    def __post_init__(self) -> None:
        for kind in _ALLOWED:
            check_unit(kind, getattr(self, kind))
        if conversion_factor(self.time, "h") != 1:
            raise AgmpkError(
                f"The time unit of a study is {self.time!r}; times are held in hours, "
                "convert them first."
            )
        object.__setattr__(self, "time", "h")


def check_unit(kind: str, unit: str) -> None:
    """Raise AgmpkError unless ``unit`` is a unit of the ``kind`` time, concentration or dose."""
    found = _quantity(unit)
    written_per = "/" in unit  # tells mg/kg from a bare number or a fraction such as %
    for allowed in _ALLOWED[kind]:
        reference = _quantity(allowed)
        if found.dimensionality == reference.dimensionality:
            if reference.dimensionless and not written_per:
                continue
            return
    raise AgmpkError(
        f"The {kind} unit {unit!r} does not measure a {kind}; "
        f"use for example {' or '.join(_ALLOWED[kind])}."
    )


@lru_cache(maxsize=256)
def conversion_factor(source: str, target: str) -> float:
    """Return the number that turns a value in ``source`` into one in ``target``.

    Raises:
        AgmpkError: a unit cannot be parsed, or the two measure different things.
    """
    import pint

    try:
        return float(_quantity(source).to(_quantity(target).units).magnitude)
    except pint.DimensionalityError:
        raise AgmpkError(
            f"{source!r} cannot be converted into {target!r}; they measure different things."
        ) from None


@lru_cache(maxsize=256)
def _quantity(unit: str):
    text = unit.replace("\u00b5", "u").replace("\u03bc", "u")
    try:
        quantity = _registry().Quantity(1.0, text)
    except Exception:  # pint raises a dozen kinds of errors, tokenizer errors included
        quantity = None
    if quantity is None or not text.strip():
        raise AgmpkError(f"The unit {unit!r} is not understood; write it like h, ng/mL or mg.")
    return quantity


@lru_cache(maxsize=1)
def _registry():
    import pint

    return pint.UnitRegistry()
