"""The dialects of a NONMEM-style table that are read, and what they mean."""

import pytest

from agmpk.errors import AgmpkError, TableError
from agmpk.studies import Dose, read_studies, read_study

PLAIN = "ID,TIME,DV,AMT,EVID,MDV\n1,0,.,100,1,1\n1,1,5.5,.,0,0\n1,2,3.5,.,0,0\n"


@pytest.fixture
def path(tmp_path):
    def write(content, name="caffeine.csv"):
        (tmp_path / name).write_text(content, encoding="utf-8")
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", "  "),
        PLAIN.replace(",", " , "),
        PLAIN.lower(),
        PLAIN.replace(".,", ","),
        PLAIN.replace(".,", "NA,"),
        PLAIN.replace(",EVID,MDV", "").replace(",1,1\n", "\n").replace(",0,0\n", "\n"),
        PLAIN.replace("100,1,1", "100,.,."),
        "#" + PLAIN,
        "@" + PLAIN,
        "# made by hand: ID TIME DV\n" + PLAIN,
        "# made by hand\n\n" + PLAIN + "# the end\n\n",
        PLAIN.replace("\n", ",\n"),
        PLAIN.replace("\n1,2", "\n@1,9,9,.,0,0\n#1,9,9,.,0,0\nC,1,9,9,.,0,0\nC a remark\n1,2"),
        "C," + PLAIN.replace("\n1", "\n.,1") + "C,1,9,9,.,0,0\n",
        PLAIN + "1,3,.,.,2,1\n1,4,7,.,0,1\n",
        PLAIN.replace("MDV", "WEIGHT"),
        PLAIN.replace("5.5", "55D-1").replace("3.5", "+3.5e0"),
        'ID,"TIME","DV",AMT,EVID,MDV\n"1",0,.,100,1,1\n1,1,"5.5",.,0,0\n1,2,3.5,.,0,0\n',
        "TABLE NO.  1\n" + PLAIN.replace(",", "  "),
    ],
)
def test_dialects_mean_the_same(path, content):
    study = read_study(path(content))
    assert study.compound == "caffeine" and study.units.concentration == "ng/mL"
    (one,) = study
    assert one.id == "1" and one.doses == (Dose(0, 100, "oral"),)
    assert one.times.tolist() == [1, 2] and one.concentrations.tolist() == [5.5, 3.5]


def test_an_individual_called_C_is_kept(path):
    assert read_study(path(PLAIN + "C,0,.,100,1,1\nC,1,2,.,0,0\n")).ids == ("1", "C")


def test_an_individual_without_observations_is_a_target(path):
    study = read_study(path(PLAIN + "2,0,.,50,1,1\n"))
    assert len(study["2"]) == 0 and study["2"].doses == (Dose(0, 50),)


@pytest.mark.parametrize(
    ("columns", "cells", "dose"),
    [
        ("ROUTE", "oral", Dose(0, 100, "oral")),
        ("ROUTE", "PO", Dose(0, 100, "oral")),
        ("ROUTE", "IV bolus", Dose(0, 100, "iv_bolus")),
        ("ROUTE", "iv", Dose(0, 100, "iv_bolus")),
        ("ROUTE,RATE", "iv,50", Dose(0, 100, "iv_infusion", 2)),
        ("ROUTE,DUR", "infusion,0.25", Dose(0, 100, "iv_infusion", 0.25)),
        ("ROUTE,DUR,RATE", "infusion,2,50", Dose(0, 100, "iv_infusion", 2)),
        ("ROUTE,CMT", "oral,2", Dose(0, 100, "oral")),
        ("ROUTE,CMT", ".,2", Dose(0, 100, "iv_bolus")),
        ("CMT", "1", Dose(0, 100, "oral")),
        ("CMT", "2", Dose(0, 100, "iv_bolus")),
        ("CMT,RATE", "2,200", Dose(0, 100, "iv_infusion", 0.5)),
        ("RATE", "200", Dose(0, 100, "iv_infusion", 0.5)),
        ("RATE", "0", Dose(0, 100, "oral")),
        ("ADDL,II", "3,12", Dose(0, 100, "oral", 0, 3, 12)),
        ("SS", "0", Dose(0, 100, "oral")),
    ],
)
def test_doses(path, columns, cells, dose):
    blanks = ",".join("." for _ in columns.split(","))
    content = f"ID,TIME,DV,AMT,{columns}\n1,0,.,100,{cells}\n1,1,5,.,{blanks}\n"
    assert read_study(path(content))["1"].doses == (dose,)


@pytest.mark.parametrize(
    ("columns", "cells", "column"),
    [("CMT", "3", "CMT"), ("CMT,RATE", "1,50", "CMT"), ("RATE,DUR", "50,3", "DUR")],
)
def test_doses_that_cannot_be_placed(path, columns, cells, column):
    with pytest.raises(TableError, match=f"row 2, column {column}"):
        read_study(path(f"ID,TIME,DV,AMT,{columns}\n1,0,.,100,{cells}\n"))


def test_censored_observations_hold_their_limit(path):
    content = (
        "ID,TIME,DV,AMT,CENS,LLOQ\n1,0,.,100,.,.\n1,1,5,.,0,0.5\n"
        "1,2,0.5,.,1,.\n1,3,.,.,1,0.5\n1,4,0.1,.,1,0.5\n"
    )
    study = read_study(path(content))
    assert study.lloq == 0.5
    assert study["1"].concentrations.tolist() == [5, 0.5, 0.5, 0.5]
    assert study["1"].censored.tolist() == [False, True, True, True]
    with pytest.raises(TableError, match="row 3, column DV: the censored value 5 is above"):
        read_study(path("ID,TIME,DV,AMT,CENS,LLOQ\n1,0,.,100,.,.\n1,1,5,.,1,0.5\n"))


def test_the_units_line(path):
    head = "# agmpk units: time=min concentration=ug/mL dose=mg/kg compound='drug X' lloq=0.1\n"
    content = head + "ID,TIME,DV,AMT,RATE,ADDL,II,CENS\n1,0,.,100,10,1,720,.\n1,30,.,.,.,.,.,1\n"
    study = read_study(path(content))
    assert (study.compound, study.lloq) == ("drug X", 0.1)
    assert (study.units.time, study.units.concentration, study.units.dose) == (
        "h",
        "ug/mL",
        "mg/kg",
    )
    one = study["1"]
    assert one.times.tolist() == pytest.approx([0.5]) and one.concentrations.tolist() == [0.1]
    assert one.doses[0].duration == pytest.approx(1 / 6)
    assert one.doses[0].interval == pytest.approx(12)
    assert read_study(path(content), compound="mine").compound == "mine"


MANY = """\
ID,TIME,DV,AMT,{name}
1,0,.,100,{dose}
1,1,5,.,parent
1,1,2,.,metabolite
2,0,.,50,{dose}
2,1,4,.,parent
3,0,.,70,{dose}
"""


@pytest.mark.parametrize("name", ["DVID", "analyte", "Drug"])
@pytest.mark.parametrize("dose", [".", "0", "parent"])
def test_analytes_share_the_doses_of_the_parent(path, name, dose):
    file = path(MANY.format(name=name, dose=dose))
    studies = read_studies(file)
    assert list(studies) == ["parent", "metabolite"]
    assert studies["parent"].ids == ("1", "2", "3")
    # individual 2 has the parent measured only; individual 3 has no observation: a target
    assert studies["metabolite"].ids == ("1", "3")
    assert studies["metabolite"]["1"].doses == (Dose(0, 100),)
    assert read_study(file, analyte="metabolite") == studies["metabolite"]
    with pytest.raises(AgmpkError, match="several analytes"):
        read_study(file)
    with pytest.raises(AgmpkError, match="no analyte x; it has parent, metabolite"):
        read_study(file, analyte="x")


def test_several_drugs_keep_their_doses(path):
    content = "ID,TIME,DV,AMT,DRUG\n1,0,.,100,a\n1,0,.,20,b\n1,1,5,.,a\n1,1,2,.,b\n"
    studies = read_studies(path(content))
    assert studies["a"]["1"].doses == (Dose(0, 100),)
    assert studies["b"]["1"].doses == (Dose(0, 20),)
    with pytest.raises(TableError, match="row 6, column DRUG: c has no dose of its own"):
        read_studies(path(content + "1,1,3,.,c\n"))
    with pytest.raises(TableError, match="row 6, column DRUG: the observation has no analyte"):
        read_studies(path(content + "1,1,3,.,.\n"))


def test_several_studies(path):
    content = "STUDY,ID,TIME,DV,AMT\nA,1,0,.,100\nA,1,1,5,.\nB,1,0,.,50\nB,1,1,4,.\n"
    studies = read_studies(path(content))
    assert list(studies) == ["A", "B"]
    assert studies["B"]["1"].doses == (Dose(0, 50),)
    assert {study.compound for study in studies.values()} == {"caffeine"}
    with pytest.raises(AgmpkError, match="several studies"):
        read_study(path(content))


def test_analytes_one_below_the_other(path):
    content = (
        "ID,TIME,DV,AMT,DVID\n1,0,.,100,.\n2,0,.,100,.\n"
        "1,1,5,.,1\n2,1,6,.,1\n1,1,2,.,2\n2,1,3,.,2\n"
    )
    studies = read_studies(path(content))
    assert list(studies) == ["1", "2"] and studies["2"]["2"].concentrations.tolist() == [3]
