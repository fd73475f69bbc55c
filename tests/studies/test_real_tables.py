"""Tables after the shapes of public data sets: each is read right, or refused with a remedy that
works. The small ones stand in ``data/``; their right values were worked out by hand."""

import contextlib
import io
import re
import shutil
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from agmpk.cli import main
from agmpk.errors import AgmpkError, TableError
from agmpk.studies import Dose, read_studies, read_study, read_table

DATA = Path(__file__).parent / "data"
ORAL = Dose(0, 100, "oral")


def table(name):
    return DATA / f"{name}.csv"


def agmpk(*arguments):
    """The command in this process: status and what it prints."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["agmpk", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
    return status, out.getvalue(), err.getvalue()


@pytest.fixture
def write(tmp_path):
    def write(content, name="study.csv"):
        (tmp_path / name).write_text(content, encoding="utf-8")
        return tmp_path / name

    return write


def forecast(path, out, *options):
    """A naive leave-one-out forecast as a table."""
    arguments = ["--leave-one-out", "--model", "naive", *options, "--out", out]
    status, _, err = agmpk("forecast", path, *arguments)
    assert status == 0, err
    return pd.read_csv(out, dtype={"ID": str})


# ------------------------------------------------------------------------- tables as they are


@pytest.mark.parametrize(
    "name",
    ["BLQ", "BLOQ", "BQL", "BLQFL", "blqfn", "CENS", "LLOQ"],
)
def test_values_below_the_limit_whatever_the_flag_is_called(name, write, tmp_path):
    text = table("blq_flag_blq").read_text()
    path = write(text.replace("BLQ", name, 1))
    study = read_study(path)
    assert sum(one.censored.sum() for one in study) == 13
    assert {v for one in study for v in one.concentrations[one.censored]} == {0.1}
    assert study == read_study(write(text.replace("BLQ", "CENS", 1), "sub.csv"), compound="study")
    assert len(forecast(path, tmp_path / "f.csv")) == 23


def test_flags_in_words_and_flags_that_disagree(write):
    rows = "1,0,.,100,N\n1,1,5,.,N\n1,2,0.1,.,Y\n"
    study = read_study(write("ID,TIME,DV,AMT,BLQFL\n" + rows))
    assert study["1"].censored.tolist() == [False, True]
    two = "ID,TIME,DV,AMT,CENS,BLQ\n1,0,.,100,0,0\n1,1,0.1,.,0,1\n"
    with pytest.raises(TableError, match="row 3, column BLQ: .*--columns CENS=BLQ"):
        read_study(write(two))
    study = read_study(write(two), columns={"CENS": "BLQ"})
    assert study["1"].censored.tolist() == [True]


@pytest.mark.parametrize(
    "cell", ["BLQ", "bloq", "BQL", "LLOQ", "ND", "n.d.", "BDL", "LDL", "BLD", "LOD", "NQ", "<LOD",
             "not detected", "Below limit"]
)  # fmt: skip
def test_words_for_a_value_below_the_limit(write, cell):
    rows = f"ID,TIME,DV,AMT\n1,0,.,100\n1,1,5,.\n1,2,{cell},.\n"
    one = read_study(write(rows), lloq=0.5).individuals[0]
    assert one.censored.tolist() == [False, True] and one.concentrations[1] == 0.5
    with pytest.raises(TableError, match="row 4, column DV: .*--lloq"):
        read_study(write(rows))


@pytest.mark.parametrize("cell", ["ALQ", "ALOQ", "ULOQ", ">500", "above limit"])
def test_a_value_above_the_limit_is_not_one_below_it(write, cell):
    rows = f"ID,TIME,DV,AMT\n1,0,.,100\n1,1,{cell},.\n1,2,5,.\n"
    with pytest.raises(TableError, match="row 3, column DV: .* above the assay's range.*MDV 1"):
        read_study(write(rows), lloq=0.5)
    one = read_study(write(rows.replace(cell, "."))).individuals[0]  # as the remedy says
    assert one.times.tolist() == [2.0] and one.concentrations.tolist() == [5.0]


@pytest.mark.parametrize(
    "row, said",
    {
        "1,01.02.2024 08:00,.,5": "column TIME: 01.02.2024 08:00 is a date; .* a column DATE",
        "1,03-JAN-24,.,5": "column TIME: 03-JAN-24 is a date",
        "1,0.5-1.5,.,5": "column TIME: 0.5-1.5 is text",
        "1,>24,.,5": "column TIME: >24 is text",
        "1,0,.,20 bid 5": "column AMT: 20 bid 5 is text",
        "1,0,.,5 mg/kg": "column AMT: 5 mg/kg holds a unit; .*--units",
        "1,0,.,100mg": "column AMT: 100mg holds a unit",
        "1,0,.,1.234,5": "has 5 fields",
        '1,0,.,"1.234,5"': "column AMT: 1.234,5 has points that group thousands",
        "1,0,3,5": "column DV: a dose row holds .* --dose-at 0",
    }.items(),
)
def test_remedies_fit_what_people_write(write, row, said):
    with pytest.raises(TableError, match=said):
        read_study(write(f"ID,TIME,DV,AMT\n{row}\n1,1,2,.\n"))


@pytest.mark.parametrize("route", ["SC", "im", "subcutaneous"])
def test_other_absorbed_doses_are_oral_and_told(write, route):
    path = write(f"ID,TIME,DV,AMT,ROUTE\n1,0,.,5,{route}\n1,1,2,.,.\n")
    assert read_study(path).individuals[0].doses[0].route == "oral"
    assert any("1 dose(s) neither oral" in note for note in read_table(path).notes)


def test_a_route_that_is_spelled_otherwise_is_refused(write):
    with pytest.raises(TableError, match="the route Intra-nasal is unknown"):
        read_study(write("ID,TIME,DV,AMT,ROUTE\n1,0,.,5,Intra-nasal\n1,1,2,.,.\n"))


def test_units_of_activity_are_refused_with_a_way_through(write):
    rows = "ID,TIME,DV,AMT\n1,0,.,5000\n1,1,2,.\n"
    for dose, concentration in (
        ("IU", "IU/mL"),
        ("U", "mU/L"),
        ("MIU", "IU/L"),
        ("units/kg", "U/L"),
    ):
        for units in ({"dose": dose}, {"concentration": concentration}):
            with pytest.raises(
                AgmpkError, match="one of activity.*dose=mg and concentration=mg/mL"
            ):
                read_study(write(rows), units=units)
    assert read_study(write(rows), units={"dose": "mg", "concentration": "mg/mL"})


def test_time_after_dose_is_time_for_one_dose_only(write):
    with pytest.raises(
        TableError, match="if each ID has one dose, .* --columns TIME=TAD, else write"
    ):
        read_study(write("ID,TAD,DV,AMT\n1,0,.,5\n1,1,2,.\n"))


def test_a_limit_without_flags(write):
    text = "ID,TIME,DV,AMT\n1,0,.,100\n1,1,5,.\n1,2,<0.5,.\n1,3,BLQ,.\n1,4,0.2,.\n1,5,0,.\n"
    with pytest.raises(TableError, match="row 5, column DV: BLQ is text.*--lloq"):
        read_study(write(text))
    one = read_study(write(text), lloq=0.5)["1"]
    assert one.censored.tolist() == [False, True, True, True, True]
    assert one.concentrations.tolist() == [5, 0.5, 0.5, 0.5, 0.5]


def test_occasions_of_a_crossover(write, tmp_path):
    path = write(table("crossover_remedy").read_text())
    with pytest.raises(TableError, match="give each occasion its own ID, as --occasion split"):
        read_study(path)
    study = read_study(path, occasion="split")
    assert len(study) == 12 and study.people == ("1", "2", "3", "4", "5", "6")
    assert study.ids[:2] == ("1.1", "1.2") and study["1.2"].person == "1"
    frame = pd.read_csv(path)
    for one in study:
        id, occasion = map(int, one.id.split("."))
        mine = frame[(frame.ID == id) & (frame.OCC == occasion) & (frame.EVID == 0)]
        assert one.times.tolist() == mine.TIME.tolist() and one.doses == (ORAL,)
        assert one.concentrations.tolist() == mine.DV.astype(float).tolist()
    # A context never holds another occasion of the person whose curve is asked.
    assert not {"1.1", "1.2"} & set(study.without("1.1").ids)
    with pytest.raises(TableError):  # two periods are never read as one curve
        read_study(path, occasion="as-is")
    status, _, err = agmpk("forecast", path, "--leave-one-out", "--out", tmp_path / "f.csv")
    assert status == 2 and "give each occasion its own ID" in err


@pytest.mark.parametrize("reset", ["4", "3"])
def test_resets_and_restarts_are_occasions(reset, write):
    start = "1,0,.,100,4\n" if reset == "4" else "1,0,.,.,3\n1,0,.,100,1\n"
    head, first, rest = "ID,TIME,DV,AMT,EVID\n", "1,0,.,100,1\n1,1,5,.,0\n", "1,1,6,.,0\n"
    with pytest.raises(TableError, match="as --occasion split does"):
        read_study(write(head + first + start + rest))
    for text in (head + first + start + rest, head + first + "1,0,.,100,1\n" + rest):
        study = read_study(write(text), occasion="split")
        assert study.ids == ("1.1", "1.2") and study["1.2"].concentrations.tolist() == [6]


def test_occasions_without_a_restart_are_one_curve(write):
    text = "ID,TIME,DV,AMT,OCC\n1,0,.,100,1\n1,1,5,.,1\n1,24,.,100,2\n1,25,6,.,2\n"
    assert len(read_study(write(text))["1"]) == 2
    assert len(read_study(write(text), occasion="split")) == 2
    mixed = "ID,TIME,DV,AMT,OCC\n1,0,.,100,1\n1,1,5,.,1\n1,1.1,6,.,2\n1,2,4,.,1\n"
    with pytest.raises(TableError, match="row 5, column OCC: occasions of one ID overlap"):
        read_study(write(mixed))


def test_rows_out_of_order_are_sorted_when_asked(write):
    text = "ID,TIME,DV,AMT\n1,0,.,100\n1,2,4,.\n1,1,5,.\n"
    with pytest.raises(TableError, match="sort the rows of each ID by TIME, as --occasion as-is"):
        read_study(write(text))
    assert read_study(write(text), occasion="as-is")["1"].concentrations.tolist() == [5, 4]


def test_a_date_beside_the_time_of_the_day():
    study = read_study(table("date_and_time_of_day"))
    for one in study:
        assert one.doses == (ORAL,)
        assert one.times[-3:].tolist() == pytest.approx([37.5, 38, 39])
        assert one.times[0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("DATE", "2024-02-29", "2024-03-01"),
        ("DATE", "13/05/2024", "14/05/2024"),
        ("DATE", "05/13/24", "05/14/24"),
        ("DAT1", "01/05/24", "02/05/24"),
        ("DAT2", "24/05/01", "24/05/02"),
        ("DAT3", "24/01/05", "24/02/05"),
        ("DATE", "7", "8"),
        ("DATE", "20240229", "20240301"),
        ("DATE", "31DEC2023", "01JAN2024"),
    ],
)
@pytest.mark.parametrize("clock", [("9:30", "22:00", "08:00"), ("9.5", "22", "8")])
def test_forms_of_dates(name, first, second, clock, write):
    a, b, c = clock
    text = f"ID,{name},TIME,DV,AMT\n1,{first},{a},.,100\n1,{first},{b},5,.\n1,{second},{c},4,.\n"
    assert read_study(write(text))["1"].times.tolist() == pytest.approx([12.5, 22.5])


def test_dates_that_cannot_be_read_safely(write):
    unclear = "ID,DATE,TIME,DV,AMT\n1,01/02/24,8,.,100\n1,02/02/24,9,5,.\n"
    with pytest.raises(TableError, match="write dates as 2024-03-01.*--columns DATE="):
        read_study(write(unclear))
    elapsed = "ID,DATE,TIME,DV,AMT\n1,2024-02-01,0,.,100\n1,2024-02-02,26,5,.\n"
    with pytest.raises(TableError, match="not the time of the day; .*--columns DATE="):
        read_study(write(elapsed))
    assert read_study(write(elapsed), columns={"DATE": ""})["1"].times.tolist() == [26]


def test_clock_times(write):
    text = "ID,TIME,DV,AMT\n1,08:00,.,100\n1,8:30,5,.\n1,13:15,4,.\n"
    assert read_study(write(text))["1"].times.tolist() == [0.5, 5.25]
    text = "ID,TIME,DV,AMT\n1,2024-03-01 22:00,.,100\n1,2024-03-02 01:30,5,.\n"
    assert read_study(write(text))["1"].times.tolist() == pytest.approx([3.5])
    with pytest.raises(TableError, match="row 3, column TIME: .*column DATE"):
        read_study(write("ID,TIME,DV,AMT\n1,22:00,.,100\n1,01:30,5,.\n"))


def test_a_dose_on_every_row(write, tmp_path):
    path = table("dose_on_every_row")
    with pytest.raises(TableError) as caught:
        read_study(path)
    assert "on the rows of doses only" in str(caught.value)
    study = read_study(path, columns={"AMT": "DOSE", "DV": "CONC"}, dose_at=0)
    assert len(study) == 4 and all(one.doses == (ORAL,) and len(one) == 9 for one in study)
    columns = ["--columns", "AMT=DOSE,DV=CONC"]
    assert len(forecast(path, tmp_path / "f.csv", *columns, "--dose-at", "0")) == 4 * 4
    text = "ID,TIME,DV,AMT,EVID\n1,0,.,100,1\n1,1,5,100,0\n1,2,4,100,0\n"
    assert read_study(write(text))["1"].doses == (ORAL,)
    text = "ID,TIME,DV,AMT\n1,0,.,100\n1,1,5,100\n1,2,4,50\n"
    with pytest.raises(TableError, match="another amount"):
        read_study(write(text), dose_at=0)


@pytest.mark.parametrize("name", ["TINF", "DUR", "DURATION", "infdur"])
def test_the_duration_of_an_infusion_whatever_it_is_called(name, write):
    study = read_study(write(table("infusion_tinf").read_text().replace("TINF", name, 1)))
    assert {one.doses for one in study} == {(Dose(0, 100, "iv_infusion", 2),)}


def test_log_transformed_values():
    with pytest.raises(TableError, match="--log-dv if DV holds logarithms"):
        read_study(table("log_transformed_dv_remedy"))
    study = read_study(table("log_transformed_dv_remedy"), log_dv=True)
    assert study["1"].concentrations[[0, 7]].tolist() == pytest.approx(np.exp([0.77257, -1.857]))


def test_samples_from_two_compartments(tmp_path):
    path = table("obs_of_two_compartments")
    with pytest.raises(AgmpkError, match=r"several analytes \(2, 3\).*--analyte 2"):
        read_study(path)
    assert {name: len(study["1"]) for name, study in read_studies(path).items()} == {"2": 8, "3": 8}
    rows = forecast(path, tmp_path / "f.csv", "--analyte", "2")
    assert rows[(rows.ID == "1") & (rows.TIME == 6)].PRED.item() == pytest.approx(2.361368, 1e-6)


@pytest.mark.parametrize("name", ["DVID", "YTYPE", "ytype", "DVNAME", "PARAMCD"])
def test_analytes_under_any_name(name, write):
    text = f"ID,TIME,DV,AMT,{name}\n1,0,.,100,.\n1,1,5,.,1\n1,1.5,2,.,2\n"
    studies = read_studies(write(text))
    assert {key: study["1"].times.tolist() for key, study in studies.items()} == {
        "1": [1], "2": [1.5]
    }  # fmt: skip


def test_an_individual_is_left_out_by_name(tmp_path):
    path = table("one_missed_dose")
    rows = forecast(path, tmp_path / "f.csv", "--exclude", "6")
    assert set(rows.ID) == set("12345")
    with pytest.raises(AgmpkError, match="no individual 9 to exclude; it has 1, 2, 3, 4, 5, 6"):
        read_study(path, exclude=["9"])


def test_rows_before_the_dose(write):
    assert {len(one) for one in read_study(table("predose_rows_to_be_ignored"))} == {8}
    reading = read_table(write("ID,TIME,DV,AMT\n1,-1,0,.\n1,0,.,100\n1,1,5,.\n"))
    assert len(reading.only()["1"]) == 1 and "1 sample(s) before TIME 0" in " ".join(reading.notes)
    with pytest.raises(TableError, match="row 2, column TIME: the time -1 is negative"):
        read_study(write("ID,TIME,DV,AMT\n1,-1,3,.\n1,0,.,100\n1,1,5,.\n"))


def test_row_names_and_columns_without_a_name(write):
    text = table("r_write_table_row_names").read_text()
    study = read_study(write(text))
    bare = [line.split(",", 1)[1] for line in text.splitlines()[1:]]
    assert study == read_study(write("\n".join([text.splitlines()[0], *bare])))
    assert len(study) == 6 and {len(one) for one in study} == {8}
    named = "\n".join(["," + text.splitlines()[0], *text.splitlines()[1:]])  # R's write.csv
    assert read_study(write(named)) == study
    text = table("unnamed_columns_at_the_end").read_text()
    study = read_study(write(text))
    cut = [",".join(line.split(",")[:5]) for line in text.splitlines()]
    assert study == read_study(write("\n".join(cut))) and len(study) == 3


def test_the_file_name_changes_no_number(tmp_path):
    outs = []
    for name in ("one", "another"):
        shutil.copy(table("same_content_other_name"), tmp_path / f"{name}.csv")
        forecast(tmp_path / f"{name}.csv", tmp_path / f"{name}.out")
        outs.append((tmp_path / f"{name}.out").read_bytes())
    assert outs[0] == outs[1]


def test_several_studies_in_one_table(tmp_path):
    path = table("several_studies_cli")
    status, _, err = agmpk("forecast", path, "--leave-one-out", "--out", tmp_path / "f.csv")
    assert status == 2 and "--study A" in err
    assert len(set(forecast(path, tmp_path / "f.csv", "--study", "A").ID)) == 3
    assert len(set(forecast(path, tmp_path / "f.csv", "--study", "all").ID)) == 6
    with pytest.raises(AgmpkError, match="no study C; it has A, B"):
        read_study(path, study="C")


def test_occasions_of_pooled_studies_stay_with_their_people(write):
    rows = "1,0,.,100,1,A\n1,1,5,.,1,A\n1,0,.,100,2,A\n1,1,4,.,2,A\n1,0,.,100,1,B\n1,1,3,.,1,B\n"
    path = write("ID,TIME,DV,AMT,OCC,STUDY\n" + rows)
    study = read_study(path, study="all", occasion="split")
    assert study.ids == ("A/1.1", "A/1.2", "B/1") and study.people == ("A/1", "B/1")


# ---------------------------------------------------------------------------- doses and routes


@pytest.mark.parametrize(
    ("columns", "dose", "sample", "expected"),
    [
        ("CMT", "1", "1", Dose(0, 100, "iv_bolus")),
        ("CMT", "1", "2", Dose(0, 100, "oral")),
        ("CMT", "2", "2", Dose(0, 100, "iv_bolus")),
        ("CMT,RATE", "1,50", "1,.", Dose(0, 100, "iv_infusion", 2)),
        ("CMT", "GUT", "CENT", Dose(0, 100, "oral")),
        ("CMT", "CENT", "CENT", Dose(0, 100, "iv_bolus")),
        ("RATE,DUR", "-2,2", ".,.", Dose(0, 100, "iv_infusion", 2)),
        ("TINF", "2", "2", Dose(0, 100, "iv_infusion", 2)),
    ],
)
def test_where_a_dose_goes(columns, dose, sample, expected, write):
    text = f"ID,TIME,DV,AMT,{columns}\n1,0,.,100,{dose}\n1,1,5,.,{sample}\n"
    assert read_study(write(text))["1"].doses == (expected,)


def test_the_route_is_given_by_the_caller(write):
    path = write("ID,TIME,DV,AMT,CMT\n1,0,.,100,5\n1,1,5,.,2\n")
    with pytest.raises(TableError, match="compartment 5 cannot be placed.*--route"):
        read_study(path)
    assert read_study(path, route="iv")["1"].doses[0].route == "iv_bolus"
    with pytest.raises(AgmpkError, match="route is 'nasal'"):
        read_study(path, route="nasal")


def test_kinds_of_administration_need_a_route(write):
    path = write("ID,TIME,DV,AMT,ADM\n1,0,.,100,1\n1,1,5,.,.\n1,24,.,50,2\n1,25,4,.,.\n")
    with pytest.raises(TableError, match=r"several kinds of administration \(1, 2\); .*--route"):
        read_study(path)
    assert len(read_study(path, route="iv")["1"].doses) == 2
    assert len(read_study(path, columns={"ADM": ""})["1"].doses) == 2


def test_a_steady_state_is_written_out(write):
    rows = "1,0,.,100,1,12\n1,3,5,.,.,.\n1,12,.,100,.,.\n1,15,6,.,.,.\n"
    one = read_study(write("ID,TIME,DV,AMT,SS,II\n" + rows))["1"]
    assert one.doses == (Dose(-480, 100, "oral", 0, 40, 12), Dose(12, 100))
    times = [dose.time for dose in one.single_doses()]
    assert times == list(np.arange(-480, 13, 12.0)) and one.times.tolist() == [3, 15]
    # A later steady state goes on from the last record; more doses come after it.
    rows = "1,0,.,100,.,.,.\n1,1,5,.,.,.,.\n1,240,.,100,1,24,2\n1,250,6,.,.,.,.\n"
    one = read_study(write("ID,TIME,DV,AMT,SS,II,ADDL\n" + rows))["1"]
    assert [dose.time for dose in one.single_doses()] == [0, *np.arange(24, 289, 24.0)]


def test_two_tablets_at_one_time(write):
    text = "ID,TIME,DV,AMT\n1,0,.,100\n1,0,.,100\n1,1,5,.\n1,1,6,.\n"
    with pytest.raises(TableError, match="two tablets.*--repeats combine"):
        read_study(write(text))
    one = read_study(write(text), repeats="combine")["1"]
    assert one.doses == (Dose(0, 200),) and one.concentrations.tolist() == [5.5]
    two = read_study(write("ID,TIME,DV,AMT\n1,0,.,100\n1,0,.,50\n1,1,5,.\n"))["1"]
    assert [dose.amount for dose in two.doses] == [50, 100]


def test_placebo_is_left_out_only_when_asked(write):
    text = "ID,TIME,DV,AMT\n1,0,.,100\n1,1,5,.\n2,0,.,0\n2,1,0,.\n3,0,.,90\n3,1,high,.\n"
    with pytest.raises(TableError, match="row 7"):
        read_study(write(text))
    reading = read_table(write(text), skip_unusable=True)
    assert reading.only().ids == ("1",) and set(reading.skipped) == {"2", "3"}
    assert "skipped   3: row 7" in reading.describe()


# -------------------------------------------------------------------------- headers and comments


@pytest.mark.parametrize(
    "head",
    ["#ID,TIME,DV,AMT", "CID,TIME,DV,AMT", '"ID","Time"," dv ",AMT', "id , time , dv , amt ",
     "ID;TIME;DV;AMT", "ID\tTIME\tDV\tAMT", "ID TIME DV AMT"],
)  # fmt: skip
def test_headers_as_people_write_them(head, write):
    separator = next((s for s in ";\t, " if s in head), ",")
    rows = "1,0,.,100\n1,1,5.5,.\n2,0,.,100\n2,1,4,.\n".replace(",", separator)
    study = read_study(write(f"{head}\n{rows}"))
    assert study.ids == ("1", "2") and study["1"].concentrations.tolist() == [5.5]


def test_names_that_mean_nothing_are_not_used(write):
    reading = read_table(write("ID,TIME,.,DV,AMT,WT,WT\n1,0,9,.,100,70,71\n1,1,9,5,.,70,71\n"))
    assert reading.unused == ("WT", "WT") and len(reading.only()["1"]) == 1


def test_decimal_commas_where_they_are_clear(write):
    study = read_study(write("ID;TIME;DV;AMT\n1;0;.;100\n1;0,5;5,25;.\n"))
    assert study["1"].times.tolist() == [0.5] and study["1"].concentrations.tolist() == [5.25]
    with pytest.raises(TableError, match="decimal comma"):
        read_study(write("ID;TIME;DV;AMT\n1;0;.;100\n1;0.5;5,25;.\n"))


def test_blocks_of_a_nonmem_table(write):
    head = " ID          TIME        DV          AMT\n"
    rows = (
        "  1.0000E+00  0.0000E+00  0.0000E+00  1.0000E+02\n"
        "  1.0000E+00  1.0000E+00  5.0000E+00  0.0000E+00\n"
    )
    once = read_study(write("TABLE NO.  1\n" + head + rows))
    assert once.ids == ("1",) and once["1"].concentrations.tolist() == [5]
    more = rows.replace("1.0000E+00  ", "2.0000E+00  ", 1)
    more = more.replace("\n  1.0000E+00", "\n  2.0000E+00")
    paged = read_study(write(f"TABLE NO.  1\n{head}{rows}TABLE NO.  1\n{head}{more}"))
    assert paged.ids == ("1", "2")
    path = write(f"TABLE NO.  1\n{head}{rows}TABLE NO.  2\n{head}{rows}")
    with pytest.raises(AgmpkError, match=r"several studies \(1, 2\)"):
        read_study(path)
    assert read_study(path, study="2") == once


@pytest.mark.parametrize("sign", "#@")
def test_nobody_is_taken_for_a_comment(sign, write):
    text = f"ID,TIME,DV,AMT\n1,0,.,100\n1,1,5,.\n{sign}2,0,.,100\n{sign}2,1,4,.\n"
    with pytest.raises(TableError, match=f"row 4, column ID: all rows of '{sign}2' begin with"):
        read_study(write(text))
    assert read_study(write(text), exclude=[f"{sign}2"]).ids == ("1",)
    reading = read_table(write(f"ID,TIME,DV,AMT\n1,0,.,100\n1,1,5,.\n{sign}1,2,4,.\n"))
    assert len(reading.only()["1"]) == 1 and "1 row(s) that begin with" in " ".join(reading.notes)


# ------------------------------------------------------------------------------- the command line


def test_check_says_what_a_table_holds(write):
    text = "ID,TIME,conc,AMT,BLQ,WT\n1,0,.,100,0,70\n1,1,5,.,0,70\n1,2,0.1,.,1,70\n"
    ask = "check", write(text), "--columns", "DV=conc", "--units", "dose=ug"
    status, out, err = agmpk(*ask)
    assert status == 0
    for words in ("1 individual(s)", "2, 2 each, at 1 to 2 h; 1 below the limit of 0.1",
                  "everybody: one oral dose of 100 ug", "DV from conc", "CENS from BLQ",
                  "not used  WT", "assumed: concentration, time"):  # fmt: skip
        assert words in out
    # What the table holds goes to stdout; stderr has one sentence on how it lies in the prior, the
    # same whatever was asked before.
    pattern = r"agmpk: The study of study lies within what the prior draws \(p = [\d.]+\)\.\n"
    assert re.fullmatch(pattern, err)
    agmpk("check", table("one_missed_dose"))
    assert agmpk(*ask) == (status, out, err)
    status, _, err = agmpk("check", write(text))
    assert status == 2 and err.count("\n") == 1 and "--columns DV=conc" in err


def test_many_faults_are_listed_in_a_file(tmp_path, write, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    path = write(table("log_transformed_dv_remedy").read_text())
    status, _, err = agmpk("check", path)
    assert status == 2 and err.count("\n") == 4
    assert f"... and 7 more (all in {tmp_path / 'study.faults.csv'})" in err
    listed = pd.read_csv(tmp_path / "study.faults.csv")
    assert len(listed) == 10 and list(listed) == ["row", "column", "problem", "remedy"]
    (tmp_path / "study.faults.csv").write_text("mine")
    assert not list(here.iterdir())
    _, _, err = agmpk("check", path)
    assert (tmp_path / "study.faults.csv").read_text() == "mine"
    assert "all in study.faults.csv" in err and len(pd.read_csv(here / "study.faults.csv")) == 10


def test_the_input_is_never_written_over(write):
    path = write(table("same_content_other_name").read_text())
    before = path.read_bytes()
    for command in (("forecast", path, "--leave-one-out"), ("cohort", path)):
        status, _, err = agmpk(*command, "--model", "naive", "--out", path)
        assert status == 2 and "is what is read" in err and path.read_bytes() == before
    for device in ("/dev/null", "/dev/zero"):
        status, _, err = agmpk("cohort", path, "--model", "naive", "--out", device)
        assert status == 2 and "device" in err
    status, _, err = agmpk("check", "/dev/zero")
    assert status == 2 and "device" in err


def test_nonmem_tables_come_out_and_go_in_again(tmp_path):
    path, out = table("one_missed_dose"), tmp_path / "f.csv"
    forecast(path, out, "--format", "nonmem")
    rows = pd.read_csv(out, na_values=".")
    assert rows.map(np.isreal).all().all()  # numbers only, as NONMEM wants them
    dictionary = pd.read_csv(tmp_path / "f.columns.csv")
    assert dictionary.column.tolist() == list(rows) and dictionary.meaning.notna().all()
    study = read_study(path)
    assert [(one.id, one.doses) for one in read_study(out)] == [
        (one.id, tuple(one.single_doses())) for one in study
    ]
    assert (rows.PRED.notna() & (rows.SHOWN == 1)).sum() == 0
    assert agmpk("cohort", path, "-n", "5", "--model", "naive", "--format", "nonmem",
                 "--out", out)[0] == 0  # fmt: skip
    cohort = read_study(out)
    schedules = {tuple(one.single_doses()) for one in study}  # each person draws one of these
    assert len(cohort) == 5 and {one.doses for one in cohort} <= schedules
    assert pd.read_csv(out).NAME.unique().tolist() == ["V1", "V2", "V3", "V4", "V5"]


# ------------------------------------------------------------------------------------------ speed


def big(path, people):
    with open(path, "w") as f:
        f.write("ID,TIME,DV,AMT,EVID\n")
        for i in range(1, people + 1):
            f.write(f"{i},0,.,100,1\n")
            f.write("".join(f"{i},{t},{5 * 0.9**t:.5g},.,0\n" for t in range(1, 13)))
    return path


def seconds(path, **options):
    started = time.process_time()
    read_study(path, **options)
    return time.process_time() - started


def test_reading_is_linear(tmp_path):
    """40,000 rows took the first version 31 s and more, ten times fewer rows one hundredth."""
    seconds(big(tmp_path / "warm.csv", 10))
    small = min(seconds(big(tmp_path / "small.csv", 770)) for _ in range(2))
    large = big(tmp_path / "big.csv", 3077)
    assert seconds(large) < max(1.5, 8 * small)
    assert seconds(large, occasion="split") < max(1.5, 8 * small)


def test_many_columns_are_no_burden(tmp_path):
    extra = [f"COV{k}" for k in range(10_000)]
    rows = ["1,0,.,100", "1,1,5,.", "1,2,4,."]
    filled = ",1" * len(extra)
    text = "\n".join([",".join(["ID,TIME,DV,AMT", *extra]), *(row + filled for row in rows)])
    (tmp_path / "wide.csv").write_text(text)
    assert seconds(tmp_path / "wide.csv") < 2
    wide = ",".join(["ID,TIME,DV,AMT", *["X"] * 200_000])
    (tmp_path / "wide.csv").write_text(wide + "\n1,0,.,100\n")
    started = time.process_time()
    with pytest.raises(TableError):
        read_study(tmp_path / "wide.csv")
    assert time.process_time() - started < 5


def test_a_person_is_one_of_its_own_study(tmp_path):
    """Two studies may use an ID for different people; PERSON says who is meant in each."""
    rows = ["STUDY,ID,PERSON,TIME,AMT,DV,EVID"]
    for study, people in (("A", "XZ"), ("B", "YX")):
        for number, person in enumerate(people, 1):
            rows += [f"{study},{number},{person},0,100,,1", f"{study},{number},{person},1,,5,0"]
    file = tmp_path / "two.csv"
    file.write_text("\n".join(rows) + "\n")
    read = read_studies(file)
    assert {name: [one.person for one in study] for name, study in read.items()} == {
        "A": ["X", "Z"],
        "B": ["Y", "X"],
    }
