"""Units in headings and in rows: named in the remedy or refused, never ignored."""

import re

import pytest

from agmpk.errors import TableError
from agmpk.studies import read_study, read_table


@pytest.fixture
def path(tmp_path):
    def write(content):
        (tmp_path / "x.csv").write_text(content, encoding="utf-8")
        return tmp_path / "x.csv"

    return write


@pytest.mark.parametrize(
    ("heading", "name"),
    [("DUR (h)", "DUR"), ("dur[h]", "DUR"), ("TINF_H", "DUR"), ("DUR..h.", "DUR"),
     ("RATE_mg_h", "RATE"), ("RATE (mg/h)", "RATE"), ("rate_mg_per_h", "RATE"), ("TAU h", "II"),
     ("LLOQ (mg/L)", "LLOQ"), ("LOQ_ngmL", "LLOQ"), ("ROUTE (iv/po)", "ROUTE")],
)  # fmt: skip
def test_an_optional_column_with_a_unit_is_not_ignored(heading, name, path):
    table = path(f"ID,TIME,DV,AMT,{heading}\n1,0,.,100,2\n1,1,5,.,.\n")
    wanted = re.escape(f"row 1, column {heading}: the column seems to be {name}")
    with pytest.raises(TableError, match=f"{wanted}.*{name}={re.escape(heading)}.*{name}= leaves"):
        read_table(table)
    assert read_table(table, columns={name: ""}).unused == (heading,)
    if name in ("DUR", "RATE"):
        assert read_study(table, columns={name: heading})["1"].doses[0].duration > 0


@pytest.mark.parametrize("heading", ["VISIT_DAY", "CYCLE_D", "RATE_2", "DURABLE", "WT (kg)"])
def test_other_headings_are_still_not_used(heading, path):
    reading = read_table(path(f"ID,TIME,DV,AMT,{heading}\n1,0,.,100,2\n1,1,5,.,.\n"))
    assert reading.unused == (heading,)
