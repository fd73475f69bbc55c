"""One question to the endpoint: structured output, retries with the error shown, tokens counted."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from agmpk.errors import AgmpkError
from agmpk.literature.extract.llm.settings import LlmSettings


class ServiceError(AgmpkError):
    """The endpoint could not be used; answers so far are kept."""


class WrongAnswer(AgmpkError):
    """The model's answers did not fit the schema, however often it was shown the error."""

    def __init__(self, message: str, answers: list[str]) -> None:
        super().__init__(message)
        self.answers = answers


@dataclass(frozen=True)
class Reply:
    """A valid answer as plain data, with the tokens it took (failed tries included)."""

    answer: dict[str, Any]
    input_tokens: int
    output_tokens: int
    requests: int


class LlmClient:
    """Asks one endpoint through pydantic-ai at temperature 0.

    The openai client under it repeats requests after 408, 429, 5xx, timeouts and cut connections
    with
    exponential backoff (Retry-After honoured), `max_retries` times.
    """

    def __init__(self, settings: LlmSettings) -> None:
        self.settings = settings
        logging.getLogger("openai").setLevel(logging.WARNING)
        logging.getLogger("httpx").setLevel(logging.WARNING)

    def ask(self, system: str, user: str, schema: type[BaseModel]) -> Reply:
        """The model's answer as data that fits `schema`.

        Raises ServiceError when the endpoint fails, WrongAnswer when answers do not fit.
        A thread of its own runs the event loop, so that this works inside a notebook too.
        """
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: asyncio.run(self._ask(system, user, schema))).result()

    async def _ask(self, system: str, user: str, schema: type[BaseModel]) -> Reply:
        from openai import AsyncOpenAI
        from pydantic_ai import (
            Agent,
            NativeOutput,
            PromptedOutput,
            ToolOutput,
            capture_run_messages,
        )
        from pydantic_ai.exceptions import AgentRunError, ModelHTTPError, UnexpectedModelBehavior
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider
        from pydantic_ai.settings import ModelSettings

        s = self.settings
        mode = {"native": NativeOutput, "tool": ToolOutput, "prompted": PromptedOutput}[
            s.output_mode
        ]
        client = AsyncOpenAI(
            base_url=s.base_url, api_key=s.key(), timeout=s.timeout, max_retries=s.max_retries
        )
        async with client:
            agent = Agent(
                OpenAIChatModel(s.model, provider=OpenAIProvider(openai_client=client)),
                output_type=mode(schema),
                instructions=system,
                retries=s.schema_retries,
                model_settings=ModelSettings(temperature=0.0, max_tokens=s.max_tokens),
            )
            with capture_run_messages() as messages:
                try:
                    result = await agent.run(user)
                except ModelHTTPError as error:
                    raise ServiceError(_http_message(s, error.status_code)) from None
                except UnexpectedModelBehavior as error:
                    raise WrongAnswer(
                        f"no answer fitted the schema after {s.schema_retries + 1} tries "
                        f"({_first_line(error)})",
                        _answers(messages),
                    ) from None
                except (AgentRunError, OSError, TimeoutError) as error:
                    raise ServiceError(
                        f"{s.base_url}: no answer from the language model ({_first_line(error)}); "
                        "check the address and run again, answers so far are kept"
                    ) from None
                # the client library's own errors carry request data: show the kind only
                except Exception as error:
                    raise ServiceError(
                        f"{s.base_url}: the request failed ({type(error).__name__}); "
                        "check address and settings and run again, answers so far are kept"
                    ) from None
        usage = result.usage
        return Reply(
            result.output.model_dump(mode="json"),
            usage.input_tokens,
            usage.output_tokens,
            usage.requests,
        )


def _http_message(settings: LlmSettings, status: int) -> str:
    advice = {
        401: f"set a valid key in {settings.api_key_env}",
        403: f"set a valid key in {settings.api_key_env}",
        404: "check base_url and model",
        429: "the service is rate-limited, wait and run again",
    }.get(status, "wait and run again" if status >= 500 else "check the settings")
    return (
        f"{settings.base_url}: the language model answered HTTP {status}; {advice}, "
        "answers so far are kept"
    )


def _first_line(error: BaseException) -> str:
    text = (str(error).splitlines() or [type(error).__name__])[0]
    return text[:200]


def _answers(messages) -> list[str]:
    """The texts or tool arguments the model gave, for the set-aside file."""
    found = []
    for message in messages:
        for part in getattr(message, "parts", []):
            if getattr(part, "part_kind", "") == "text":
                found.append(str(part.content))
            elif getattr(part, "part_kind", "") == "tool-call":
                found.append(str(part.args))
    return found
