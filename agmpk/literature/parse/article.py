"""One JATS article as a Document."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree.ElementTree import Element

from agmpk.errors import AgmpkError
from agmpk.literature.document import Document
from agmpk.literature.parse.safe_xml import parse_xml, read_xml
from agmpk.literature.parse.tables import tables_of
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
