"""The two E-utilities calls, through Biopython, with retries that honour Retry-After.

Messages never hold the address of a request: with a key set, the address contains the key.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from Bio import Entrez

from agmpk.errors import AgmpkError
from agmpk.literature.retrieve.settings import NCBI, RetrieveSettings

MAX_ANSWER = 60_000_000  # bytes of one answer
PAGE = 200  # ids per search request
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
            answer = self._call(
                Entrez.esearch,
                db="pmc",
                term=query,
                retmode="json",
                retstart=str(len(ids)),
                retmax=str(page),
            )
            try:
                result = json.loads(answer)["esearchresult"]
                if "ERROR" in result:
                    raise AgmpkError(
                        f"PubMed Central did not accept the query ({str(result['ERROR'])[:200]}); "
                        f"check its spelling"
                    )
                total = int(result["count"])
                new = [f"PMC{int(i)}" for i in result["idlist"]]
            except (KeyError, TypeError, ValueError) as error:
                if isinstance(error, AgmpkError):
                    raise
                raise ServiceError(
                    "PubMed Central's answer to the search could not be read; try again later"
                ) from error
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
                if attempt < s.max_tries:
                    self._sleep(
                        min(
                            error.wait if error.wait is not None else s.pause * 2 ** (attempt - 1),
                            s.max_pause,
                        )
                    )
        raise ServiceError(
            f"PubMed Central did not answer after {s.max_tries} tries (last: {reason}); "
            "what was fetched so far is kept, run the same command again to go on"
        )


@contextmanager
def _entrez(settings: RetrieveSettings) -> Iterator[None]:
    """Biopython's module settings for one call: whom, which key, where to, and our retries
    instead of its own."""
    names = ("email", "api_key", "tool", "max_tries", "urlopen")
    before = {name: getattr(Entrez, name) for name in names}

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
            raise ServiceError(
                f"PubMed Central refused the request (HTTP {error.code}); check query, e-mail and "
                f"key"
            ) from None
        except (URLError, OSError, http.client.HTTPException) as error:
            raise _Transient(_kind(error)) from None

    try:
        Entrez.email, Entrez.api_key, Entrez.tool, Entrez.max_tries = (
            settings.email,
            settings.key(),
            "agmpk",
            1,
        )
        Entrez.urlopen = opened
        yield
    finally:
        for name, value in before.items():
            setattr(Entrez, name, value)


def _retry_after(error: HTTPError) -> float | None:
    try:
        return max(0.0, float(error.headers.get("Retry-After", "")))
    except (TypeError, ValueError):
        return None


def _kind(error: BaseException) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return "timeout"
    return (
        "connection cut"
        if isinstance(reason, (ConnectionError, http.client.HTTPException))
        else "no connection"
    )


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
        raise ServiceError(
            f"an answer of PubMed Central was larger than {MAX_ANSWER / 1e6:.0f} MB and was not "
            f"read"
        )
    if expected is not None and len(data) < int(expected):
        raise _Transient("answer cut short")
    return data
