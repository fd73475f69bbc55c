"""The language-model engine and its replay: triage, extraction, grounding, cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from agmpk.errors import AgmpkError
from agmpk.literature.document import Document
from agmpk.literature.extract.llm.answers import ExtractionAnswer, TriageAnswer
from agmpk.literature.extract.llm.client import LlmClient, WrongAnswer
from agmpk.literature.extract.llm.grounded import Grounder
from agmpk.literature.extract.llm.prompts import load_prompt
from agmpk.literature.extract.llm.recordings import Recordings
from agmpk.literature.extract.schema import Extraction


@dataclass
class Cost:
    """Tokens and money of a run; answers replayed from a recording cost nothing now."""

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    replayed: int = 0
    price_input: float = 0.0
    price_output: float = 0.0
    currency: str = "USD"

    @property
    def money(self) -> float:
        return (self.input_tokens * self.price_input + self.output_tokens * self.price_output) / 1e6

    def line(self) -> str:
        """One sentence for the end of a run."""
        return (
            f"{self.requests} requests, {self.input_tokens} input and {self.output_tokens} output "
            f"tokens, "
            f"{self.money:.4f} {self.currency}; {self.replayed} answers replayed"
        )


@dataclass
class LlmEngine:
    """Extracts one document at a time: ``engine(document) -> Extraction``.

    Without a `client` it only replays: a document without a recorded answer raises AgmpkError.
    Documents whose answers never fit the schema go to `set_aside` and come out empty with a flag.
    """

    recordings: Recordings
    client: LlmClient | None = None
    triage: bool = True
    origin: str = ""
    cost: Cost = field(default_factory=Cost)
    set_aside: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.client is not None:
            s = self.client.settings
            self.cost.price_input, self.cost.price_output, self.cost.currency = (
                s.price_input,
                s.price_output,
                s.currency,
            )
            self.origin = self.origin or f"{s.model} at {s.base_url}"

    @property
    def name(self) -> str:
        return "llm" if self.client is not None else "replay"

    def __call__(self, document: Document) -> Extraction:
        try:
            if self.triage:
                verdict = TriageAnswer.model_validate(
                    self._answer("triage", document, TriageAnswer)
                )
                if not verdict.single_trial:
                    return self._empty(
                        document, f"triage: not one single bioequivalence trial ({verdict.reason})"
                    )
            answer = ExtractionAnswer.model_validate(
                self._answer("extract", document, ExtractionAnswer)
            )
        except WrongAnswer as error:
            self.set_aside.append(
                {"id": document.id, "reason": str(error), "answers": error.answers}
            )
            return self._empty(document, f"set aside: {error}")
        except ValidationError as error:
            self.set_aside.append(
                {
                    "id": document.id,
                    "reason": "a recorded answer does not fit the schema",
                    "answers": [],
                }
            )
            return self._empty(
                document,
                f"set aside: a recorded answer does not fit the schema ({error.error_count()} "
                f"faults)",
            )
        return Grounder(document, self.name).ground(answer)

    def _empty(self, document: Document, flag: str) -> Extraction:
        return Extraction(id=document.id, engine=self.name, flags=[flag])

    def _answer(self, name: str, document: Document, schema: type[BaseModel]) -> dict[str, Any]:
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
        reply = self.client.ask(prompt.system, prompt.fill(document), schema)
        self.cost.requests += reply.requests
        self.cost.input_tokens += reply.input_tokens
        self.cost.output_tokens += reply.output_tokens
        self.recordings.add(
            prompt,
            document,
            {
                "model": self.client.settings.model,
                "origin": self.origin,
                "answer": reply.answer,
                "usage": {
                    "input_tokens": reply.input_tokens,
                    "output_tokens": reply.output_tokens,
                    "requests": reply.requests,
                },
            },
        )
        return reply.answer
