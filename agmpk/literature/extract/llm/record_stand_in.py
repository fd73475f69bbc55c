"""Renew the recorded answers that ship with the chapter: ``python -m ...record_stand_in``.

They come from the stand-in server (see `loopback`), asked over HTTP like a language model:
`truthful.jsonl` looks the gold truth up in the text, `inventing.jsonl` makes values up. Neither
says anything about the accuracy of a language model, and every line says so in its `origin`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from agmpk.literature.document import Document
from agmpk.literature.extract.engines import extract_document
from agmpk.literature.extract.llm.client import LlmClient
from agmpk.literature.extract.llm.engine import LlmEngine
from agmpk.literature.extract.llm.loopback import MODEL, loopback_server, user_text
from agmpk.literature.extract.llm.prompts import load_prompt
from agmpk.literature.extract.llm.recordings import Recordings
from agmpk.literature.extract.llm.settings import LlmSettings
from agmpk.literature.extract.llm.stand_in import invented_answer, truthful_answer
from agmpk.literature.score.gold import load_gold
from agmpk.paths import data_path

HALF = "held_out"
ORIGINS = {
    "truthful": "stand-in server on loopback, not a language model: looks the gold truth up",
    "inventing": "stand-in server on loopback, not a language model: invents values",
}


def record(kind: str, path: Path) -> None:
    """Ask the stand-in `truthful` or `inventing` about the held-out half and record to `path`."""
    gold = load_gold(HALF)
    prompt = load_prompt("extract")
    make: Callable[[Document, dict[str, Any]], dict[str, Any]] = (
        truthful_answer if kind == "truthful" else lambda document, truth: invented_answer(document)
    )
    answers = {prompt.fill(document): make(document, truth) for document, truth in gold}

    def answer(request: dict[str, Any], number: int) -> dict[str, Any]:
        known = answers.get(user_text(request))
        return known if known is not None else {"single_trial": True, "reason": "one trial"}

    path.unlink(missing_ok=True)
    with loopback_server(answer) as url:
        client = LlmClient(LlmSettings(url, MODEL))
        engine = LlmEngine(Recordings(path), client, origin=ORIGINS[kind])
        for document, _ in gold:
            extract_document(document, engine)


if __name__ == "__main__":
    for name in ORIGINS:
        record(name, data_path("literature", "recordings") / f"{name}.jsonl")
