"""Open-access full texts from PubMed Central, politely: pace, retries, cache, resume, manifest.

One retrieval is one folder: `manifest.json` says what was asked, when, what was found and under
which licence, and is the state to resume from; `articles/` holds what may be mined. Messages never
hold the address of a request: with a key set, the address contains the key.
"""

from __future__ import annotations

import datetime
import hashlib
import http.client
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen
from xml.etree.ElementTree import Element

from Bio import Entrez

from agmpk.errors import AgmpkError
from agmpk.files import atomic_path
from agmpk.literature.parse import articles_of, document_from_article, local, parse_xml, text_of

NCBI = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils/"
QUERY = '"bioequivalence"[title] AND "open access"[filter]'  # the published search


@dataclass(frozen=True)
class RetrieveSettings:
    """`email` is required by NCBI. `pause` is the first waiting time of the backoff in seconds.

    Requests are spaced by Biopython: three a second, ten with a key.
    """

    email: str
    base_url: str = NCBI
    timeout: float = 60.0
    max_tries: int = 5
    pause: float = 2.0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", self.email):
            raise AgmpkError(
                "NCBI asks for the e-mail address of whoever runs the queries; give it with --email"
            )
        if not self.base_url.startswith(("http://", "https://")):
            raise AgmpkError("--base-url must start with http:// or https://")

    def key(self) -> str | None:
        """The NCBI API key, if there is one."""
        return os.environ.get("NCBI_API_KEY") or None


# --------------------------------------------------------------------------------- the service
MAX_ANSWER = 60_000_000  # bytes of one answer
PAGE = 200  # ids per search request
MAX_PAUSE = 60.0  # seconds between two tries
_REPEAT = {408, 425, 429, 500, 502, 503, 504}


class ServiceError(AgmpkError):
    """The service could not be reached or kept refusing; what is cached stays."""


class _Transient(Exception):
    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class Eutils:
    """Searches and fetches PubMed Central. `sleep` is replaceable for tests."""

    def __init__(
        self, settings: RetrieveSettings, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.settings = settings
        self._sleep = sleep

    def search(self, query: str, limit: int) -> tuple[int, list[str]]:
        """`(how many there are, the first `limit` PMC numbers)` for a query, page by page."""
        ids: list[str] = []
        total = 0
        while len(ids) < limit and (not ids or len(ids) < total):
            page = min(PAGE, limit - len(ids))
            where = {"retstart": str(len(ids)), "retmax": str(page)}
            answer = self._call(Entrez.esearch, db="pmc", term=query, retmode="json", **where)
            try:
                result = json.loads(answer)["esearchresult"]
                fault = str(result.get("ERROR", ""))[:200]
                total = 0 if fault else int(result["count"])
                new = [] if fault else [f"PMC{int(i)}" for i in result["idlist"]]
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise ServiceError(
                    "PubMed Central's answer to the search could not be read; try again later"
                ) from error
            if fault:
                raise AgmpkError(
                    f"PubMed Central did not accept the query ({fault}); check its spelling"
                )
            fresh = [i for i in new if i not in ids]
            if not fresh:
                break
            ids += fresh
        return total, ids[:limit]

    def fetch(self, pmcid: str) -> bytes:
        """The full-text XML of one article."""
        return self._call(
            Entrez.efetch, db="pmc", id=pmcid.removeprefix("PMC"), rettype="full", retmode="xml"
        )

    def _call(self, function: Callable[..., Any], **arguments: str) -> bytes:
        s = self.settings
        reason = ""
        for attempt in range(1, s.max_tries + 1):
            try:
                with _entrez(s):
                    return _read(function(**arguments))
            except _Transient as error:
                reason = str(error)
                backoff = s.pause * 2 ** (attempt - 1)
                if attempt < s.max_tries:
                    self._sleep(min(backoff if error.wait is None else error.wait, MAX_PAUSE))
        raise ServiceError(
            f"PubMed Central did not answer after {s.max_tries} tries (last: {reason}); "
            "what was fetched so far is kept, run the same command again to go on"
        )


@contextmanager
def _entrez(settings: RetrieveSettings) -> Iterator[None]:
    """Biopython's module settings for one call: whom, which key, where to, and our retries
    instead of its own."""

    def opened(request: Request):
        url = request.full_url
        if url.startswith(NCBI):
            request.full_url = settings.base_url.rstrip("/") + "/" + url[len(NCBI) :]
        try:
            return urlopen(request, timeout=settings.timeout)
        except HTTPError as error:
            error.close()
            if error.code in _REPEAT:
                raise _Transient(f"HTTP {error.code}", _retry_after(error)) from None
            refused = f"PubMed Central refused the request (HTTP {error.code})"
            raise ServiceError(f"{refused}; check query, e-mail and key") from None
        except (URLError, OSError, http.client.HTTPException) as error:
            raise _Transient(_kind(error)) from None

    ours = {"email": settings.email, "api_key": settings.key(), "tool": "agmpk"}
    ours |= {"max_tries": 1, "urlopen": opened}
    before = {name: getattr(Entrez, name) for name in ours}
    try:
        vars(Entrez).update(ours)
        yield
    finally:
        vars(Entrez).update(before)


def _retry_after(error: HTTPError) -> float | None:
    try:
        return max(0.0, float(error.headers.get("Retry-After", "")))
    except (TypeError, ValueError):
        return None


def _kind(error: BaseException) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return "timeout"
    cut = isinstance(reason, (ConnectionError, http.client.HTTPException))
    return "connection cut" if cut else "no connection"


def _read(handle: Any) -> bytes:
    expected = handle.headers.get("Content-Length") if hasattr(handle, "headers") else None
    stream = getattr(handle, "buffer", handle)
    try:
        data = stream.read(MAX_ANSWER + 1)
    except http.client.IncompleteRead:
        raise _Transient("answer cut short") from None
    except (OSError, http.client.HTTPException) as error:
        raise _Transient(_kind(error)) from None
    finally:
        handle.close()
    if len(data) > MAX_ANSWER:
        size = f"larger than {MAX_ANSWER / 1e6:.0f} MB"
        raise ServiceError(f"an answer of PubMed Central was {size} and was not read")
    if expected is not None and len(data) < int(expected):
        raise _Transient("answer cut short")
    return data


# ------------------------------------------------------------------------ licence and manifest
_CC = re.compile(
    r"creativecommons\.org/(?:licenses/(?P<kind>by(?:-nc)?(?:-nd|-sa)?)/(?P<version>\d\.\d)"
    r"|publicdomain/(?P<public>zero|mark)/)",
    re.I,
)
_WORDS = re.compile(
    r"creative commons attribution(?P<nc>[- ]non-?commercial)?(?:[- ](?P<more>no-?deriv\w*"
    r"|share-?alike))?|\bCC[- ](?P<short>BY(?:-NC)?(?:-ND|-SA)?|0)\b",
    re.I,
)


def licence_of(article: Element) -> tuple[str, bool]:
    """`(name, whether analysing is permitted)` of a JATS article, from its link or its words.

    Every Creative Commons licence permits reading and analysing a lawfully accessed text, also by
    machine; only facts are kept. Without a stated licence nothing is permitted.
    """
    permissions = next((e for e in article.iter() if local(e.tag) == "permissions"), None)
    if permissions is None:
        return "none stated", False
    texts = [text_of(permissions)]
    for element in permissions.iter():
        marks = ("href", "license-type")
        texts += [value for name, value in element.attrib.items() if local(name) in marks]
        if local(element.tag) in ("license_ref", "ext-link") and element.text:
            texts.append(element.text)
    joined = " ".join(texts)
    if match := _CC.search(joined):
        if match["public"]:
            return "CC0" if match["public"].lower() == "zero" else "public domain", True
        return f"CC {match['kind'].upper()} {match['version']}", True
    if words := _WORDS.search(joined):
        if words["short"]:
            return "CC0" if words["short"] == "0" else f"CC {words['short'].upper()}", True
        more = {"n": "-ND", "s": "-SA"}.get((words["more"] or " ")[0].lower(), "")
        return "CC BY" + ("-NC" if words["nc"] else "") + more, True
    return "other: " + " ".join(text_of(permissions).split())[:80], False


NAME = "manifest.json"


@dataclass
class Entry:
    """One article: `status` is `kept`, `refused` (licence), `no full text`, or `unreadable`."""

    pmcid: str
    status: str
    licence: str = ""
    pmid: str = ""
    year: int | None = None
    title: str = ""
    sha256: str = ""
    note: str = ""


@dataclass
class Manifest:
    """A retrieval: query, date (ISO), how many articles match, which ids were asked for, and
    their entries."""

    query: str
    date: str
    service: str
    total: int
    ids: list[str]
    entries: dict[str, Entry] = field(default_factory=dict)

    @property
    def open(self) -> list[str]:
        """Ids that have not been fetched yet."""
        return [i for i in self.ids if i not in self.entries]

    def counts(self) -> dict[str, int]:
        """How many articles have each status."""
        return dict(Counter(entry.status for entry in self.entries.values()))

    def save(self, folder: Path) -> None:
        """Write `manifest.json`, whole or not at all."""
        content = {**asdict(self), "entries": [asdict(e) for e in self.entries.values()]}
        with atomic_path(folder / NAME) as temporary:
            temporary.write_text(
                json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
            )


def load_manifest(folder: Path) -> Manifest | None:
    """The manifest in `folder`, or None; AgmpkError where the file is none of ours."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        entries = {e["pmcid"]: Entry(**e) for e in content.pop("entries")}
        return Manifest(**content, entries=entries)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise AgmpkError(
            f"{path}: not a manifest of this program; remove it or use another folder"
        ) from error


# ------------------------------------------------------------------------------------- the run
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
    stopped: the list of ids and every finished article are kept.

    Raises:
        AgmpkError: the folder holds another query, or cannot be written (full disk).
        ServiceError: the service fails.
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
            other = f"holds the articles of another query ({manifest.query})"
            raise AgmpkError(f"{folder}: {other}; use another folder")
        if limit <= len(manifest.ids) or len(manifest.ids) == manifest.total:
            return manifest
    total, ids = client.search(query, limit)
    known = manifest.entries if manifest is not None else {}
    today, kept = datetime.date.today().isoformat(), {i: known[i] for i in ids if i in known}
    manifest = Manifest(query, today, settings.base_url, total, ids, kept)
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
    licence, mining = licence_of(article)
    pmid, year = str(document.meta.get("pmid", "")), document.meta.get("year")
    entry = Entry(pmcid, "kept", licence, pmid, year, document.title)
    if not mining:
        entry.status = "refused"
    elif not any(local(e.tag) == "body" for e in article):
        entry.status = "no full text"
    else:
        entry.sha256 = hashlib.sha256(data).hexdigest()
        with atomic_path(folder / ARTICLES / f"{pmcid}.xml") as temporary:
            temporary.write_bytes(data)
    return entry
