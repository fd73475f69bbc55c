"""JATS: tables as full grids; hostile XML ends in one clear sentence."""

import tempfile
from pathlib import Path

import pytest

from agmpk.errors import AgmpkError
from agmpk.files import data_path
from agmpk.literature.parse import parse_file

HEAD = b'<?xml version="1.0"?>'


def article(body=b"", front=b"<article-title>T</article-title>"):
    return (
        b"<article><front><article-meta>"
        + front
        + b"</article-meta></front><body>"
        + body
        + b"</body></article>"
    )


def parse_bytes(data, name="x.xml"):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        (document,) = parse_file(path)
        return document


def test_an_article():
    (document,) = parse_file(data_path("literature", "gold", "jats", "J01.xml"))
    assert document.title.startswith("Bioequivalence of two bisoprolol")
    assert document.abstract.startswith("Background: Bisoprolol")
    assert document.meta == {"pmid": "99000001", "pmcid": "PMC99000001", "year": 2024}
    assert "Blood was sampled" in document.body
    assert len(document.tables) == 3
    assert document.tables[1].rows[0] == ("Cmax (ng/mL)", "21.4 ± 4.6", "21.9 ± 4.9")
    assert document.tables[1].rows[1][0] == "Tmax (h)"  # the footnote mark is no part of it


def test_spans_are_filled_in():
    table = parse_file(data_path("literature", "gold", "jats", "J02.xml"))[0].tables[0]
    assert table.header[0] == ("Parameters", "Fasting", "Fasting", "Fed", "Fed")
    assert table.header[1][0] == "Parameters"
    assert all(len(row) == 5 for row in (*table.header, *table.rows))


def test_a_cell_is_found_in_the_table_text():
    table = parse_file(data_path("literature", "gold", "jats", "J02.xml"))[0].tables[0]
    for r, row in enumerate((*table.header, *table.rows)):
        for c, cell in enumerate(row):
            start = table.offset(r, c)
            assert table.text()[start : start + len(cell)] == cell


def test_absurd_spans_are_bounded():
    cells = b'<td colspan="999999999" rowspan="99999999">a</td>'
    data = article(
        b"<table-wrap><table><tr>" + cells + b"</tr><tr><td>b</td></tr></table></table-wrap>"
    )
    table = parse_bytes(data).tables[0]
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
    ],
    ids=["laughs", "external", "deep", "deeper", "empty", "cut", "binary", "html"],
)
def test_hostile_or_wrong_xml(data, message):
    with pytest.raises(AgmpkError, match=message) as caught:
        parse_bytes(data, "bad.xml")
    assert "bad.xml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "huge.xml"
    with open(path, "wb") as stream:
        stream.seek(101_000_000)
        stream.write(b"<")
    with pytest.raises(AgmpkError, match="101 MB"):
        parse_file(path)


def test_a_doctype_without_entities_is_fine():
    data = HEAD + b'<!DOCTYPE article PUBLIC "-//NLM//DTD JATS//EN" "JATS.dtd">' + article()
    assert parse_bytes(data).title == "T"


WRAP = b"<table-wrap><label>T1</label><caption><p>C</p></caption>%s</table-wrap>"


def table_rows(xml):
    return [(*t.header, *t.rows) for t in parse_bytes(article(WRAP % xml)).tables]


def test_two_tables_in_one_wrap():
    one = b"<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>%d</td></tr></tbody></table>"
    tables = parse_bytes(article(WRAP % (one % 1 + one % 2))).tables
    assert [(t.header, t.rows, t.label) for t in tables] == [
        ((("a",),), (("1",),), "T1"),
        ((("a",),), (("2",),), "T1"),
    ]


def test_a_rowspan_reaches_from_the_head_into_the_body():
    xml = (
        b'<table><thead><tr><th rowspan="2">a</th><th>b</th></tr></thead>'
        b"<tbody><tr><td>1</td></tr><tr><td>2</td><td>3</td></tr></tbody></table>"
    )
    assert table_rows(xml) == [(("a", "b"), ("a", "1"), ("2", "3"))]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (b"1.2 &#215; 10<sup>3</sup>", "1.2 × 10^3"),
        (b"1.2 &#215; 10<sup>&#8722;3</sup>", "1.2 × 10^−3"),
        (b"8.5<sup>1</sup>", "8.5^1"),
        (b"8.5<sup>a</sup>", "8.5"),
        (b"8.5 <sup>*</sup>", "8.5"),
        (b"ng mL<sup>&#8722;1</sup>", "ng mL−1"),
        (b"kg/m<sup>2</sup>", "kg/m2"),
        (b"Cmax<sup>2</sup>", "Cmax"),
        (b"C<sub>max</sub>", "Cmax"),
    ],
)
def test_superscripts_never_grow_into_a_number(cell, text):
    assert table_rows(b"<table><tr><td>" + cell + b"</td></tr></table>") == [((text,),)]


def test_named_characters_of_html_need_no_declaration():
    document = parse_bytes(article(b"<p>5&nbsp;&plusmn;&nbsp;2 &mu;g &amp; &lt;</p>"))
    assert document.body == "5\xa0±\xa02 μg & <"
    with pytest.raises(AgmpkError, match="not well-formed"):
        parse_bytes(article(b"<p>&nosuchname;</p>"))


def test_a_set_of_several_articles(tmp_path):
    path = tmp_path / "set.nxml"
    one = article(b"<p>b</p>", b'<article-id pub-id-type="pmc">%d</article-id><article-title>T')
    many = (one % 1 + one % 2).replace(b"<article-title>T<", b"<article-title>T</article-title><")
    path.write_bytes(b"<pmc-articleset>" + many + b"</pmc-articleset>")
    assert [d.id for d in parse_file(path)] == ["PMC1", "PMC2"]


def test_pubmed_records(tmp_path):
    path = tmp_path / "pubmed.xml"
    record = (
        b"<PubmedArticle><MedlineCitation><PMID>%d</PMID><Article><Journal><JournalIssue><PubDate>"
        b"<Year>2021</Year></PubDate></JournalIssue></Journal><ArticleTitle>Title %d</ArticleTitle>"
        b'<Abstract><AbstractText Label="RESULTS">C<sub>max</sub> was 5.</AbstractText>'
        b"<AbstractText>More.</AbstractText></Abstract></Article></MedlineCitation></PubmedArticle>"
    )
    text = record % (1, 1) + record % (2, 2)
    path.write_bytes(b"<PubmedArticleSet>" + text + b"</PubmedArticleSet>")
    first, second = parse_file(path)
    assert (first.id, first.title) == ("1", "Title 1") and second.id == "2"
    assert first.abstract == "RESULTS: Cmax was 5.\nMore."
    assert first.meta == {"pmid": "1", "year": 2021}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<article><h1>HTML</h1></article>", "no JATS front matter"),
        (b"<article><info><title>DocBook</title></info></article>", "no JATS front matter"),
        (b"<html><body/></html>", "0 JATS articles"),
        (b"<PubmedArticleSet/>", "0 JATS articles"),
    ],
)
def test_other_formats_are_refused_with_a_sentence(tmp_path, data, message):
    path = tmp_path / "other.xml"
    path.write_bytes(data)
    with pytest.raises(AgmpkError, match=message):
        parse_file(path)
