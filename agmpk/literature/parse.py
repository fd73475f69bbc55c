"""One JATS article as a Document.

Reading XML that nobody has vetted.

defusedxml refuses entity declarations and external references; the limits on size and depth are
ours.
Every refusal is one AgmpkError that names the file and what to do.


Readable text of a JATS element: sub- and superscripts inline, no references, no formulas'
markup.

JATS/XHTML tables as full grids: a spanning cell is repeated in every place it covers.
"""

from __future__ import annotations
from defusedxml.ElementTree import DefusedXMLParser
from defusedxml.common import DefusedXmlException, DTDForbidden, EntitiesForbidden, ExternalReferenceForbidden
from pathlib import Path
from xml.etree.ElementTree import Element
from xml.etree.ElementTree import Element, ParseError, TreeBuilder
import re
from agmpk.errors import AgmpkError
from agmpk.literature.document import Document
from agmpk.literature.document import Table
from agmpk.literature.parse.safe_xml import parse_xml, read_xml
from agmpk.literature.parse.tables import tables_of
from agmpk.literature.parse.text import cell_text, local, text_of
from agmpk.literature.parse.text import local, text_of


def parse_jats_file(path: str | Path, id: str | None = None) -> Document:
    """The article in a file; the id is the PMC number, else the PMID, else the file's name."""
    return _document(read_xml(path), str(path), id or None, Path(path).stem)


def parse_jats(data: bytes, name: str, id: str | None = None) -> Document:
    """The article in `data`; `name` is what errors call it. Raises AgmpkError for anything but
    one article."""
    return _document(parse_xml(data, name), name, id, name)


def articles_of(root: Element) -> list[Element]:
    """All `article` elements (an efetch answer wraps them in `pmc-articleset`)."""
    return (
        [root]
        if local(root.tag) == "article"
        else [e for e in root.iter() if local(e.tag) == "article"]
    )


def _document(root: Element, name: str, id: str | None, fallback: str) -> Document:
    articles = articles_of(root)
    if len(articles) != 1:
        raise AgmpkError(
            f"{name}: holds {len(articles)} JATS articles, but one is needed; "
            "check that this is the full-text XML of PubMed Central"
        )
    return document_from_article(articles[0], id, fallback)


def document_from_article(
    article: Element, id: str | None = None, fallback: str = "article"
) -> Document:
    """A Document from one `article` element."""
    front = (
        _first(article, "article-meta") if _first(article, "article-meta") is not None else article
    )
    ids = {
        e.get("pub-id-type", ""): (e.text or "").strip()
        for e in front.iter()
        if local(e.tag) == "article-id"
    }
    pmcid = ids.get("pmc") or ids.get("pmcid") or ""
    if pmcid and not pmcid.upper().startswith("PMC"):
        pmcid = f"PMC{pmcid}"
    meta: dict[str, object] = {}
    if ids.get("pmid"):
        meta["pmid"] = ids["pmid"]
    if pmcid:
        meta["pmcid"] = pmcid
    years = [
        int(m[1])
        for e in front.iter()
        if local(e.tag) == "year" and (m := re.match(r"\s*(\d{4})", e.text or ""))
    ]
    if years:
        meta["year"] = min(years)
    title = " ".join(text_of(_first(front, "article-title")).split())
    return Document(
        id or pmcid or ids.get("pmid") or fallback,
        title,
        _abstract(front),
        _body(article),
        tables_of(article),
        meta,
    )


def _first(element: Element, name: str) -> Element | None:
    return next((e for e in element.iter() if local(e.tag) == name), None)


def _abstract(front: Element) -> str:
    """The main abstract: graphical and translated ones are left out; section titles end with a
    colon."""
    for abstract in (e for e in front if local(e.tag) == "abstract"):
        if abstract.get("abstract-type") in (
            "graphical",
            "teaser",
            "toc",
            "key-points",
            "plain-language-summary",
            "precis",
        ):
            continue
        sections = [e for e in abstract if local(e.tag) == "sec"]
        if not sections:
            return text_of(abstract)
        parts = []
        for section in sections:
            heading = next((text_of(e) for e in section if local(e.tag) == "title"), "")
            words = " ".join(text_of(e) for e in section if local(e.tag) != "title").replace(
                "\n", " "
            )
            parts.append(f"{heading.rstrip(':')}: {words}" if heading else words)
        return "\n".join(parts)
    return ""


def _body(article: Element) -> str:
    body = next((e for e in article if local(e.tag) == "body"), None)
    return text_of(body)


MAX_BYTES = 30_000_000  # a long article with supplements inline is below 5 MB
MAX_DEPTH = 200  # real articles nest below 40
MAX_ELEMENTS = 2_000_000
_CHUNK = 1 << 16


class _BoundedBuilder(TreeBuilder):
    """A tree builder that gives up on absurd depth or size."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0
        self.elements = 0

    def start(self, tag, attrs):  # noqa: ANN001, ANN201 - signature of TreeBuilder
        self.depth += 1
        self.elements += 1
        if self.depth > MAX_DEPTH:
            raise _TooMuch(f"elements are nested more than {MAX_DEPTH} deep")
        if self.elements > MAX_ELEMENTS:
            raise _TooMuch(f"more than {MAX_ELEMENTS} elements")
        return super().start(tag, attrs)

    def end(self, tag):  # noqa: ANN001, ANN201
        self.depth -= 1
        return super().end(tag)


class _TooMuch(Exception):
    pass


def parse_xml(data: bytes, name: str) -> Element:
    """The root element of `data`. Raises AgmpkError (one sentence, naming `name`) for unsafe or
    broken XML."""
    if len(data) > MAX_BYTES:
        raise AgmpkError(
            f"{name}: {len(data) / 1e6:.0f} MB of XML is more than the {MAX_BYTES / 1e6:.0f} MB "
            f"that are read; "
            "an article is never that large, so leave this file out"
        )
    if not data.strip():
        raise AgmpkError(f"{name}: the file is empty; fetch it again")
    parser = DefusedXMLParser(
        target=_BoundedBuilder(), forbid_dtd=False, forbid_entities=True, forbid_external=True
    )
    try:
        for start in range(0, len(data), _CHUNK):
            parser.feed(data[start : start + _CHUNK])
        return parser.close()
    except EntitiesForbidden as error:
        raise AgmpkError(
            f"{name}: declares the XML entity '{error.name}'; articles need none and expanding "
            f"them "
            "is unsafe, so leave this file out"
        ) from error
    except (ExternalReferenceForbidden, DTDForbidden) as error:
        raise AgmpkError(
            f"{name}: refers to something outside the file; that is never loaded, so leave this "
            f"file out"
        ) from error
    except DefusedXmlException as error:
        raise AgmpkError(f"{name}: unsafe XML ({error}); leave this file out") from error
    except _TooMuch as error:
        raise AgmpkError(f"{name}: {error}; this is no article, leave the file out") from error
    except (ParseError, ValueError, LookupError) as error:
        raise AgmpkError(
            f"{name}: not well-formed XML ({error}); fetch the article again"
        ) from error


def read_xml(path: str | Path) -> Element:
    """`parse_xml` of a file; its size is looked at before it is read."""
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise AgmpkError(
                f"{path}: {size / 1e6:.0f} MB of XML is more than the {MAX_BYTES / 1e6:.0f} MB "
                f"that are read; "
                "an article is never that large, so leave this file out"
            )
        data = path.read_bytes()
    except OSError as error:
        raise AgmpkError(f"{path}: cannot be read ({error.strerror})") from error
    return parse_xml(data, str(path))


_DROPPED = {
    "table-wrap",
    "fig",
    "disp-formula-group",
    "supplementary-material",
    "ref-list",
    "tex-math",
    "object-id",
    "graphic",
}
_BLOCKS = {"p", "title", "sec", "list-item", "break", "label", "caption", "disp-formula"}
_SUPERSCRIPT_UNIT = re.compile(r"\s*[-−–]\s*\d\s*$")


def local(tag: object) -> str:
    """The tag's name without its namespace."""
    return tag.rsplit("}", 1)[-1] if isinstance(tag, str) else ""


def text_of(element: Element | None, keep_tables: bool = False) -> str:
    """The text of an element, white space collapsed, block elements on lines of their own."""
    if element is None:
        return ""
    parts: list[str] = []
    _collect(element, parts, keep_tables)
    text = re.sub(r"[ \t\r\f\v\u2028]+", " ", "".join(parts))
    return re.sub(r"\s*\n\s*", "\n", text).strip()


def cell_text(element: Element) -> str:
    """The text of a table cell on one line, footnote marks (`a`, `*`) left out."""
    parts: list[str] = []
    _collect(element, parts, keep_tables=True)
    return " ".join("".join(parts).split())


def _collect(element: Element, parts: list[str], keep_tables: bool) -> None:
    tag = local(element.tag)
    if not tag or (tag in _DROPPED and not keep_tables):
        return
    if tag == "xref" and element.get("ref-type") in ("bibr", "table-fn", "fn"):
        return
    if tag == "sup" and re.fullmatch(
        r"\s*(?:[a-z]|[*†‡§¶]+|\(?[a-z]\)?)\s*", "".join(element.itertext())
    ):
        return
    if tag in _BLOCKS:
        parts.append("\n")
    parts.append((element.text or "").replace("\n", " "))
    for child in element:
        _collect(child, parts, keep_tables)
        parts.append((child.tail or "").replace("\n", " "))
    if tag in _BLOCKS:
        parts.append("\n")


MAX_SPAN = 100  # columns or rows one cell may span; HTML allows 1000, real tables stay below 20
MAX_COLUMNS = 200
MAX_CELLS = 50_000


def tables_of(article: Element) -> tuple[Table, ...]:
    """Every table of an article that has rows (images of tables have none), in document order."""
    tables = []
    for wrap in article.iter():
        if local(wrap.tag) == "table-wrap":
            table = _table(wrap)
            if table.rows:
                tables.append(table)
    return tuple(tables)


def _child(element: Element, name: str) -> Element | None:
    return next((e for e in element.iter() if local(e.tag) == name), None)


def _table(wrap: Element) -> Table:
    head: list[Element] = []
    body: list[Element] = []
    for table in (e for e in wrap.iter() if local(e.tag) == "table"):
        for row in (e for e in table.iter() if local(e.tag) == "tr"):
            (head if _in_head(table, row) else body).append(row)
    if not head and body and all(local(c.tag) == "th" for c in body[0]):
        head, body = body[:1], body[1:]
    header, rows = grid(head), grid(body)
    width = max((len(r) for r in (*header, *rows)), default=0)

    def pad(lines: list[list[str]]) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(line + [""] * (width - len(line))) for line in lines)

    foot = _child(wrap, "table-wrap-foot")
    notes = (
        tuple(line for line in text_of(foot, keep_tables=True).split("\n") if line)
        if foot is not None
        else ()
    )
    caption = " ".join(text_of(_child(wrap, "caption"), keep_tables=True).split())
    return Table(
        " ".join(text_of(_child(wrap, "label")).split()), caption, pad(header), pad(rows), notes
    )


def _in_head(table: Element, row: Element) -> bool:
    return any(local(e.tag) == "thead" and any(r is row for r in e.iter()) for e in table.iter())


def _span(cell: Element, name: str) -> int:
    try:
        return min(max(int(cell.get(name, "1")), 1), MAX_SPAN)
    except ValueError:
        return 1


def grid(rows: list[Element]) -> list[list[str]]:
    """Rows of `tr` elements with row and column spans filled in; spans are bounded, so is the
    grid."""
    result: list[list[str]] = []
    pending: dict[int, tuple[int, str]] = {}  # column -> (rows left, text)
    cells = 0
    for row in rows:
        line: list[str] = []

        def fill(line: list[str] = line) -> None:
            while len(line) in pending:
                left, text = pending[len(line)]
                if left == 1:
                    del pending[len(line)]
                else:
                    pending[len(line)] = (left - 1, text)
                line.append(text)

        for cell in row:
            if local(cell.tag) not in ("td", "th"):
                continue
            fill()
            text = cell_text(cell)
            down = _span(cell, "rowspan")
            for _ in range(_span(cell, "colspan")):
                if len(line) >= MAX_COLUMNS:
                    break
                if down > 1:
                    pending[len(line)] = (down - 1, text)
                line.append(text)
        fill()
        cells += len(line)
        if cells > MAX_CELLS:
            break
        result.append(line)
    return result
