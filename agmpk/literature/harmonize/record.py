"""One extraction record to one row of the reference dataset, or to a reason for dropping it.

Newly extracted, flat records (`agmpk literature extract`) are read in the published shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agmpk.literature.harmonize.values import (
    Note,
    Notes,
    Quantity,
    dose_mg,
    is_missing,
    positive,
    read_quantity,
)
from agmpk.literature.text import normalize, parse_number
from agmpk.literature.units import convert, parse_unit

NOT_ORAL = ("inhalation", "inhaler", "diskus", "transdermal", "cm^2")
ANIMAL_ONLY = ("altrenogest", "imidocarb", "ceftiofur")  # authorised in animals only
MAX_CLEARANCE = 1e6  # L/h, apparent oral clearance; prodrugs measured unchanged stay below 1e5
AUC_SLACK = 1.02  # rounding of printed values, before AUC > Cmax * t_last is called impossible


@dataclass(frozen=True)
class Result:
    """`row` is None exactly where `reason` says why the record was dropped."""

    row: dict[str, Any] | None
    reason: str
    notes: tuple[Note, ...]


def harmonize_record(record: Mapping[str, Any]) -> Result:
    """Apply the published rules and this project's decisions to one record (see
    `dictionary.py`)."""
    notes = Notes()

    def dropped(reason: str) -> Result:
        return Result(None, reason, tuple(notes.items))

    reason = _not_usable(record)
    if reason:
        return dropped(reason)
    dose, reason = dose_mg(record, notes)
    if dose is None:
        return dropped(reason)
    n_value = positive(record.get("number_of_patients"), "number_of_patients", notes)
    n = int(n_value) if n_value is not None else None
    t_last = _t_last(record, notes)
    entries = record.get("pk_parameters") or {}
    found = {
        name: read_quantity(name, entries.get(name) or {}, n, notes)
        for name in ("Cmax", "Tmax", "AUC0_t", "AUC0_inf")
    }
    tmax = found["Tmax"]
    if tmax is not None and t_last is not None and tmax.value > t_last:
        return dropped(f"impossible: Tmax {tmax.value:g} h after the last sample at {t_last:g} h")
    _check_areas(found, t_last, dose, notes)
    cmax, auc = found["Cmax"], found["AUC0_t"]
    if cmax is None and auc is None:
        return dropped("incomplete: neither Cmax nor AUC0-t with a usable value and unit")
    row: dict[str, Any] = {
        "pmid": str(record["pmid"]) if record.get("pmid") else str(record.get("id", "")),
        "pmcid": record.get("pmcid") or "",
        "year": record.get("year"),
        "compound": str(record.get("compound") or "").strip(),
        "formulation": "" if is_missing(record.get("formulation")) else record["formulation"],
        "dose_mg": dose,
        "n": n,
        "t_last_h": t_last,
    }
    for name, column in (("Cmax", "cmax"), ("AUC0_t", "auc0_t"), ("AUC0_inf", "auc0_inf")):
        row.update(_columns(found[name], column, dose))
    row.update(
        {
            "tmax_h": tmax.value if tmax else None,
            "tmax_kind": tmax.kind if tmax else "",
            "tmax_cv_percent": tmax.cv_percent if tmax else None,
        }
    )
    row["complete"] = bool(cmax and auc and tmax)
    return Result(row, "", tuple(notes.items))


def _columns(quantity: Quantity | None, column: str, dose: float) -> dict[str, Any]:
    if quantity is None:
        return {f"{column}_per_mg": None, f"{column}_kind": "", f"{column}_cv_percent": None}
    return {
        f"{column}_per_mg": quantity.value / dose,
        f"{column}_kind": quantity.kind,
        f"{column}_cv_percent": quantity.cv_percent,
    }


def _not_usable(record: Mapping[str, Any]) -> str:
    route = str(record.get("administration_route") or "not reported").strip().lower()
    if route != "oral":
        return f"route: {route}"
    text = " ".join(
        str(record.get(k) or "") for k in ("compound", "formulation", "dose_unit")
    ).lower()
    if any(word in text for word in NOT_ORAL):
        return "route: labelled oral, but the record describes an inhaled or topical product"
    if any(word in text for word in ANIMAL_ONLY):
        return "species: the compound is authorised in animals only"
    if is_missing(record.get("compound")):
        return "no compound"
    return ""


def _t_last(record: Mapping[str, Any], notes: Notes) -> float | None:
    raw, raw_unit = record.get("last_sample_time"), record.get("last_sample_time_unit")
    if is_missing(raw):
        return None
    value = parse_number(normalize(str(raw)).text)
    unit = None if is_missing(raw_unit) else parse_unit(normalize(str(raw_unit)).text)
    if value is None or value <= 0 or unit is None or unit.kind != "time":
        notes.erased(
            "last_sample_time", f"{raw} {raw_unit or ''}".strip(), "not a time with a unit"
        )
        return None
    return convert(value, unit.text, "h")


def _check_areas(
    found: dict[str, Quantity | None], t_last: float | None, dose: float, notes: Notes
) -> None:
    """No curve can hold more area than Cmax times its length; AUC0-inf cannot be below AUC0-t;
    dose / AUC (mg per ng·h/mL is 1000 L/h) cannot be a clearance beyond `MAX_CLEARANCE`."""
    for name in ("AUC0_t", "AUC0_inf"):
        area = found[name]
        if area and 1000.0 * dose / area.value > MAX_CLEARANCE:
            notes.erased(
                name,
                f"{area.value:g} ng·h/mL",
                f"impossible: dose / AUC is a clearance above {MAX_CLEARANCE:g} L/h, "
                "so the unit must be wrong",
            )
            found[name] = None
    cmax, auc, total = found["Cmax"], found["AUC0_t"], found["AUC0_inf"]
    if cmax and auc and t_last and auc.value > AUC_SLACK * cmax.value * t_last:
        notes.erased(
            "AUC0_t", f"{auc.value:g} ng·h/mL", "impossible: larger than Cmax times t_last"
        )
        found["AUC0_t"] = None
    if auc and total and total.value < auc.value / AUC_SLACK:
        notes.flagged("AUC0_inf", f"{total.value:g} ng·h/mL", "smaller than AUC0-t")


_NAMES = {"Cmax": "cmax", "Tmax": "tmax", "AUC0_t": "auc0_t", "AUC0_inf": "auc0_inf"}


def is_flat(record: Mapping[str, Any]) -> bool:
    """Whether the record is an output line of the extraction rather than a published record."""
    return "pk_parameters" not in record and "id" in record


_PUBLISHED = {"administration_route": "route", "number_of_patients": "n_subjects"} | {
    "last_sample_time": "t_last",
    "last_sample_time_unit": "t_last_unit",
}
_SAME = ("id", "pmid", "pmcid", "year", "compound", "formulation", "dose", "dose_unit")


def nested(record: Mapping[str, Any]) -> dict[str, Any]:
    """The published shape of a flat extraction; a value that was not stated stays missing."""
    parameters = {}
    for name, column in _NAMES.items():
        kind, unit = record.get(f"{column}_dispersion_type"), record.get(f"{column}_unit")
        parameters[name] = {
            "central_tendency": record.get(column),
            "central_tendency_type": record.get(f"{column}_type"),
            "central_tendency_unit": unit,
            "dispersion": record.get(f"{column}_dispersion"),
            "dispersion_type": kind,
            "dispersion_unit": "%" if kind in ("CV%", "GCV%") else unit,
        }
    names = {name: name for name in _SAME} | _PUBLISHED
    return {k: record.get(name) for k, name in names.items()} | {"pk_parameters": parameters}
