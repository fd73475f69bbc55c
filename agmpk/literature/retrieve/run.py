"""A whole retrieval into one folder: search once, fetch what is missing, keep what may be mined."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable
from pathlib import Path

from agmpk.errors import AgmpkError
from agmpk.files import atomic_path
from agmpk.literature.parse.article import articles_of, document_from_article
from agmpk.literature.parse.safe_xml import parse_xml
from agmpk.literature.parse.text import local
from agmpk.literature.retrieve.eutils import Eutils
from agmpk.literature.retrieve.licence import licence_of
from agmpk.literature.retrieve.manifest import Entry, Manifest, load_manifest
from agmpk.literature.retrieve.settings import RetrieveSettings

ARTICLES = "articles"


def retrieve(
    query: str,
    folder: str | Path,
    settings: RetrieveSettings,
    limit: int = 200,
    progress: Callable[[str], None] = lambda line: None,
    client: Eutils | None = None,
) -> Manifest:
    """Search PubMed Central and keep the full texts whose licence permits mining.

    `folder` gets `manifest.json` and `articles/PMC....xml`. An interrupted run goes on where it
    stopped:
    the list of ids and every finished article are kept. Raises AgmpkError for a folder that
    holds another
    query, ServiceError when the service fails, OSError is turned into AgmpkError (full disk).
    """
    folder = Path(folder)
    client = client or Eutils(settings)
    try:
        (folder / ARTICLES).mkdir(parents=True, exist_ok=True)
        manifest = _started(query, folder, settings, limit, client)
        for pmcid in manifest.open:
            entry = _fetch(pmcid, folder, client)
            manifest.entries[pmcid] = entry
            manifest.save(folder)
            progress(f"{pmcid}: {entry.status}" + (f" ({entry.licence})" if entry.licence else ""))
    except OSError as error:
        raise AgmpkError(
            f"{folder}: cannot be written ({error.strerror}); make room and run the same command "
            "again, what is complete is kept"
        ) from error
    return manifest


def _started(
    query: str, folder: Path, settings: RetrieveSettings, limit: int, client: Eutils
) -> Manifest:
    manifest = load_manifest(folder)
    if manifest is not None:
        if manifest.query != query:
            raise AgmpkError(
                f"{folder}: holds the articles of another query ({manifest.query}); use another "
                f"folder"
            )
        if limit <= len(manifest.ids) or len(manifest.ids) == manifest.total:
            return manifest
    total, ids = client.search(query, limit)
    known = manifest.entries if manifest is not None else {}
    manifest = Manifest(
        query,
        datetime.date.today().isoformat(),
        settings.base_url,
        total,
        ids,
        {i: known[i] for i in ids if i in known},
    )
    manifest.save(folder)
    return manifest


def _fetch(pmcid: str, folder: Path, client: Eutils) -> Entry:
    data = client.fetch(pmcid)
    try:
        articles = articles_of(parse_xml(data, pmcid))
    except AgmpkError as error:
        return Entry(pmcid, "unreadable", note=str(error))
    if len(articles) != 1:
        return Entry(pmcid, "unreadable", note=f"{len(articles)} articles in one answer")
    article = articles[0]
    document = document_from_article(article)
    licence = licence_of(article)
    entry = Entry(
        pmcid,
        "kept",
        licence.name,
        str(document.meta.get("pmid", "")),
        document.meta.get("year"),
        document.title,
    )
    if not licence.mining:
        entry.status = "refused"
    elif not any(local(e.tag) == "body" for e in article):
        entry.status = "no full text"
    else:
        entry.sha256 = hashlib.sha256(data).hexdigest()
        with atomic_path(folder / ARTICLES / f"{pmcid}.xml") as temporary:
            temporary.write_bytes(data)
    return entry
