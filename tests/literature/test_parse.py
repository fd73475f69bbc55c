"""JATS: tables as full grids; hostile XML ends in one clear sentence."""

import pytest

from agmpk.errors import AgmpkError
from agmpk.literature.parse import parse_jats, parse_jats_file
from agmpk.paths import data_path

HEAD = b'<?xml version="1.0"?>'


def article(body=b"", front=b"<article-title>T</article-title>"):
    return (
        b"<article><front><article-meta>"
        + front
        + b"</article-meta></front><body>"
        + body
        + b"</body></article>"
    )


def test_an_article():
    document = parse_jats_file(data_path("literature", "gold", "jats", "J01.xml"))
    assert document.title.startswith("Bioequivalence of two bisoprolol")
    assert document.abstract.startswith("Background: Bisoprolol")
    assert document.meta == {"pmid": "99000001", "pmcid": "PMC99000001", "year": 2024}
    assert "Blood was sampled" in document.body
    assert len(document.tables) == 3
    assert document.tables[1].rows[0] == ("Cmax (ng/mL)", "21.4 ± 4.6", "21.9 ± 4.9")
    assert document.tables[1].rows[1][0] == "Tmax (h)"  # the footnote mark is no part of it


def test_spans_are_filled_in():
    table = parse_jats_file(data_path("literature", "gold", "jats", "J02.xml")).tables[0]
    assert table.header[0] == ("Parameters", "Fasting", "Fasting", "Fed", "Fed")
    assert table.header[1][0] == "Parameters"
    assert all(len(row) == 5 for row in (*table.header, *table.rows))


def test_a_cell_is_found_in_the_table_text():
    table = parse_jats_file(data_path("literature", "gold", "jats", "J02.xml")).tables[0]
    for r, row in enumerate((*table.header, *table.rows)):
        for c, cell in enumerate(row):
            start = table.offset(r, c)
            assert table.text()[start : start + len(cell)] == cell


def test_absurd_spans_are_bounded():
    cells = b'<td colspan="999999999" rowspan="99999999">a</td>'
    data = article(
        b"<table-wrap><table><tr>" + cells + b"</tr><tr><td>b</td></tr></table></table-wrap>"
    )
    table = parse_jats(data, "x").tables[0]
    assert len(table.rows[0]) <= 200


LAUGHS = HEAD + b'<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><article>&c;</article>'
OUTSIDE = HEAD + b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><article>&x;</article>'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (LAUGHS, "declares the XML entity"),
        (OUTSIDE, "declares the XML entity"),
        (article(b"<p>" * 5000 + b"</p>" * 5000), "nested more than"),
        (b"<a>" * 300_000, "nested more than"),
        (b"", "empty"),
        (b"<article><front>", "not well-formed"),
        (b"\xff\xfe\x00 no xml", "not well-formed"),
        (b"<html/>", "0 JATS articles"),
        (b"<set>" + article() * 2 + b"</set>", "2 JATS articles"),
    ],
    ids=["laughs", "external", "deep", "deeper", "empty", "cut", "binary", "html", "two"],
)
def test_hostile_or_wrong_xml(data, message):
    with pytest.raises(AgmpkError, match=message) as caught:
        parse_jats(data, "bad.xml")
    assert "bad.xml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "huge.xml"
    with open(path, "wb") as stream:
        stream.seek(101_000_000)
        stream.write(b"<")
    with pytest.raises(AgmpkError, match="101 MB"):
        parse_jats_file(path)


def test_a_doctype_without_entities_is_fine():
    data = HEAD + b'<!DOCTYPE article PUBLIC "-//NLM//DTD JATS//EN" "JATS.dtd">' + article()
    assert parse_jats(data, "x").title == "T"
