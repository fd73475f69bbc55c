"""Recorded answers: one JSON line each, found again by the digest of prompt and document."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from agmpk.errors import AgmpkError
from agmpk.literature.document import Document
from agmpk.literature.extract.llm.prompts import Prompt
from agmpk.literature.jsonl import read_jsonl


def answer_digest(prompt: Prompt, document: Document) -> str:
    """SHA-256 of prompt name, version and texts with the document filled in: any change asks
    anew."""
    text = "\x00".join((prompt.label, prompt.system, prompt.fill(document)))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Recordings:
    """Answers of earlier runs, read from `path`; `add` appends one at once, so an interruption
    loses nothing.

    A line holds `digest, prompt, id, model, origin, answer, usage`; `origin` says what answered.
    """

    def __init__(self, path: str | Path | None) -> None:
        self.path = Path(path) if path is not None else None
        self._lines: dict[str, dict[str, Any]] = {}
        if self.path is not None and self.path.exists():
            self._drop_torn_tail()
            for number, line in enumerate(read_jsonl(self.path), start=1):
                if not isinstance(line.get("digest"), str) or "answer" not in line:
                    raise AgmpkError(
                        f"{self.path}, record {number}: no 'digest' or 'answer'; this is not a "
                        f"recording"
                    )
                self._lines[line["digest"]] = line

    def _drop_torn_tail(self) -> None:
        """A line cut off by a crash has no line end: it is left out when the file is appended
        to."""
        assert self.path is not None
        data = self.path.read_bytes()
        if data and not data.endswith(b"\n"):
            keep = data.rfind(b"\n") + 1
            try:
                json.loads(data[keep:])
            except ValueError:
                with open(self.path, "r+b") as stream:
                    stream.truncate(keep)
            else:
                with open(self.path, "ab") as stream:
                    stream.write(b"\n")

    def __len__(self) -> int:
        return len(self._lines)

    def get(self, prompt: Prompt, document: Document) -> dict[str, Any] | None:
        """The recorded line for this prompt and document, or None."""
        return self._lines.get(answer_digest(prompt, document))

    def add(self, prompt: Prompt, document: Document, line: dict[str, Any]) -> None:
        """Keep an answer, in memory and (where there is a file) on disk."""
        full = {
            "digest": answer_digest(prompt, document),
            "prompt": prompt.label,
            "id": document.id,
            **line,
        }
        self._lines[full["digest"]] = full
        if self.path is not None:
            try:
                with open(self.path, "a", encoding="utf-8") as stream:
                    stream.write(json.dumps(full, ensure_ascii=False) + "\n")
            except OSError as error:
                raise AgmpkError(
                    f"{self.path}: the answer could not be recorded ({error.strerror}); "
                    "make room or give another --recordings, then run again"
                ) from error
