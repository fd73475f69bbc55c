"""Plausibility rules: they flag, they do not erase."""

from __future__ import annotations

from agmpk.literature.extract.schema import Extraction
from agmpk.literature.text import convert, parse_unit

MAX_CV = 150.0  # percent
_KINDS = {"cmax": "concentration", "tmax": "time", "auc0_t": "auc", "auc0_inf": "auc"}


def plausibility_flags(record: Extraction) -> list[str]:
    """Sentences on what cannot be, or hardly can be: negative values, wrong units, Tmax after
    t_last, AUC order."""
    flags = []
    if record.dose is not None and record.dose <= 0:
        flags.append("dose: not above zero")
    if record.n_subjects is not None and record.n_subjects < 3:
        flags.append("n_subjects: fewer than three")
    for name, kind in _KINDS.items():
        value, unit = getattr(record, name), parse_unit(getattr(record, f"{name}_unit"))
        if value is None:
            continue
        if value <= 0:
            flags.append(f"{name}: not above zero")
        if unit is None or unit.kind != kind:
            flags.append(f"{name}: the unit does not measure {kind}")
        spread, spread_kind = (
            getattr(record, f"{name}_dispersion"),
            getattr(record, f"{name}_dispersion_type"),
        )
        if isinstance(spread, float) and spread_kind in ("CV%", "SD"):
            cv = spread if spread_kind == "CV%" else 100 * spread / value if value > 0 else 0.0
            if cv > MAX_CV:
                flags.append(f"{name}: a CV of {cv:.0f} % is above {MAX_CV:g} %")
    _compare(record, "tmax", "t_last", "tmax: later than the last sample", flags)
    _compare(record, "auc0_t", "auc0_inf", "auc0_t: larger than auc0_inf", flags)
    return flags


def _compare(record: Extraction, small: str, large: str, message: str, flags: list[str]) -> None:
    a, b = getattr(record, small), getattr(record, large)
    unit_a, unit_b = (
        parse_unit(getattr(record, f"{small}_unit")),
        parse_unit(getattr(record, f"{large}_unit")),
    )
    if a is None or b is None or unit_a is None or unit_b is None:
        return
    try:
        if convert(a, unit_a.text, unit_b.text) > b * 1.001:
            flags.append(message)
    except ValueError:
        flags.append(f"{small}: its unit and that of {large} do not measure the same thing")
