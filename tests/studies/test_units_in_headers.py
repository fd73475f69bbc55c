"""Units in headings and in rows: named in the remedy or refused, never ignored."""

import re

import pytest

from agmpk.errors import TableError
from agmpk.studies import read_study, read_table


@pytest.mark.parametrize(
    ("heading", "name"),
    [("DUR (h)", "DUR"), ("dur[h]", "DUR"), ("TINF_H", "DUR"), ("DUR..h.", "DUR"),
     ("RATE_mg_h", "RATE"), ("RATE (mg/h)", "RATE"), ("rate_mg_per_h", "RATE"), ("TAU h", "II"),
     ("LLOQ (mg/L)", "LLOQ"), ("LOQ_ngmL", "LLOQ"), ("ROUTE (iv/po)", "ROUTE")],
)  # fmt: skip
def test_an_optional_column_with_a_unit_is_not_ignored(heading, name, write):
    table = write(f"ID,TIME,DV,AMT,{heading}\n1,0,.,100,2\n1,1,5,.,.\n")
    wanted = re.escape(f"row 1, column {heading}: the column seems to be {name}")
    with pytest.raises(TableError, match=f"{wanted}.*{name}={re.escape(heading)}.*{name}= leaves"):
        read_table(table)
    assert read_table(table, columns={name: ""}).unused == (heading,)
    if name in ("DUR", "RATE"):
        assert read_study(table, columns={name: heading})["1"].doses[0].duration > 0


@pytest.mark.parametrize("heading", ["VISIT_DAY", "CYCLE_D", "RATE_2", "DURABLE", "WT (kg)"])
def test_other_headings_are_still_not_used(heading, write):
    reading = read_table(write(f"ID,TIME,DV,AMT,{heading}\n1,0,.,100,2\n1,1,5,.,.\n"))
    assert reading.unused == (heading,)


@pytest.mark.parametrize("heading", ["DVU", "DV_UNIT", "UNITS", "AVALU", "dv_u"])
def test_units_that_differ_between_rows_are_refused(heading, write):
    head = f"ID,TIME,DV,AMT,{heading}\n"
    rows = "1,0,.,100,mg\n1,1,5,.,mg/L\n2,0,.,100,mg\n2,1,5,.,"
    with pytest.raises(TableError, match=f"row 5, column {heading}: .*in ng/mL here and in mg/L"):
        read_table(write(head + rows + "ng/mL\n"))
    assert read_table(write(head + rows + "ng/mL\n"), exclude=["2"])
    for same in ("mg/L", "ug/mL", "MG/L", "."):
        assert len(read_study(write(head + rows + same + "\n"))) == 2


def test_units_of_doses_that_differ_and_those_of_covariates(write):
    content = "ID,TIME,DV,AMT,DOSEU\n1,0,.,100,mg\n1,1,5,.,mg\n2,0,.,2,mg/kg\n2,1,5,.,mg/kg\n"
    with pytest.raises(TableError, match="row 4, column DOSEU: doses are in mg/kg here and in mg"):
        read_table(write(content.replace("1,1,5,.,mg", "1,1,5,.,.").replace("5,.,mg/kg", "5,.,.")))
    with pytest.raises(TableError, match="column DOSEU"):
        read_table(write(content))
    assert len(read_study(write(content.replace("DOSEU", "WT_UNIT")))) == 2


@pytest.mark.parametrize(
    ("time", "dv", "amt", "units"),
    [("TIME (min)", "DV (mg/L)", "AMT (g)", "time=min,concentration=mg/L,dose=g"),
     ("TIME_MIN", "CONC_MG_L", "DOSE[G]", "time=min,concentration=mg/l,dose=g"),
     ("TIME..min.", "DV (MG/L)", "AMT g", "time=min,concentration=mg/l,dose=g"),
     ("TIME (min)", "DV", "AMT", "time=min"), ("TIME ( min )", "DV", "AMT", "time=min")],
)  # fmt: skip
def test_the_remedy_names_the_unit_of_the_heading(time, dv, amt, units, write):
    table = write(f"ID,{time},{dv},{amt}\n1,0,.,100\n1,90,5,.\n")
    option = f'"TIME={time}"' if " " in time else f"TIME={time}"
    with pytest.raises(TableError, match=re.escape(f"say --columns {option} --units {units}")):
        read_table(table)
    columns = {"TIME": time, "DV": dv, "AMT": amt}
    study = read_study(table, columns=columns, units=units)
    assert study["1"].times.tolist() == [1.5]
    with pytest.raises(TableError, match=re.escape(f"heading says min, but h is .*{units}.")
                       .replace(r"\.\*", ".*")):  # fmt: skip
        read_table(table, columns=columns)
    assert read_study(table, columns=columns, units="time=h,concentration=ng/mL,dose=mg")


def test_a_unit_that_is_not_understood_is_asked_for(write):
    with pytest.raises(TableError, match=r'"TIME=TIME \(since dose\)" --units time=\.\.\.'):
        read_table(write("ID,TIME (since dose),DV,AMT\n1,0,.,100\n1,90,5,.\n"))


def test_logarithms_with_a_unit_are_still_told(write):
    with pytest.raises(TableError, match="--units concentration=mg/L --log-dv"):
        read_table(write("ID,TIME,LNDV (mg/L),AMT\n1,0,.,100\n1,90,5,.\n"))


@pytest.mark.parametrize("options", [{}, {"lloq": 1.0}])
def test_a_limit_with_a_decimal_comma(options, write):
    content = "ID;TIME;DV;AMT\n1;0;.;100\n1;1;1,5;.\n1;2;<0,5;.\n"
    study = read_study(write(content), **options)
    assert study["1"].concentrations.tolist() == [1.5, 0.5]
    assert study["1"].censored.tolist() == [False, True]
    with pytest.raises(TableError, match="row 4, column DV: <0,5 has a decimal comma"):
        read_study(write(content.replace("1,5", "1.5")), **options)


@pytest.mark.parametrize("value", ["1,250", "1,250,000", "12,500.5"])
def test_commas_that_may_group_thousands(value, write):
    with pytest.raises(TableError, match=f"row 3, column DV: {value} has commas .* thousands"):
        read_study(write(f'ID,TIME,DV,AMT\n1,0,.,100\n1,1,"{value}",.\n'))


@pytest.mark.parametrize("units", [",h,ng/mL,mg", ",(h),(ng/mL),(mg)", '.,"h",ng/mL,MG'])
def test_a_row_of_units_is_one_fault(units, write):
    with pytest.raises(TableError) as caught:
        read_study(write(f"ID,TIME,DV,AMT\n{units}\n1,0,.,100\n1,1,5,.\n"))
    (fault,) = caught.value.faults
    assert "row 2: this is a row of units" in fault
    assert "delete it and say --units time=h,concentration=ng/mL,dose=mg." in fault


def test_names_that_begin_with_c_under_the_header_cid(write):
    content = "CID,TIME,DV,AMT\n{0}01,0,.,100\n{0}01,1,5,.\nP01,0,.,100\nP01,1,5,.\n"
    table = write(content.format("C"))
    with pytest.raises(TableError, match="row 2, column CID: all rows of 'C01' begin with C"):
        read_study(table)
    assert read_study(table, exclude=["C01"]).ids == ("P01",)
    assert len(read_study(write(content.format("C")[1:]))) == 2
    assert read_study(write(content.format("Q") + "CP01,2,4,.\nC,2,4,.\n")).ids == ("Q01", "P01")
