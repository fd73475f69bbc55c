"""A stand-in for a language model: a real HTTP server on loopback, for tests and demonstrations.

It speaks the chat-completions call that OpenAI-compatible servers speak and answers whatever
function
it is given. It is no language model, and nothing measured with it says anything about one.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "loopback-stand-in"
Answer = Callable[[dict[str, Any], int], "dict[str, Any] | str | tuple[int, dict[str, str]]"]


def user_text(request: dict[str, Any]) -> str:
    """The last user message of a chat-completions request."""
    texts = [m["content"] for m in request["messages"] if m["role"] == "user"]
    return texts[0] if isinstance(texts[0], str) else "".join(p.get("text", "") for p in texts[0])


@contextmanager
def loopback_server(answer: Answer) -> Iterator[str]:
    """Serve until the block ends; yields the base URL.

    `answer(request, number)` gets the decoded request and its running number and returns an
    object (the
    structured answer), a string (raw content, valid or not), or `(status, headers)` for an HTTP
    error; status 0 cuts the connection; `bytes` is a web page with status 200.
    """
    count = 0
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802 - name set by http.server
            nonlocal count
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                count += 1
                number = count
            result = answer(request, number)
            if isinstance(result, bytes):
                self._send(200, result.decode(), {"Content-Type": "text/html"})
                return
            if isinstance(result, tuple):
                status, headers = result
                if status == 0:
                    self.close_connection = True
                    self.connection.close()
                    return
                self._send(
                    status, json.dumps({"error": {"message": "no", "type": "test"}}), headers
                )
                return
            self._send(200, json.dumps(_completion(request, result)), {})

        def _send(self, status: int, body: str, headers: dict[str, str]) -> None:
            data = body.encode()
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(data)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


def _completion(request: dict[str, Any], result: dict[str, Any] | str) -> dict[str, Any]:
    content = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    message: dict[str, Any] = {"role": "assistant", "content": content}
    finish = "stop"
    if request.get("tools"):
        function = {"name": request["tools"][0]["function"]["name"], "arguments": content}
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        }
        finish = "tool_calls"
    # A word is counted as a token: enough to see costs add up.
    prompt_tokens = sum(len(str(m.get("content")).split()) for m in request["messages"])
    return {
        "id": "loopback",
        "object": "chat.completion",
        "created": 0,
        "model": request.get("model", MODEL),
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": len(content.split()),
            "total_tokens": prompt_tokens + len(content.split()),
        },
    }
