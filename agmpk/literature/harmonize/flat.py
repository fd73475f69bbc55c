"""Newly extracted, flat records (`agmpk literature extract`) in the shape of the published ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NAMES = {"Cmax": "cmax", "Tmax": "tmax", "AUC0_t": "auc0_t", "AUC0_inf": "auc0_inf"}


def is_flat(record: Mapping[str, Any]) -> bool:
    """Whether the record is an output line of the extraction rather than a published record."""
    return "pk_parameters" not in record and "id" in record


def nested(record: Mapping[str, Any]) -> dict[str, Any]:
    """The published shape of a flat extraction; a value that was not stated stays missing."""
    parameters = {}
    for name, column in _NAMES.items():
        kind = record.get(f"{column}_dispersion_type")
        percent = kind in ("CV%", "GCV%")
        parameters[name] = {
            "central_tendency": record.get(column),
            "central_tendency_type": record.get(f"{column}_type"),
            "central_tendency_unit": record.get(f"{column}_unit"),
            "dispersion": record.get(f"{column}_dispersion"),
            "dispersion_type": kind,
            "dispersion_unit": "%" if percent else record.get(f"{column}_unit"),
        }
    return {
        "id": record["id"],
        "pmid": record.get("pmid"),
        "pmcid": record.get("pmcid"),
        "year": record.get("year"),
        "compound": record.get("compound"),
        "administration_route": record.get("route"),
        "formulation": record.get("formulation"),
        "dose": record.get("dose"),
        "dose_unit": record.get("dose_unit"),
        "number_of_patients": record.get("n_subjects"),
        "last_sample_time": record.get("t_last"),
        "last_sample_time_unit": record.get("t_last_unit"),
        "pk_parameters": parameters,
    }
