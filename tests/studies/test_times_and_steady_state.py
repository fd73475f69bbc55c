"""Times that do not count on through the days, steady states, and other silent misreadings."""

import pytest

from agmpk.errors import TableError
from agmpk.studies import read_study
from agmpk.studies.nonmem.read import read_table


def table(column, days, times):
    """A dose and a sample on each of two days."""
    rows = zip(days, times, [".", "9", ".", "5"], ["100", ".", "100", "."], strict=True)
    lines = [f"1;{day};{time};{dv};{amount}\n" for day, time, dv, amount in rows]
    return f"ID;{column};TIME;DV;AMT\n" + "".join(lines)


@pytest.mark.parametrize("column", ["DATUM", "VisitDate", "PCDTC", "DAY", "DAYS", "VISITDAY"])
@pytest.mark.parametrize("days", [["01.03.2024", "01.03.2024", "02.03.2024", "14.03.2024"],
                                  ["1", "1", "2", "14"]])  # fmt: skip
@pytest.mark.parametrize(
    "times",
    [
        ["08:00", "09:30", "10:00", "11:30"],
        ["8", "9.5", "10", "11.5"],
        ["8", "10", "8", "9.5"],
        ["0", "1.5", "2", "3.5"],
        ["0", "1.5", "0", "3.5"],
    ],
)
def test_days_beside_the_time_of_the_day(column, days, times, write):
    path = write(table(column, days, times))
    with pytest.raises(TableError, match=rf"row \d, column TIME: .*--columns DATE={column}"):
        read_study(path)
    one = read_study(path, columns={"DATE": column})["1"]
    assert one.times[-1] == pytest.approx(13 * 24 + one.times[-1] % 24)
    assert 23 <= one.doses[1].time <= 27 and one.doses[0].time == 0


@pytest.mark.parametrize(
    ("column", "days"),
    [
        ("DAY", ["1", "1", "1", "2"]),
        ("DAY", ["1", "1", "2", "2"]),
        ("DAY", ["1", ".", "2", "."]),
        ("DAYS", ["0", "0.0625", "1", "1.4"]),
        ("PCDTC", ["2024-03-01T08:00", "2024-03-01T09:30", "2024-03-02T08:00", "2024-03-02T18:00"]),
        ("BIRTHDATE", ["1.2.1980"] * 4),
        ("WEIGHT", ["70", "71", "72", "80"]),
    ],
)
def test_times_that_count_on_through_the_days(column, days, write):
    path = write(table(column, days, ["0", "1.5", "24", "34"]))
    assert read_study(path)["1"].times.tolist() == [1.5, 34]


def test_the_way_through_for_times_that_count_on(write):
    path = write(table("DAY", ["1", "1", "8", "8"], ["1", "2", "3", "4"]))
    with pytest.raises(TableError, match="--columns DATE= if it counts on"):
        read_study(path)
    assert read_study(path, columns={"DATE": ""})["1"].times.tolist() == [2, 4]
    path = write(table("DAY", ["1", "1", "8", "8"], ["0", "2", "0", "4"]))
    assert len(read_study(path, occasion="split")) == 2
    clock = write(table("DATE", ["1", "1", "8", "8"], ["8:00", "9:00", "10:00", "11:00"]))
    with pytest.raises(TableError, match="changes within the ID; say --columns DATE=DATE"):
        read_study(clock, columns={"DATE": ""})


SS = "ID,TIME,DV,AMT,EVID,SS,II,ADDL\n"


@pytest.mark.parametrize(
    ("rows", "times", "note"),
    [
        # A trough before it, and one days before.
        ("1,0,5.2,.,0,.,.,.\n1,0.25,.,100,1,1,12,.\n", [0.25 - 12 * k for k in range(41)], "40"),
        ("1,0,0,.,0,.,.,.\n1,72,.,100,1,1,24,.\n", [72 - 24 * k for k in range(21)], "20"),
        # An evening dose that adds to the morning's.
        ("1,0,.,100,1,1,24,.\n1,12,.,50,1,2,24,.\n",
         [-24 * k for k in range(21)] + [12 - 24 * k for k in range(21)], "20"),
        ("1,0,.,100,1,1,24,.\n1,0,.,50,1,2,24,.\n", [-24 * k for k in range(21)] * 2, "20"),
        # Earlier doses, the last of them an additional one.
        ("1,0,.,100,1,.,.,.\n1,240,.,100,1,1,24,.\n", [24 * k for k in range(11)], "9"),
        ("1,0,.,100,1,.,24,5\n1,240,.,100,1,1,24,.\n", [24 * k for k in range(11)], "4"),
        ("1,0,.,100,1,1,24,.\n1,240,.,100,1,1,24,.\n",
         [24 * k for k in range(-20, 11)], "9 to 20"),
    ],
)  # fmt: skip
def test_how_far_back_a_steady_state_goes(rows, times, note, write):
    reading = read_table(write(SS + rows))
    (one,) = reading.only()
    assert sorted(dose.time for dose in one.single_doses()) == sorted(times)
    assert f"a steady state (SS) is written out as {note} doses before it" in reading.notes


@pytest.mark.parametrize(
    ("dose", "sample", "route", "noted"),
    [
        ("0,.", "0,.", "oral", True),
        ("0.0,.", ".,.", "oral", True),
        ("0,50", "0,.", "iv_infusion", False),
        ("1,.", "0,.", "oral", False),
        ("2,.", "0,.", "iv_bolus", False),
        ("1,.", "1,.", "iv_bolus", False),
    ],
)
def test_compartment_0_tells_no_route(dose, sample, route, noted, write):
    reading = read_table(write(f"ID,TIME,DV,AMT,CMT,RATE\n1,0,.,100,{dose}\n1,1,5,.,{sample}\n"))
    assert reading.only()["1"].doses[0].route == route
    assert any("no column tells the route" in note for note in reading.notes) == noted


def test_serial_dates_are_no_hours(write):
    text = "ID,TIME,DV,AMT\n1,{},.,100\n1,{},5,.\n"
    with pytest.raises(TableError, match="row 2, column TIME: .*serial dates.*write hours"):
        read_study(write(text.format("45352.3333", "45352.8542")))
    for times in (("40000", "40012"), ("0", "40012.5"), ("70000", "70012.5")):
        assert len(read_study(write(text.format(*times)))["1"]) == 1


@pytest.mark.parametrize("code", ["-99", "-999", "99", "-1000"])
def test_codes_among_logarithms(code, write):
    text = "ID,TIME,DV,AMT,MDV\n1,0,.,100,1\n1,1,1.5,.,0\n1,2,{},.,{}\n"
    with pytest.raises(TableError, match=f"row 4, column DV: the logarithm {code} .*MDV 1"):
        read_study(write(text.format(code, 0)), log_dv=True)
    assert len(read_study(write(text.format(code, 1)), log_dv=True)["1"]) == 1


def test_a_zero_among_logarithms_is_noted(write):
    path = write("ID,TIME,DV,AMT\n1,0,0,.\n1,0,.,100\n1,1,1.5,.\n")
    assert any(
        "1 value(s) of 0 are logarithms" in note for note in read_table(path, log_dv=True).notes
    )
    assert not any("logarithms" in note for note in read_table(path).notes)


def test_compartment_0_without_any_sample_is_refused(write):
    with pytest.raises(TableError, match="compartment 0 cannot be placed"):
        read_study(write("ID,TIME,DV,AMT,CMT\n1,0,.,100,0\n"))


def test_a_remedy_in_a_table_of_days_does_not_speak_of_hours(tmp_path):
    table = tmp_path / "days.csv"
    table.write_text("# agmpk units: time=day\nID,TIME,DV,AMT,ADDL\n1,0,.,100,3\n1,1,2.0,.,.\n")
    with pytest.raises(TableError, match="ADDL.*in II, in the unit of TIME"):
        read_study(table)
