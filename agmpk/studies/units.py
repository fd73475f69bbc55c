"""Units of a study, and their conversion: the usual ones by a table, all others by pint.

The table answers in microseconds what pint's registry takes half a second to be loaded for; a test
holds the one against the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from agmpk.errors import AgmpkError

# Dimensions a unit may have, each with an example. A dose per body weight (mg/kg) is dimensionless
# to pint.
_ALLOWED = {
    "time": {"time": "h"},
    "concentration": {"mass/volume": "ng/mL", "amount/volume": "mol/L"},
    "dose": {"mass": "mg", "amount": "mol", "mass/mass": "mg/kg", "amount/mass": "mol/kg"},
}
_PREFIXES = {"k": 3, "": 0, "d": -1, "c": -2, "m": -3, "u": -6, "mc": -6, "n": -9, "p": -12}
_BASES = {"g": "mass", "mol": "amount", "L": "volume", "l": "volume"}
_SECONDS = {
    "h hr hrs hour hours": 3600,
    "min minute minutes": 60,
    "s sec second seconds": 1,
    "d day days": 86400,
    "week weeks": 604800,
}
_USUAL = {
    **{name: ("time", Fraction(n)) for names, n in _SECONDS.items() for name in names.split()},
    **{
        prefix + base: (dimension, Fraction(10) ** power)
        for prefix, power in _PREFIXES.items()
        for base, dimension in _BASES.items()
    },
}
# What may be handed to pint, which evaluates powers: no long numbers, no towers of them.
_WRITTEN_LIKE_A_UNIT = re.compile(
    r"(?:[^\W\d]|[ ./%·∙×()\[\]-]|\^-?\d(?!\d)|\*(?!\*)|\d{1,4}(?!\d))+"
)


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
    if (usual := _usual(unit)) and usual[0] in _ALLOWED[kind]:
        return
    found, examples = _quantity(unit), _ALLOWED[kind].values()
    for reference in map(_quantity, examples):
        same = found.dimensionality == reference.dimensionality
        # A stroke tells mg/kg from a bare number or a fraction such as %.
        if same and ("/" in unit or not reference.dimensionless):
            return
    raise AgmpkError(
        f"The {kind} unit {unit!r} does not measure a {kind}; "
        f"use for example {' or '.join(examples)}."
    )


@lru_cache(maxsize=256)
def conversion_factor(source: str, target: str) -> float:
    """Return the number that turns a value in ``source`` into one in ``target``.

    Raises:
        AgmpkError: a unit cannot be parsed, or the two measure different things.
    """
    ours, theirs = _usual(source), _usual(target)
    if ours and theirs and ours[0] == theirs[0]:
        return float(ours[1] / theirs[1])
    import pint

    try:
        return float(_quantity(source).to(_quantity(target).units).magnitude)
    except pint.DimensionalityError:
        raise AgmpkError(
            f"{source!r} cannot be converted into {target!r}; they measure different things."
        ) from None


def _usual(unit: str) -> tuple[str, Fraction] | None:
    """The dimension and the size of a usual unit; None for any other."""
    found = [_USUAL.get(part.strip()) for part in _without_mu(unit).split("/")]
    if len(found) > 2 or None in found:
        return None
    if len(found) == 1:
        return found[0]
    (above, size), (below, other) = found
    return f"{above}/{below}", size / other


def _without_mu(unit: str) -> str:
    return unit.replace("\u00b5", "u").replace("\u03bc", "u")


@lru_cache(maxsize=256)
def _quantity(unit: str):
    text = _without_mu(unit)
    try:
        if len(text) > 60 or not _WRITTEN_LIKE_A_UNIT.fullmatch(text):
            raise ValueError
        quantity = _registry().Quantity(1.0, text)
    except Exception:  # pint raises a dozen kinds of errors, tokenizer errors included
        quantity = None
    if quantity is None or not text.strip():
        unit = unit if len(unit) <= 60 else unit[:60] + "..."
        raise AgmpkError(f"The unit {unit!r} is not understood; write it like h, ng/mL or mg.")
    return quantity


@lru_cache(maxsize=1)
def _registry():
    import pint

    return pint.UnitRegistry()
