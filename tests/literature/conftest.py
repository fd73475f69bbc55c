"""Fixtures: the gold set, and an E-utilities server on loopback."""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest

from agmpk.files import data_path
from agmpk.literature.score import load_gold

sys.path.insert(0, str(Path(__file__).parent))  # literature_server, literature_stand_in


@pytest.fixture(scope="session")
def development():
    return load_gold("dev")


@pytest.fixture(scope="session")
def held_out():
    return load_gold("held_out")


@pytest.fixture(scope="session")
def rules_records(development, held_out):
    from agmpk.literature.extract import extract_document

    return {d.id: extract_document(d).model_dump() for d, _ in [*development, *held_out]}


class EutilsServer:
    """Speaks esearch and efetch for PMC; `plan` holds what to do wrong, one entry a request."""

    def __init__(self):
        self.articles: dict[str, bytes] = {}
        self.plan: list = []
        self.requests: list[tuple[str, dict, float]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                url = urlparse(self.path)
                query = {k: v[0] for k, v in parse_qs(url.query).items()}
                outer.requests.append((url.path.rsplit("/", 1)[-1], query, time.monotonic()))
                step = outer.plan.pop(0) if outer.plan else None
                if step == "cut":
                    self.close_connection = True
                    self.connection.close()
                    return
                if step == "hang":
                    time.sleep(1.2)
                if isinstance(step, tuple):
                    self.send_response(step[0])
                    for name, value in step[1].items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if url.path.endswith("esearch.fcgi"):
                    ids = [i.removeprefix("PMC") for i in outer.articles]
                    start, count = int(query["retstart"]), int(query["retmax"])
                    body = json.dumps(
                        {
                            "esearchresult": {
                                "count": str(len(ids)),
                                "idlist": ids[start : start + count],
                            }
                        }
                    ).encode()
                    kind = "application/json"
                else:
                    body, kind = outer.articles["PMC" + query["id"]], "text/xml"
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body[: len(body) // 2] if step == "short" else body)
                except BrokenPipeError:
                    pass

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/entrez/eutils/"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()


@pytest.fixture
def eutils():
    server = EutilsServer()
    folder = data_path("literature", "gold", "jats")
    for number, name in enumerate(("J01", "J02", "J07"), start=1):
        server.articles[f"PMC{number}"] = (folder / f"{name}.xml").read_bytes()
    closed = server.articles["PMC1"].replace(b"https://creativecommons.org/licenses/by/4.0/", b"")
    server.articles["PMC4"] = closed.replace(b"CC BY 4.0", b"all rights reserved")
    yield server
    server.server.shutdown()
    server.server.server_close()
