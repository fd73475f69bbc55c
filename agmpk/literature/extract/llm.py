"""The language-model engine: prompts, recorded answers, triage, extraction, cost.

Any OpenAI-compatible endpoint can be asked. Every answer is kept in a recording, so that a run can
be interrupted, resumed, and replayed without a key or a network.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from agmpk.config import load_yaml
from agmpk.errors import AgmpkError
from agmpk.literature.document import Document, read_jsonl
from agmpk.literature.extract.client import DocumentError, LlmClient, LlmSettings, Usage
from agmpk.literature.ground import Grounder
from agmpk.literature.schema import Extraction, ExtractionAnswer, TriageAnswer

MAX_CHARACTERS = 60_000  # of one article; about 15,000 tokens. Tables come before the body.


# ------------------------------------------------------------------------------------ prompts
@dataclass(frozen=True)
class Prompt:
    """A prompt of fixed `name` and `version`; `user` holds one `{document}`."""

    name: str
    version: int
    system: str
    user: str

    @property
    def label(self) -> str:
        return f"{self.name}-{self.version}"

    def fill(self, document: Document) -> str:
        """The user message for a document; the article cannot close its own `<article>` element."""
        text = article_text(document).replace("</article>", "<\\/article>")
        return self.user.replace("{document}", text)


@cache
def load_prompt(name: str) -> Prompt:
    """The prompt `triage` or `extract`, as its YAML file beside this module has it."""
    return Prompt(**load_yaml(Path(__file__).with_name(f"{name}.yaml")))


def article_text(document: Document) -> str:
    """Title, abstract, tables, body with headings, cut after `MAX_CHARACTERS`."""
    parts = [f"TITLE\n{document.title}", f"ABSTRACT\n{document.abstract}"]
    parts += [f"TABLE\n{table.text()}" for table in document.tables]
    if document.body:
        parts.append(f"BODY\n{document.body}")
    return "\n\n".join(parts)[:MAX_CHARACTERS]


# --------------------------------------------------------------------------------- recordings
def answer_digest(prompt: Prompt, document: Document) -> str:
    """SHA-256 of the prompt's label and texts with the document filled in: any change asks anew."""
    text = "\x00".join((prompt.label, prompt.system, prompt.fill(document)))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Recordings:
    """Answers of earlier runs, read from `path`; `add` appends one at once, so an interruption
    loses nothing.

    A line holds `digest, prompt, id, model, origin, answer, usage, seconds`; `origin` says what
    answered. Raises AgmpkError for a file that is no recording.
    """

    def __init__(self, path: str | Path | None) -> None:
        self.path = Path(path) if path is not None else None
        self._lines: dict[str, dict[str, Any]] = {}
        if self.path is not None and self.path.exists():
            self._drop_torn_tail()
            for number, line in enumerate(read_jsonl(self.path), start=1):
                if not isinstance(line.get("digest"), str) or "answer" not in line:
                    raise AgmpkError(
                        f"{self.path}, record {number}: no 'digest' or 'answer'; "
                        "this is not a recording"
                    )
                self._lines[line["digest"]] = line

    def _drop_torn_tail(self) -> None:
        """A line cut off by a crash has no line end: it is left out when the file is added to."""
        assert self.path is not None
        data = self.path.read_bytes()
        if not data or data.endswith(b"\n"):
            return
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

    def lines(self) -> list[dict[str, Any]]:
        """All recorded lines, in the order they were made."""
        return list(self._lines.values())

    def get(self, prompt: Prompt, document: Document) -> dict[str, Any] | None:
        """The recorded line for this prompt and document, or None."""
        return self._lines.get(answer_digest(prompt, document))

    def add(self, prompt: Prompt, document: Document, line: dict[str, Any]) -> None:
        """Keep an answer, in memory and (where there is a file) on disk."""
        head = {"digest": answer_digest(prompt, document), "prompt": prompt.label}
        full = {**head, "id": document.id, **line}
        self._lines[full["digest"]] = full
        if self.path is None:
            return
        try:
            with open(self.path, "a", encoding="utf-8") as stream:
                stream.write(json.dumps(full, ensure_ascii=False) + "\n")
        except OSError as error:
            raise AgmpkError(
                f"{self.path}: the answer could not be recorded ({error.strerror}); "
                "make room or give another --recordings, then run again"
            ) from error


# ------------------------------------------------------------------------------------- engine
@dataclass
class Cost:
    """Tokens and money of a run at the prices of ``settings``, failed tries included; replayed
    answers cost nothing now."""

    settings: LlmSettings = LlmSettings()
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    replayed: int = 0

    def add(self, usage: Usage) -> None:
        """Count what one question took."""
        self.requests += usage.requests
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens

    @property
    def money(self) -> float:
        s = self.settings
        return (self.input_tokens * s.price_input + self.output_tokens * s.price_output) / 1e6

    def line(self) -> str:
        """One sentence for the end of a run."""
        return (
            f"{self.requests} requests, {self.input_tokens} input and {self.output_tokens} output "
            f"tokens, {self.money:.4f} {self.settings.currency}; {self.replayed} answers replayed"
        )


@dataclass
class LlmEngine:
    """Extracts one document at a time: `engine(document) -> Extraction`.

    Without a `client` it only replays: a document without a recorded answer raises AgmpkError.
    Documents without a usable answer go to `set_aside` and come out empty with a flag.
    """

    recordings: Recordings
    client: LlmClient | None = None
    triage: bool = True
    cost: Cost = field(init=False)
    set_aside: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cost = Cost(self.client.settings) if self.client else Cost()

    @property
    def name(self) -> str:
        return "llm" if self.client is not None else "replay"

    def answer(self, document: Document) -> ExtractionAnswer:
        """What the model said about a document, before anything is checked against the text."""
        return ExtractionAnswer.model_validate(self._ask("extract", document, ExtractionAnswer))

    def __call__(self, document: Document) -> Extraction:
        try:
            if self.triage:
                raw = self._ask("triage", document, TriageAnswer)
                verdict = TriageAnswer.model_validate(raw)
                if not verdict.single_trial:
                    reason = f"not one single bioequivalence trial ({verdict.reason})"
                    return self._empty(document, f"triage: {reason}")
            answer = self.answer(document)
        except DocumentError as error:
            self.cost.add(error.usage)
            return self._put_aside(document, str(error), error.answers)
        except ValidationError as error:
            faults = f"a recorded answer does not fit the schema ({error.error_count()} faults)"
            return self._put_aside(document, faults, [])
        return Grounder(document, self.name).ground(answer)

    def _put_aside(self, document: Document, reason: str, answers: list[str]) -> Extraction:
        self.set_aside.append({"id": document.id, "reason": reason, "answers": answers})
        return self._empty(document, f"set aside: {reason}")

    def _empty(self, document: Document, flag: str) -> Extraction:
        return Extraction(id=document.id, engine=self.name, flags=[flag])

    def _ask(self, name: str, document: Document, schema: type[BaseModel]) -> dict[str, Any]:
        prompt = load_prompt(name)
        known = self.recordings.get(prompt, document)
        if known is not None:
            self.cost.replayed += 1
            return known["answer"]
        if self.client is None:
            raise AgmpkError(
                f"document {document.id}: no recorded answer for prompt {prompt.label}; "
                "run --engine llm once with the same --recordings file"
            )
        began = time.perf_counter()
        answer, usage = self.client.ask(prompt.system, prompt.fill(document), schema)
        self.cost.add(usage)
        s = self.client.settings
        line = {
            "model": s.model,
            "origin": f"{s.model} at {s.address}",
            "answer": answer,
            "usage": asdict(usage),
            "seconds": round(time.perf_counter() - began, 1),
        }
        self.recordings.add(prompt, document, line)
        return answer
