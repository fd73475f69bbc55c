"""Any table: written and read again, in another order, or mutated and read by somebody else."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agmpk.errors import AgmpkError
from agmpk.studies import read_study

COLUMNS = ["ID", "TIME", "DV", "AMT", "EVID", "MDV", "RATE", "ADDL", "II", "CENS", "CMT"]
BASE = """\
ID,TIME,DV,AMT,EVID,MDV,RATE,ADDL,II,CENS,CMT
1,0,.,100,1,1,.,2,12,0,1
1,0,0,.,0,0,.,.,.,0,2
1,1,5.5,.,0,0,.,.,.,0,2
1,2,3.5,.,0,0,.,.,.,0,2
1,3,0.1,.,0,0,.,.,.,1,2
2,0,.,80,1,1,40,.,.,0,2
2,0.5,4.5,.,0,0,.,.,.,0,2
2,24,.,60,1,1,.,.,.,0,1
2,30,2.5,.,0,0,.,.,.,0,2
3,0,.,100,1,1,.,.,.,0,1
3,4,1.5,.,0,0,.,.,.,0,2
"""


def by_hand(path):
    """What a pandas user would make of a table in hours with these columns, without agmpk: a list
    of (ID, doses (time, amount, duration, further, interval), samples (time, value, below))."""
    frame = pd.read_csv(path, dtype={"ID": str}, na_values=["."], skipinitialspace=True)
    people: dict[str, tuple[list, list]] = {}
    for row in frame[frame.ID.notna()].itertuples():
        doses, seen = people.setdefault(row.ID, ([], []))
        event = float(row.AMT > 0) if pd.isna(row.EVID) else row.EVID
        if event == 1:
            length = row.AMT / row.RATE if row.RATE > 0 else 0.0
            further = (int(row.ADDL), row.II) if row.ADDL > 0 else (0, 0.0)
            doses.append((row.TIME, row.AMT, length, *further))
        elif event == 0 and row.MDV != 1 and not pd.isna(row.DV):
            if not (row.TIME < 0 and (row.DV == 0 or row.CENS == 1)):
                seen.append((row.TIME, row.DV, row.CENS == 1))
    return [(id.strip(), sorted(doses), seen) for id, (doses, seen) in people.items()]


def as_read(study):
    return [
        (
            one.id,
            sorted((d.time, d.amount, d.duration, d.additional, d.interval) for d in one.doses),
            list(zip(one.times, one.concentrations, one.censored, strict=True)),
        )
        for one in study
    ]


def same(mine, theirs):
    """Whether two lists of people are equal, numbers to 12 digits."""
    if [one[0] for one in mine] != [one[0] for one in theirs]:
        return False
    for (_, doses, seen), (_, doses_, seen_) in zip(mine, theirs, strict=True):
        if len(doses) != len(doses_) or len(seen) != len(seen_):
            return False
        for row, row_ in zip([*doses, *seen], [*doses_, *seen_], strict=True):
            if not all(math.isclose(a, b, rel_tol=1e-12) for a, b in zip(row, row_, strict=True)):
                return False
    return True


def test_the_table_of_these_tests_is_read_alike(tmp_path):
    path = tmp_path / "study.csv"
    path.write_text(BASE)
    assert same(as_read(read_study(path)), by_hand(path))


CELLS = ["", ".", "NA", "0", "1", "2", "3", "-1", "0.5", "7", "12", "24", "100", "1e3", "2.5E+01",
         "1D2", "x", "<1", "BLQ", "1e300", "-5", " 4", "'3'", "4:30", "2024-01-01", "#2", "@", "é",
         "1,5", "\t", "1e-320", "nan", "inf", "0x10", "1_000", "٣", "1" * 400]  # fmt: skip
LIKELY = {"ID": "123", "TIME": ["0", "0.75", "1.5", "5", "28", "40"], "DV": ["0", "3", "0.2", "."],
          "AMT": [".", "50", "0"], "EVID": "012.", "MDV": "01.", "RATE": [".", "0", "20"],
          "ADDL": [".", "0", "3"], "II": [".", "8"], "CENS": "01.", "CMT": "12."}  # fmt: skip


def test_thousands_of_mutated_tables_are_refused_or_read_as_pandas_reads_them(tmp_path):
    """2,400 tables with one to three cells changed, rows swapped, removed or doubled: never another
    exception, and never other numbers than an independent reader's."""
    random, path = np.random.default_rng(0), tmp_path / "study.csv"
    answered = 0
    for _ in range(2400):
        rows = [line.split(",") for line in BASE.splitlines()]
        for _ in range(random.integers(1, 4)):
            row = rows[random.integers(1, len(rows))]
            what = random.integers(16)
            if what < 8:
                place = random.integers(len(row))
                likely = LIKELY[COLUMNS[place]]
                row[place] = likely[random.integers(len(likely))]
            elif what < 14:
                row[random.integers(len(row))] = CELLS[random.integers(len(CELLS))]
            elif what == 14:
                other = random.integers(1, len(rows))
                rows[other], rows[-1] = rows[-1], rows[other]
            elif random.integers(2) and len(rows) > 3:
                rows.remove(row)
            else:
                rows.insert(rows.index(row), list(row))
        path.write_text("\n".join(",".join(row) for row in rows) + "\n", encoding="utf-8")
        try:
            study = read_study(path)
        except AgmpkError as error:
            assert "study.csv" in str(error)
            continue
        if any(not cell.isascii() or cell in ("1D2", "<1", "\t") for row in rows for cell in row):
            continue  # what pandas does not know
        if any(row[0].lstrip()[:1] in "#@" for row in rows):
            continue
        answered += 1
        assert same(as_read(study), by_hand(path)), path.read_text()
    assert answered > 300


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_order_that_nonmem_allows_gives_the_same_study(tmp_path_factory, data):
    """Columns in any order, individuals in any order, comments anywhere, and at one time the dose
    before or after the sample."""
    path = tmp_path_factory.mktemp("order") / "study.csv"
    path.write_text(BASE)
    expected = {one.id: one for one in read_study(path)}
    rows = [line.split(",") for line in BASE.splitlines()[1:]]
    blocks = [[row for row in rows if row[0] == id] for id in data.draw(st.permutations("123"))]
    if data.draw(st.booleans()):
        for block in blocks:
            if block[0][0] == "1":
                block[0], block[1] = block[1], block[0]
    order = data.draw(st.permutations(range(len(COLUMNS))))
    lines = [",".join(COLUMNS[place] for place in order)]
    for row in (row for block in blocks for row in block):
        if data.draw(st.booleans()):
            lines.append("# a remark")
        lines.append(",".join(row[place] for place in order))
    path.write_text("\n".join(lines) + data.draw(st.sampled_from(["", "\n", "\r\n\r\n"])))
    assert {one.id: one for one in read_study(path)} == expected


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode(
    "utf-8", "surrogatepass")))  # fmt: skip
@pytest.mark.parametrize("head", [b"", b"ID,TIME,DV,AMT\n", b'"ID" "TIME" "DV" "AMT"\n'])
def test_any_bytes_are_read_or_refused(tmp_path_factory, head, content):
    path = tmp_path_factory.mktemp("bytes") / "study.csv"
    path.write_bytes(head + content)
    try:
        read_study(path)
    except AgmpkError as error:
        assert "study.csv" in str(error) and all(
            line.isprintable() for line in str(error).splitlines()
        )
