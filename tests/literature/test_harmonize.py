"""The reference dataset: rebuilt from the facts, by the published rules."""

import json
import math

import pandas as pd
import pytest

from agmpk.errors import AgmpkError
from agmpk.files import data_path
from agmpk.literature.harmonize import harmonize_file, harmonize_records, write_harmonized

RECORDS = data_path("literature", "be_records.jsonl")


@pytest.fixture(scope="module")
def result():
    return harmonize_file(RECORDS)


def record(**changes):
    base = {
        "compound": "x",
        "administration_route": "oral",
        "formulation": "tablet",
        "dose": 10.0,
        "dose_unit": "mg",
        "number_of_patients": 16,
        "last_sample_time": "24",
        "last_sample_time_unit": "h",
        "pmid": 1,
        "pmcid": "PMC1",
        "year": 2020,
        "pk_parameters": {
            "Cmax": entry(2.0, "µg/mL", "0.5", "SD"),
            "Tmax": entry(90, "min", "60-180", "range"),
            "AUC0_t": entry(8.0, "h·µg/mL", "25", "CV", "%"),
            "AUC0_inf": {},
        },
    }
    base["pk_parameters"] = {**base["pk_parameters"], **changes.pop("pk", {})}
    return {**base, **changes}


def entry(value, unit, dispersion=None, kind=None, dispersion_unit=None):
    return {
        "central_tendency": value,
        "central_tendency_type": "mean",
        "central_tendency_unit": unit,
        "dispersion": dispersion,
        "dispersion_type": kind,
        "dispersion_unit": dispersion_unit or unit,
    }


def one(**changes):
    result = harmonize_records([record(**changes)])
    assert len(result.reference) == 1, result.dropped
    return result.reference.iloc[0], result


@pytest.mark.parametrize("name", ["reference", "dropped", "corrections", "dictionary"])
def test_the_shipped_files_are_what_the_command_writes(result, name, tmp_path):
    write_harmonized(result, tmp_path)
    shipped = data_path("literature", f"{name}.csv").read_text(encoding="utf-8")
    assert (tmp_path / f"{name}.csv").read_text(encoding="utf-8") == shipped


def test_every_record_is_accounted_for(result):
    ids = {str(json.loads(line)["pmid"]) for line in RECORDS.read_text().splitlines()}
    assert set(result.reference.pmid) | set(result.dropped.pmid) == ids
    assert not set(result.reference.pmid) & set(result.dropped.pmid)
    assert (result.dropped.reason.str.len() > 0).all()
    labelled = [json.loads(line) for line in RECORDS.read_text().splitlines()]
    assert sum(r["administration_route"] == "oral" for r in labelled) == 85


def test_units_dose_and_cv_by_hand():
    row, _ = one()
    assert row.cmax_per_mg == pytest.approx(2000 / 10)
    assert row.auc0_t_per_mg == pytest.approx(8000 / 10)
    assert row.tmax_h == pytest.approx(1.5)
    assert row.cmax_cv_percent == pytest.approx(25)
    assert row.auc0_t_cv_percent == pytest.approx(25)
    assert row.tmax_cv_percent == pytest.approx(100 * 2 / 4 / 1.5, rel=1e-5)


@pytest.mark.parametrize(
    ("dispersion", "kind", "cv"),
    [
        ("560", "SD", 28.0),
        ("+560", "SD", 28.0),
        (":560", "SD", 28.0),
        (";560", "SD", 28.0),
        (".", "SD", math.nan),
        ("/", "SD", math.nan),
        ("\x03b54", "SD", math.nan),
        ("missing", "missing", math.nan),
        ("0", "SD", math.nan),
        ("100", "SEM", 20.0),
        ("1500-2500", "IQR", 100 * 1000 / 1.349 / 2000),
        ("1000–3000", "range", 25.0),
        ("99000", "SD", math.nan),
        ("3000-4000", "range", math.nan),
    ],
)
def test_dirty_dispersions(dispersion, kind, cv):
    row, result = one(pk={"Cmax": entry(2000, "ng/mL", dispersion, kind)})
    assert row.cmax_cv_percent == pytest.approx(cv, rel=1e-5, nan_ok=True)
    if dispersion not in ("560", "missing", "100", "1500-2500", "1000–3000"):
        assert len(result.corrections) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"administration_route": "intravenous"}, "route: intravenous"),
        ({"dose": -1.0}, "no dose"),
        ({"dose": None}, "no dose"),
        ({"dose_unit": "mg/kg"}, "body weight"),
        ({"dose_unit": "tablet"}, "not a mass"),
        ({"dose_unit": "IU"}, "not a mass"),
        ({"pk": {"Tmax": entry(48, "h")}}, "impossible: Tmax"),
        ({"pk": {"Cmax": entry(0.0, "ng/mL"), "AUC0_t": entry(5, "missing")}}, "incomplete"),
        ({"compound": "missing"}, "no compound"),
    ],
)
def test_dropped_with_a_reason(changes, reason):
    result = harmonize_records([record(**changes)])
    assert result.reference.empty
    assert reason in result.dropped.reason.iloc[0]


def test_an_impossible_area_is_erased_and_said():
    row, result = one(pk={"AUC0_t": entry(2000 * 25, "ng·h/mL")})
    assert pd.isna(row.auc0_t_per_mg)
    assert "Cmax times t_last" in result.corrections.reason.iloc[0]


def test_the_misprinted_auc_unit_is_corrected_and_said():
    row, result = one(pk={"AUC0_t": entry(8.0, "ug/mL/hour")})
    assert row.auc0_t_per_mg == pytest.approx(800)
    assert list(result.corrections.action) == ["corrected"]


def test_a_flat_extraction_joins_the_published_records():
    flat = {
        "id": "new",
        "compound": "y",
        "route": "oral",
        "dose": 1,
        "dose_unit": "g",
        "n_subjects": 12,
        "cmax": 5.0,
        "cmax_unit": "mg/L",
        "cmax_dispersion": 20.0,
        "cmax_dispersion_type": "CV%",
        "tmax": None,
        "auc0_t": None,
    }
    result = harmonize_records([record(), flat])
    row = result.reference.set_index("pmid").loc["new"]
    assert row.cmax_per_mg == pytest.approx(5.0)
    assert row.cmax_cv_percent == pytest.approx(20)
    assert not row.complete


def test_the_same_article_twice_is_refused():
    with pytest.raises(AgmpkError, match="breaks the rule"):
        harmonize_records([record(), record()])


def test_no_folder_no_files(result, tmp_path):
    with pytest.raises(AgmpkError, match="no such folder"):
        write_harmonized(result, tmp_path / "missing")


def test_an_area_in_the_wrong_unit_is_impossible():
    """2250 mg and 400 ng·h/L would be a clearance of more than five million litres an hour."""
    row, result = one(dose=2250, pk={"AUC0_t": entry(400.0, "ng-h/L")})
    assert pd.isna(row.auc0_t_per_mg)
    assert "clearance" in result.corrections.reason.iloc[0]


def test_a_tiny_spread_is_flagged_not_erased():
    row, result = one(pk={"Cmax": entry(2000, "ng/mL", "40", "SD")})
    assert row.cmax_cv_percent == pytest.approx(2)
    assert list(result.corrections.action) == ["flagged"]


def test_an_unknown_kind_of_central_value_is_told():
    said = {"central_tendency_type": "single value"}
    row, result = one(pk={"Cmax": entry(2000, "ng/mL") | said})
    assert not pd.isna(row.cmax_per_mg) and not row.cmax_kind
    assert result.corrections.reason.tolist() == ["not a known kind of central value"]
