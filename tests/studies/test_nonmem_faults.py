"""What real files get wrong: one sentence each, with file, row, column and remedy."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agmpk.errors import AgmpkError, TableError
from agmpk.studies import read_study, read_table

GOOD = """\
# agmpk units: time=h concentration=ng/mL dose=mg compound=caffeine
ID,TIME,DV,AMT,EVID,MDV,RATE,ADDL,II,SS,CENS,ROUTE
1,0,.,100,1,1,.,.,.,.,.,oral
1,0,0,.,0,0,.,.,.,.,.,.
1,1,5.5,.,0,0,.,.,.,.,.,.
1,2,3.5,.,0,0,.,.,.,.,.,.
2,0,.,100,1,1,.,.,.,.,.,oral
2,1,4.5,.,0,0,.,.,.,.,.,.
2,2,2.5,.,0,0,.,.,.,.,.,.
"""

# name -> (edit: line number and its new text, row and column told, words of the sentence)
FAULTS = {
    "text in DV": (5, "1,1,high,.,0,0,.,.,.,.,.,.", "row 5, column DV", "text, not a number"),
    "below limit as text": (5, "1,1,<LLOQ,.,0,0,.,.,.,.,.,.", "row 5, column DV", "CENS 1"),
    "BLQ": (5, "1,1,BLQ,.,0,0,.,.,.,.,.,.", "row 5, column DV", "CENS 1"),
    "NaN": (5, "1,1,NaN,.,0,0,.,.,.,.,.,.", "row 5, column DV", "not a finite number"),
    "inf": (5, "1,1,-inf,.,0,0,.,.,.,.,.,.", "row 5, column DV", "not a finite number"),
    "overflow": (5, "1,1,1e999,.,0,0,.,.,.,.,.,.", "row 5, column DV", "not a finite number"),
    "negative DV": (5, "1,1,-5,.,0,0,.,.,.,.,.,.", "row 5, column DV", "-5 is negative"),
    "no value": (5, "1,1,.,.,0,0,.,.,.,.,.,.", "row 5, column DV", "set MDV to 1"),
    "decimal comma": (5, '1,1,"5,5",.,0,0,.,.,.,.,.,.', "row 5, column DV", "decimal comma"),
    "bare decimal comma": (5, "1,1,5,5,.,0,0,.,.,.,.,.,.", "row 5", "decimal marks"),
    "short row": (5, "1,1,5.5", "row 5", "3 fields where the header has 12"),
    "underscore": (5, "1,1,1_0,.,0,0,.,.,.,.,.,.", "row 5, column DV", "text, not a number"),
    "negative time": (5, "1,-1,5.5,.,0,0,.,.,.,.,.,.", "row 5, column TIME", "negative"),
    "clock time": (5, "1,08:30,5.5,.,0,0,.,.,.,.,.,.", "row 5, column TIME", "clock time"),
    "no time": (5, "1,.,5.5,.,0,0,.,.,.,.,.,.", "row 5, column TIME", "missing"),
    "no ID": (5, ",1,5.5,.,0,0,.,.,.,.,.,.", "row 5, column ID", "missing"),
    "unsorted": (6, "1,0.5,3.5,.,0,0,.,.,.,.,.,.", "row 6, column TIME", "sort"),
    "repeated row": (6, "1,1,5.5,.,0,0,.,.,.,.,.,.", "row 6, column TIME", "repeats"),
    "two values": (6, "1,1,3.5,.,0,0,.,.,.,.,.,.", "row 6, column TIME", "different observation"),
    "repeated dose": (4, "1,0,.,100,1,1,.,.,.,.,.,oral", "row 4, column TIME", "repeats"),
    "ID without dose": (3, "1,0,.,.,2,1,.,.,.,.,.,.", "row 4, column AMT", "has no dose"),
    "scattered ID": (9, "1,3,2.5,.,0,0,.,.,.,.,.,.", "row 9, column ID", "together"),
    "DV of a dose": (3, "1,0,3.3,100,1,.,.,.,.,.,.,oral", "row 3, column DV", "dose row"),
    "AMT of an observation": (5, "1,1,5.5,9,0,0,.,.,.,.,.,.", "row 5, column AMT", "EVID to 1"),
    "dose of nothing": (3, "1,0,.,0,1,1,.,.,.,.,.,oral", "row 3, column AMT", "no amount"),
    "negative dose": (3, "1,0,.,-9,1,1,.,.,.,.,.,oral", "row 3, column AMT", "negative"),
    "text in AMT": (3, "1,0,.,100mg,1,1,.,.,.,.,.,oral", "row 3, column AMT", "100mg holds a unit"),
    "EVID 3": (5, "1,1,.,.,3,1,.,.,.,.,.,.", "row 5, column EVID", "resets"),
    "EVID 4": (3, "1,0,.,100,4,1,.,.,.,.,.,oral", "row 3, column EVID", "resets"),
    "EVID 7": (3, "1,0,.,100,7,1,.,.,.,.,.,oral", "row 3, column EVID", "unknown"),
    "MDV 2": (5, "1,1,5.5,.,0,2,.,.,.,.,.,.", "row 5, column MDV", "MDV is 2"),
    "RATE -2": (3, "1,0,.,100,1,1,-2,.,.,.,.,iv", "row 3, column RATE", "model estimates"),
    "RATE -5": (3, "1,0,.,100,1,1,-5,.,.,.,.,iv", "row 3, column RATE", "negative"),
    "RATE without AMT": (5, "1,1,5.5,.,0,0,50,.,.,.,.,.", "row 5, column RATE", "without an AMT"),
    "ADDL without II": (3, "1,0,.,100,1,1,.,3,.,.,.,oral", "row 3, column ADDL", "interval"),
    "half an ADDL": (3, "1,0,.,100,1,1,.,1.5,12,.,.,oral", "row 3, column ADDL", "ADDL is 1.5"),
    "negative II": (3, "1,0,.,100,1,1,.,.,-12,.,.,oral", "row 3, column II", "negative"),
    "endless steady state": (3, "1,0,.,100,1,1,.,.,.,1,.,oral", "row 3, column SS", "steady state"),
    "SS 3": (3, "1,0,.,100,1,1,.,.,12,3,.,oral", "row 3, column SS", "not supported"),
    "huge amount": (3, "1,0,.,1e300,1,1,.,.,.,.,.,oral", "row 3, column AMT", "range"),
    "tiny amount": (3, "1,0,.,1e-320,1,1,.,.,.,.,.,oral", "row 3, column AMT", "range"),
    "huge value": (5, "1,1,1e30,.,0,0,.,.,.,.,.,.", "row 5, column DV", "range"),
    "huge ADDL": (3, "1,0,.,100,1,1,.,1e9,12,.,.,oral", "row 3, column ADDL", "9,999"),
    "huge time": (7, "1,1e9,3.5,.,0,0,.,.,.,.,.,.", "row 7, column TIME", "1e+06 h"),
    "control character": (5, "1,1,5\x1b[2J,.,0,0,.,.,.,.,.,.", "row 5, column DV", "5\\x1b[2J"),
    "CENS -1": (5, "1,1,5.5,.,0,0,.,.,.,.,-1,.", "row 5, column CENS", "CENS is -1"),
    "CENS without limit": (5, "1,1,0,.,0,0,.,.,.,.,1,.", "row 5, column DV", "no limit"),
    "unknown route": (3, "1,0,.,100,1,1,.,.,.,.,.,ear", "row 3, column ROUTE", "ear"),
    "oral infusion": (3, "1,0,.,100,1,1,50,.,.,.,.,oral", "row 3, column ROUTE", "RATE"),
    "infusion of no time": (3, "1,0,.,100,1,1,.,.,.,.,.,infusion", "row 3, column ROUTE", "DUR"),
    "nameless ID": (5, "@1,1,5.5,.,0,0,.,.,.,.,.,.", None, None),  # a comment: not a fault
    "missing column": (2, "ID,TIME,CONC,AMT,EVID,MDV,RATE,ADDL,II,SS,CENS,ROUTE",
                       "row 2, column DV", "rename CONC to DV"),
    "column gone": (2, "ID,HOUR_OF_DAY,DV,AMT,EVID,MDV,RATE,ADDL,II,SS,CENS,ROUTE",
                    "row 2, column TIME", "add it"),
    "column twice": (2, "ID,TIME,DV,AMT,EVID,MDV,RATE,ADDL,DV,SS,CENS,ROUTE",
                     "row 2, column DV", "twice"),
    "empty header": (2, "ID,TIME,DV,AMT,,MDV,RATE,ADDL,II,SS,CENS,ROUTE", "row 2", "field 5"),
    "no header": (2, "1,0,.,100,1,1,.,.,.,.,.,oral", "row 2", "no header"),
    "wrong unit": (1, "# agmpk units: dose=km", "row 1", "does not measure a dose"),
    "unknown unit": (1, "# agmpk units: concentration=foo/mL", "row 1", "not understood"),
    "a unit that computes": (1, "# agmpk units: time=9**9**9*h", "row 1", "not understood"),
    "two time units": (1, "# agmpk units: time=h time=s", "row 1", "gives time twice"),
    "unknown entry": (1, "# agmpk units: weight=kg", "row 1", "unknown entry"),
    "bad limit": (1, "# agmpk units: lloq=low", "row 1", "LLOQ"),
    "nameless compound": (1, "# agmpk units: compound=''", "row 1", "compound"),
    "broken units line": (1, "# agmpk units: compound='caffeine", "row 1", "not understood"),
}  # fmt: skip


def edited(line, text):
    lines = GOOD.splitlines()
    lines[line - 1] = text
    return "\n".join(lines) + "\n"


@pytest.fixture
def read(tmp_path):
    def read(content, **options):
        path = tmp_path / "study.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_study(path, **options)

    return read


def faults(read, content):
    with pytest.raises(TableError) as caught:
        read(content)
    return caught.value.faults


def test_the_table_of_these_tests_is_good(read):
    study = read(GOOD)
    assert study.compound == "caffeine" and study.ids == ("1", "2")
    assert study["1"].concentrations.tolist() == [0, 5.5, 3.5]


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_gives_one_sentence(read, tmp_path, fault):
    line, text, place, words = FAULTS[fault]
    if place is None:
        assert len(read(edited(line, text))["1"]) == 2
        return
    found = faults(read, edited(line, text))
    assert len(found) == 1, found
    assert found[0].startswith(f"{tmp_path / 'study.csv'}, {place}")
    assert words in found[0]
    assert found[0].endswith(".") and "; " in found[0] and "\n" not in found[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n\n  \n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (GOOD.encode("utf-16"), "UTF-16"),
        (GOOD.encode("utf-16-le"), "UTF-16"),
        (GOOD.encode("utf-16-be"), "UTF-16"),
        (b"PK\x03\x04" + bytes(range(200)), "workbook"),
        (bytes(range(256)), "not a text file"),
        (edited(1, "# café").encode("latin-1"), "row 1: the byte 0xE9"),
        (b"ID,TIME,DV,AMT\n", "row 1: no row follows"),
        (b"# only a comment\n", "column AMT: the required column is missing"),
        (b"ID,TIME,DV,AMT\n1,1,.,.\n", "no row is a dose"),
    ],
)
def test_files_that_are_no_tables(read, content, words):
    found = faults(read, content)
    assert words in found[0]
    assert len(found) == 1 or "required column" in found[1]


def test_a_path_that_is_no_file(tmp_path):
    for path, words in ((tmp_path / "none.csv", "no such file"), (tmp_path, "a folder")):
        with pytest.raises(TableError, match=words):
            read_study(path)


def test_a_byte_order_mark_and_other_line_ends_are_accepted(read):
    expected = read(GOOD)
    assert read(b"\xef\xbb\xbf" + GOOD.encode()) == expected
    assert read(GOOD.replace("\n", "\r\n")) == expected
    assert read(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r").encode()) == expected


def test_rows_are_counted_as_in_an_editor(read):
    content = "\ufeff\r\n# note\r\n\r\n" + edited(5, "1,1,high,.,0,0,.,.,.,.,.,.").replace(
        "\n", "\r\n"
    )
    assert ", row 8, column DV" in faults(read, content)[0]


def test_faults_are_collected_in_order_and_capped(read):
    content = GOOD.replace(",5.5,", ",a,").replace(",2.5,", ",-2,").replace(",4.5,", ',"1,2",')
    found = faults(read, content)
    assert [text.split(", ")[1] for text in found] == ["row 5", "row 8", "row 9"]

    rows = "".join(f"2,{3 + k},x,.,0,0,.,.,.,.,.,.\n" for k in range(40))
    with pytest.raises(AgmpkError) as caught:
        read(GOOD + rows)
    lines = str(caught.value).splitlines()
    assert len(caught.value.faults) == 40 and len(lines) == 4
    assert lines[-1] == "... and 37 more"


odd = st.sampled_from(
    ["", ".", "0", "1", "-1", "9" * 400, "{value}", "%s", '"', "\x1b", "\u2028", "١"]
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_odd_cells_never_end_in_a_traceback(tmp_path_factory, data):
    rows = [line.split(",") for line in GOOD.splitlines()]
    for _ in range(data.draw(st.integers(1, 4))):
        row = data.draw(st.sampled_from(rows))
        row[data.draw(st.integers(0, len(row) - 1))] = data.draw(odd | st.text(max_size=4))
    path = tmp_path_factory.mktemp("odd") / "study.csv"
    content = "\n".join(",".join(row) for row in rows)
    path.write_bytes(content.encode("utf-8", errors="surrogatepass"))
    try:
        read_study(path)
    except AgmpkError as error:
        assert str(path) in str(error)


def test_samples_before_the_first_dose_are_told_of(tmp_path):
    file = tmp_path / "early.csv"
    file.write_text(
        "ID,TIME,DV,AMT,EVID\n1,0.5,0,.,0\n1,1,3.2,.,0\n1,1.5,.,100,1\n1,2,3,.,0\n"
        "2,0,.,100,1\n2,1,3,.,0\n"
    )
    reading = read_table(file)
    assert len(reading.only()["1"]) == 3
    assert [note for note in reading.notes if "before the first dose" in note] == [
        "1 sample(s) above 0 before the first dose are not forecast from; give an earlier dose if "
        "there was one"
    ]
