"""Articles out of XML that nobody has vetted: JATS full texts and PubMed abstracts.

A file holds one article, a `pmc-articleset` with several, or PubMed/MEDLINE records. Tables stay
tables: a spanning cell is repeated in every place it covers. defusedxml refuses entity declarations
and outside references, the limits on size and depth are ours, and the named characters of HTML
(`&nbsp;`, `&plusmn;`), which many files use without declaring them, are replaced beforehand. Every
refusal is one AgmpkError that names the file and what to do.
"""

from __future__ import annotations

import html.entities
import re
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml.common import (
    DefusedXmlException,
    DTDForbidden,
    EntitiesForbidden,
    ExternalReferenceForbidden,
)
from defusedxml.ElementTree import DefusedXMLParser

from agmpk.errors import AgmpkError
from agmpk.literature.document import Document, Table

MAX_BYTES = 30_000_000  # a long article with supplements inline is below 5 MB
MAX_DEPTH = 200  # real articles nest below 40
MAX_ELEMENTS = 2_000_000
MAX_SPAN = 100  # columns or rows one cell may span; HTML allows 1000, real tables stay below 20
MAX_COLUMNS = 200
MAX_CELLS = 50_000
SUFFIXES = (".xml", ".nxml")
_CHUNK = 1 << 16


# --------------------------------------------------------------------------------- reading XML
class _TooMuch(Exception):
    pass


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


def _named_characters(data: bytes) -> bytes:
    """`&nbsp;` and the like as numbers; what XML itself defines and unknown names stay."""

    def number(match: re.Match[bytes]) -> bytes:
        name = match[1].decode("ascii")
        text = html.entities.html5.get(f"{name};")
        if text is None or name in ("amp", "lt", "gt", "quot", "apos"):
            return match.group()
        return b"".join(b"&#%d;" % ord(c) for c in text)

    return re.sub(rb"&([A-Za-z][A-Za-z0-9]{1,31});", number, data)


def parse_xml(data: bytes, name: str) -> Element:
    """The root element of `data`.

    Raises:
        AgmpkError: one sentence, naming `name`, for unsafe, broken or absurdly large XML.
    """
    if len(data) > MAX_BYTES:
        raise AgmpkError(_too_large(name, len(data)))
    if not data.strip():
        raise AgmpkError(f"{name}: the file is empty; fetch it again")
    if b"<!ENTITY" not in data:
        data = _named_characters(data)
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
            "them is unsafe, so leave this file out"
        ) from error
    except (ExternalReferenceForbidden, DTDForbidden) as error:
        raise AgmpkError(
            f"{name}: refers to something outside the file; that is never loaded, so leave this "
            "file out"
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
            raise AgmpkError(_too_large(str(path), size))
        data = path.read_bytes()
    except OSError as error:
        raise AgmpkError(f"{path}: cannot be read ({error.strerror})") from error
    return parse_xml(data, str(path))


def _too_large(name: str, size: int) -> str:
    return (
        f"{name}: {size / 1e6:.0f} MB of XML is more than the {MAX_BYTES / 1e6:.0f} MB that are "
        "read; an article is never that large, so leave this file out"
    )


# ------------------------------------------------------------------------------------ articles
def parse_file(path: str | Path) -> list[Document]:
    """Every article of a file: JATS articles, else PubMed records.

    Raises:
        AgmpkError: where the file holds neither, or cannot be read.
    """
    root, name = read_xml(path), str(path)
    articles = articles_of(root)
    if articles:
        stem = Path(path).stem
        many = len(articles) > 1
        return [
            document_from_article(_checked(a, name), f"{stem}-{i}" if many else stem)
            for i, a in enumerate(articles, start=1)
        ]
    records = [e for e in root.iter() if local(e.tag) == "MedlineCitation"]
    documents = [d for r in records if (d := _from_medline(r)).title or d.abstract]
    if not documents:
        raise AgmpkError(
            f"{name}: holds 0 JATS articles and no PubMed records with a title; "
            "check that this is the XML of PubMed Central or PubMed"
        )
    return documents


def articles_of(root: Element) -> list[Element]:
    """All `article` elements (an efetch answer wraps them in `pmc-articleset`)."""
    if local(root.tag) == "article":
        return [root]
    return [e for e in root.iter() if local(e.tag) == "article"]


def _checked(article: Element, name: str) -> Element:
    """The article, if it is one of JATS: other formats have an `article` element too."""
    if _first(article, "article-meta") is None:
        raise AgmpkError(
            f"{name}: its 'article' has no JATS front matter (article-meta), so it is of another "
            "format; fetch the full-text XML of PubMed Central"
        )
    return article


def document_from_article(article: Element, fallback: str = "article") -> Document:
    """A Document from one JATS `article`; its id is the PMC number, else the PMID, else
    `fallback`."""
    front = _first(article, "article-meta")
    front = article if front is None else front
    ids = {
        e.get("pub-id-type", ""): (e.text or "").strip()
        for e in front.iter()
        if local(e.tag) == "article-id"
    }
    pmcid = ids.get("pmc") or ids.get("pmcid") or ""
    if pmcid and not pmcid.upper().startswith("PMC"):
        pmcid = f"PMC{pmcid}"
    known = {"pmid": ids.get("pmid"), "pmcid": pmcid}
    meta = {k: v for k, v in known.items() if v} | _year(front, "year")
    title = " ".join(text_of(_first(front, "article-title")).split())
    body = next((e for e in article if local(e.tag) == "body"), None)
    return Document(
        pmcid or ids.get("pmid") or fallback,
        title,
        _abstract(front),
        text_of(body),
        tables_of(article),
        meta,
    )


def _from_medline(record: Element) -> Document:
    """Title and abstract of a PubMed record; labelled parts keep their label."""
    pmid = next(((e.text or "").strip() for e in record if local(e.tag) == "PMID"), "")
    parts = []
    for element in record.iter():
        if local(element.tag) == "AbstractText":
            label = (element.get("Label") or "").strip().rstrip(":")
            text = text_of(element)
            parts.append(f"{label}: {text}" if label else text)
    title = " ".join(text_of(_first(record, "ArticleTitle")).split())
    meta = ({"pmid": pmid} if pmid else {}) | _year(record, "Year")
    return Document(pmid or "record", title, "\n".join(filter(None, parts)), meta=meta)


def _year(element: Element, tag: str) -> dict[str, object]:
    years = [
        int(m[1])
        for e in element.iter()
        if local(e.tag) == tag and (m := re.match(r"\s*(\d{4})", e.text or ""))
    ]
    return {"year": min(years)} if years else {}


def _first(element: Element, name: str) -> Element | None:
    return next((e for e in element.iter() if local(e.tag) == name), None)


_NOT_THE_ABSTRACT = (
    "graphical", "teaser", "toc", "key-points", "plain-language-summary", "precis",
)  # fmt: skip


def _abstract(front: Element) -> str:
    """The main abstract: graphical and translated ones are left out; section titles end with a
    colon."""
    for abstract in (e for e in front if local(e.tag) == "abstract"):
        if abstract.get("abstract-type") in _NOT_THE_ABSTRACT:
            continue
        sections = [e for e in abstract if local(e.tag) == "sec"]
        if not sections:
            return text_of(abstract)
        parts = []
        for section in sections:
            heading = next((text_of(e) for e in section if local(e.tag) == "title"), "")
            rest = (text_of(e) for e in section if local(e.tag) != "title")
            words = " ".join(rest).replace("\n", " ")
            parts.append(f"{heading.rstrip(':')}: {words}" if heading else words)
        return "\n".join(parts)
    return ""


# ---------------------------------------------------------------------------------------- text
_DROPPED = {
    "table-wrap", "fig", "disp-formula-group", "supplementary-material", "ref-list", "tex-math",
    "object-id", "graphic",
}  # fmt: skip
_BLOCKS = {"p", "title", "sec", "list-item", "break", "label", "caption", "disp-formula"}


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


def _superscript(text: str, before: str) -> str | None:
    """What a superscript reads as, or None where it is plain text.

    Letters and signs are marks of footnotes. Digits behind a digit are an exponent (`10^3`) or a
    mark (`8.5^1`), and must never grow into the number; behind a letter they are a mark, unless
    they belong to a unit (`m2`, `mL-1`).
    """
    if re.fullmatch(r"\s*\(?(?:[a-z]|[*†‡§¶#]+)\)?\s*", text):
        return ""
    digits = re.fullmatch(r"\s*\(?([-−–+]?)(\d{1,3}(?:,\d)*)\)?\s*", text)
    if digits is None:
        return None
    if before[-1:].isdigit():
        return f"^{digits[1]}{digits[2].partition(',')[0]}"
    if (
        before[-1:].isalpha()
        and not digits[1]
        and not re.search(r"(?:^|[^a-zA-Z])[kcdm]?m$", before)
    ):
        return ""
    return None


def _collect(element: Element, parts: list[str], keep_tables: bool) -> None:
    tag = local(element.tag)
    if not tag or (tag in _DROPPED and not keep_tables):
        return
    if tag == "xref" and element.get("ref-type") in ("bibr", "table-fn", "fn"):
        return
    if tag == "sup":
        before = "".join(parts[-4:])
        mark = _superscript("".join(element.itertext()), before.rstrip() if before.strip() else "")
        if mark is not None:
            parts.append(mark)
            return
    if tag in _BLOCKS:
        parts.append("\n")
    parts.append((element.text or "").replace("\n", " "))
    for child in element:
        _collect(child, parts, keep_tables)
        parts.append((child.tail or "").replace("\n", " "))
    if tag in _BLOCKS:
        parts.append("\n")


# -------------------------------------------------------------------------------------- tables
def tables_of(article: Element) -> tuple[Table, ...]:
    """Every table of an article that has rows (images of tables have none), in document order."""
    wraps = [w for w in article.iter() if local(w.tag) == "table-wrap"]
    tables = [_table(w, t) for w in wraps for t in w.iter() if local(t.tag) == "table"]
    return tuple(t for t in tables if t.rows)


def _table(wrap: Element, table: Element) -> Table:
    """One table of a wrap (which may hold several under one caption)."""
    rows = [e for e in table.iter() if local(e.tag) == "tr"]
    in_head = {id(r) for h in table.iter() if local(h.tag) == "thead" for r in h.iter()}
    rows.sort(key=lambda r: id(r) not in in_head)  # stable: the head first
    lines = grid(rows)
    heads = sum(id(r) in in_head for r in rows[: len(lines)])
    if not heads and rows and all(local(c.tag) == "th" for c in rows[0]):
        heads = 1 if len(lines) > 1 else 0
    foot = text_of(_first(wrap, "table-wrap-foot"), keep_tables=True)
    return Table(
        " ".join(text_of(_first(wrap, "label")).split()),
        " ".join(text_of(_first(wrap, "caption"), keep_tables=True).split()),
        tuple(map(tuple, lines[:heads])),
        tuple(map(tuple, lines[heads:])),
        tuple(line for line in foot.split("\n") if line),
    )


def _span(cell: Element, name: str) -> int:
    try:
        return min(max(int(cell.get(name, "1")), 1), MAX_SPAN)
    except ValueError:
        return 1


def grid(rows: list[Element]) -> list[list[str]]:
    """Equally long rows of `tr` elements with row and column spans filled in, from the head into
    the body too; spans are bounded, and so is the grid."""
    cells: dict[tuple[int, int], str] = {}
    for r, row in enumerate(rows):
        column = 0
        for cell in (e for e in row if local(e.tag) in ("td", "th")):
            while (r, column) in cells:
                column += 1
            text, wide = cell_text(cell), min(_span(cell, "colspan"), MAX_COLUMNS - column)
            for down in range(min(_span(cell, "rowspan"), len(rows) - r)):
                cells |= {(r + down, column + right): text for right in range(wide)}
            column += wide
        if len(cells) > MAX_CELLS:
            rows = rows[:r]
            break
    width = max((column for _, column in cells), default=-1) + 1
    return [[cells.get((r, c), "") for c in range(width)] for r in range(len(rows))]
