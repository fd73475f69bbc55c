"""Build the study files of data/ from their sources.

Run from a clone::

    python data/build_studies.py          # writes benchmark/ and development/
    python data/build_studies.py --check  # compares with what is there, writes nothing

Needs nothing but the package itself. The sources and what was assumed are described in
data/README.md.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pandas as pd

DATA = Path(__file__).resolve().parent
sys.path.insert(0, str(DATA.parent))  # the clone's package, installed or not

from agmpk.files import write_csv  # noqa: E402
from agmpk.studies import Dose, Individual, Study, Units, write_study  # noqa: E402

LENUZZA = "lenuzza2016"
FROM_R = {"theophylline": "theoph", "indometacin": "indometh"}  # their files under sources/
INDOMETACIN_DOSE_MG = 25.0  # Kwan et al. 1976
TETRACYCLINE_DOSE_MG = 250.0  # not stated in the source: the usual capsule
# How the source's words are written here. The source gives no infusion durations.
ROUTES = {"oral": "oral", "iv": "iv_bolus"}
DOSE_UNITS = {"mg/kg BW": "mg/kg"}


def slug(name: str) -> str:
    """Return a file name for a compound or cohort."""
    return name.lower().replace(" ", "-") + ".csv"


@dataclass(frozen=True)
class Cohort:
    """A development cohort: its name, its study, and what the catalogue says of it. Cohorts with
    the same ``people_of`` share people, who have the same ID in each of them."""

    name: str
    study: Study
    source: str
    drug: str = ""
    medium: str = "plasma"
    people_of: str = ""


def individual(id: object, rows: pd.DataFrame, *doses: Dose) -> Individual:
    """Return one individual from rows with the columns time and value."""
    rows = rows.sort_values("time", kind="stable")
    return Individual(str(id), rows["time"], rows["value"], doses)


def lenuzza_study(rows: pd.DataFrame) -> Study:
    """Return one analyte of Lenuzza et al. 2016; the ID is the number after the '_', which is the
    same person across analytes."""
    rows = rows.rename(columns={"time_h": "time", "conc_ng_ml": "value"})
    rows = rows.assign(id=rows["subject"].str.rsplit("_", n=1).str[1].astype(int))
    dose = Dose(0.0, float(rows["dose_mg"].iloc[0]), "oral")
    people = [individual(id, mine, dose) for id, mine in rows.groupby("id")]
    return Study(str(rows["drug"].iloc[0]), tuple(people))


def r_study(compound: str) -> Study:
    """Return theophylline or indometacin from R's data sets (mg/L there, written as mg/L)."""
    frame = pd.read_csv(DATA / "benchmark" / "sources" / f"{FROM_R[compound]}.csv")
    frame = frame.rename(columns={"Time": "time", "conc": "value"})
    people = []
    for id, mine in frame.groupby("Subject"):
        if compound == "theophylline":
            dose = Dose(0.0, float(mine["Dose"].iloc[0]), "oral")
        else:
            dose = Dose(0.0, INDOMETACIN_DOSE_MG, "iv_bolus")
        people.append(individual(id, mine, dose))
    unit = "mg/kg" if compound == "theophylline" else "mg"
    return Study(compound, tuple(people), Units("h", "mg/L", unit))


def listed(study: Study, file: str, drug: str, source: str) -> dict[str, object]:
    """Return a study's row of a catalogue."""
    doses = [dose for one in study for dose in one.doses]
    amounts = sorted({dose.amount for dose in doses})
    return {
        "compound": study.compound,
        "file": file,
        "administered_drug": drug,
        "kind": "parent" if study.compound == drug else "metabolite",
        "route": doses[0].route,
        # a range where the individuals' doses differ
        "dose": "-".join(f"{amount:g}" for amount in {amounts[0]: 0, amounts[-1]: 0}),
        "dose_unit": study.units.dose,
        "concentration_unit": study.units.concentration,
        "n_individuals": len(study),
        "n_observations": sum(len(one) for one in study),
        "source": source,
    }


def build_benchmark(out: Path) -> None:
    """Write the 20 studies of the benchmark and their catalogue, in the published order."""
    sources = DATA / "benchmark"
    table = pd.read_csv(sources / "sources" / "lenuzza2016.csv")
    drugs = table.groupby("drug")["administered_drug"].first()
    rows = []
    for compound in pd.read_csv(sources / "published_log_rmse.csv")["compound"]:
        if compound in FROM_R:
            study, drug, source = r_study(compound), compound, FROM_R[compound]
        else:
            study = lenuzza_study(table[table["drug"] == compound])
            drug, source = drugs[compound], LENUZZA
        rows.append(save(study, out / "benchmark", slug(compound), drug, source))
    write_csv(pd.DataFrame(rows), out / "benchmark" / "compounds.csv")


def development_source(name: str) -> pd.DataFrame:
    """Return a table of development/sources."""
    return pd.read_csv(DATA / "development" / "sources" / f"{name}.csv")


def digitized_cohorts() -> Iterator[Cohort]:
    """Yield the cohorts of development_cohorts.csv, but mavoglurant: one dose at time 0 each."""
    table = development_source("development_cohorts")
    table = table.rename(columns={"time_h": "time", "conc": "value"})
    table = table[table["drug"] != "mavoglurant"]  # see mavoglurant_cohorts
    for source_name, mine in table.groupby("cohort", sort=False):
        cohort = str(source_name).replace("_per_kg_BW", "_per_kg")
        first = mine.iloc[0]
        dose = Dose(0.0, float(first["dose"]), ROUTES[first["route"]])
        people = [individual(id, his, dose) for id, his in mine.groupby("subject")]
        unit = DOSE_UNITS.get(first["dose_unit"], first["dose_unit"])
        study = Study(str(first["drug"]), tuple(people), Units("h", first["conc_unit"], unit))
        drug = {"s-methyl-captopril": "captopril"}.get(study.compound, study.compound)
        yield Cohort(cohort, study, str(first["source"]), drug, str(first["medium"]))


def mavoglurant_cohorts() -> Iterator[Cohort]:
    """Yield mavoglurant by dose: infusions of AMT / RATE hours. The ID is the person, who may be
    in two of the cohorts (occasions) and never twice in one. Rows with MDV 1 are left out."""
    table = development_source("mavoglurant")
    given, seen = table[table["EVID"] == 1], table[(table["EVID"] == 0) & (table["MDV"] == 0)]
    for amount, doses in given.groupby("AMT"):
        people = []
        for row in doses.itertuples():
            dose = Dose(row.TIME, row.AMT, "iv_infusion", row.AMT / row.RATE)
            mine = seen[(seen["ID"] == row.ID) & (seen["OCC"] == row.OCC)]
            people.append(individual(row.ID, averaged(mine), dose))
        study = Study("mavoglurant", tuple(people))
        source = "nlmixr2data::mavoglurant (Wendling 2016)"
        yield Cohort(f"mavoglurant-{amount:g}mg", study, source, people_of="mavoglurant")


def warfarin_cohort() -> Cohort:
    """Return warfarin: one oral dose by weight each, with the zeros of the lag."""
    table = development_source("warfarin")
    people = [
        individual(id, averaged(mine[mine["EVID"] == 0]), Dose(0.0, mine["AMT"].max(), "oral"))
        for id, mine in table.groupby("ID")
    ]
    study = Study("warfarin", tuple(people), Units("h", "mg/L", "mg"))
    return Cohort("warfarin", study, "nlmixr2data::warfarin (O'Reilly 1963, 1968)")


def phenobarbital_cohort() -> Cohort:
    """Return phenobarbital in newborns: each with intravenous doses of their own."""
    people = []
    for id, mine in development_source("phenobarbital").groupby("ID"):
        doses = tuple(
            Dose(row.TIME, row.AMT, "iv_bolus") for row in mine[mine["EVID"] == 1].itertuples()
        )
        people.append(individual(id, averaged(mine[mine["EVID"] == 0]), *doses))
    study = Study("phenobarbital", tuple(people), Units("h", "mg/L", "mg"))
    return Cohort("phenobarbital", study, "nlme::Phenobarb (Grasela and Donn 1985)")


def tetracycline_cohorts() -> Iterator[Cohort]:
    """Yield tetracycline by formulation: a crossover of five people."""
    table = development_source("tetracycline").rename(columns={"Time": "time", "conc": "value"})
    dose = Dose(0.0, TETRACYCLINE_DOSE_MG, "oral")
    for formulation, mine in table.groupby("Formulation"):
        people = [individual(id, his, dose) for id, his in mine.groupby("Subject")]
        study = Study("tetracycline", tuple(people), Units("h", "mg/L", "mg"))
        name = f"tetracycline-{formulation}"
        yield Cohort(name, study, "nlme::Tetracycline1", people_of="tetracycline")


def averaged(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the samples (time, value), two of them at one time as their mean."""
    return rows.groupby("TIME", as_index=False)["DV"].mean().set_axis(["time", "value"], axis=1)


def build_development(out: Path) -> None:
    """Write the development cohorts and their catalogue."""
    digitized = list(digitized_cohorts())
    cohorts = [*digitized[:3], *mavoglurant_cohorts(), *digitized[3:]]
    cohorts += [warfarin_cohort(), phenobarbital_cohort(), *tetracycline_cohorts()]
    rows = []
    for cohort in cohorts:
        study = cohort.study
        drug = cohort.drug or study.compound
        row = save(study, out / "development", slug(cohort.name), drug, cohort.source)
        at_first = sum(one.concentrations.argmax() == 0 for one in study if len(one))
        repeated = any(len(one.single_doses()) > 1 for one in study)
        extra = {
            "medium": cohort.medium,
            "n_peak_at_first_sample": at_first,
            "dosing": "repeated" if repeated else "single",
            "people": cohort.people_of or cohort.name,
        }
        rows.append({"cohort": cohort.name, **row, **extra})
    write_csv(pd.DataFrame(rows), out / "development" / "cohorts.csv")


def save(study: Study, folder: Path, file: str, drug: str, source: str) -> dict[str, object]:
    """Write a study and return its row of the catalogue."""
    (folder / "studies").mkdir(parents=True, exist_ok=True)
    write_study(study, folder / "studies" / file)
    return listed(study, f"studies/{file}", drug, source)


def built_files(root: Path) -> dict[str, bytes]:
    """Return the built files under a data folder by their relative names."""
    names = ["benchmark/compounds.csv", "development/cohorts.csv"]
    paths = [root / name for name in names if (root / name).exists()]
    paths += [*root.glob("benchmark/studies/*"), *root.glob("development/studies/*")]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


@click.command()
@click.option("--check", is_flag=True, help="Compare with a rebuild; write nothing.")
def main(check: bool) -> None:
    """Build the study files of data/ from their sources."""
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) if check else DATA
        build_benchmark(out)
        build_development(out)
        if check:
            there, rebuilt = built_files(DATA), built_files(out)
            names = sorted(there.keys() | rebuilt.keys())
            different = [name for name in names if there.get(name) != rebuilt.get(name)]
            if different:
                raise click.ClickException(
                    f"these files differ from a rebuild: {', '.join(different)}; "
                    "run python data/build_studies.py"
                )
            click.echo(f"{len(names)} files equal a rebuild.")
        else:
            click.echo(f"{len(built_files(DATA))} files written under {DATA}.")


if __name__ == "__main__":
    main()
