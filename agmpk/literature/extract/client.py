"""One language model behind an OpenAI-compatible endpoint: its settings, and one question to it.

Two kinds of failure are kept apart. The *service* failed (no connection, a refused key, a web page
instead of an answer): the run stops, answers so far are kept. The *document* failed (the server
refuses this very text, no answer fits the schema, its time is over): it is set aside by name and
the run goes on. The key is read from the environment only, and neither it nor a password inside an
address is ever printed or recorded.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel

from agmpk.config import Range, load_yaml, read_config
from agmpk.errors import AgmpkError

ENVIRONMENT = {"base_url": "AGMPK_LLM_BASE_URL", "model": "AGMPK_LLM_MODEL"}
DEFAULT_KEY = "AGMPK_LLM_API_KEY"
MAX_RESPONSE = 4_000_000  # bytes of one HTTP answer; an extraction is a few kilobytes
MAX_KEPT = 20_000  # characters of a wrong answer that go into the set-aside file
_DOCUMENT_FAULTS = (400, 413, 422)  # the server took the request and refuses this text


@dataclass(frozen=True)
class LlmSettings:
    """Settings of an OpenAI-compatible endpoint.

    `price_input`, `price_output`: currency units per million tokens, as your provider prints them;
    `api_key_env`: the name of the environment variable that holds the key (local servers need
    none); `output_mode`: `native` (JSON schema), `tool` (function call) or `prompted` (schema in
    the prompt); `timeout`: seconds of one request; `document_timeout`: seconds of one question
    with all its repetitions; `max_tokens`: the longest answer.
    """

    base_url: str = field(default="", repr=False)
    model: str = ""
    price_input: Annotated[float, Range(0)] = 0.0
    price_output: Annotated[float, Range(0)] = 0.0
    currency: str = "USD"
    api_key_env: str = DEFAULT_KEY
    output_mode: Literal["native", "tool", "prompted"] = "native"
    timeout: Annotated[float, Range(0)] = 120.0
    document_timeout: Annotated[float, Range(0)] = 600.0
    max_retries: Annotated[int, Range(0)] = 4
    schema_retries: Annotated[int, Range(0)] = 2
    max_tokens: Annotated[int, Range(0)] = 2000

    def key(self) -> str:
        """The API key, or a placeholder that servers without keys ignore; never for messages."""
        return os.environ.get(self.api_key_env) or "none"

    @property
    def address(self) -> str:
        """`base_url` as it may be shown and recorded: no user, no password, no query."""
        parts = urlsplit(self.base_url)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}{parts.path}"

    def redacted(self, text: object) -> str:
        """The first line of `text` without the key and without what `address` leaves out."""
        line = (str(text).splitlines() or [""])[0].replace(self.base_url or "\0", self.address)
        parts = urlsplit(self.base_url)
        for secret in (os.environ.get(self.api_key_env), parts.password, parts.query):
            if secret:
                line = line.replace(secret, "...")
        return re.sub(r"(?<=//)[^/@\s]+@", "", line)[:200]


def load_settings(path: str | Path | None = None) -> LlmSettings:
    """Settings from a YAML file, then the environment.

    Raises:
        AgmpkError: for unknown keys, wrong types, a key in the file, or no model at all.
    """
    where = str(path) if path else "environment"
    content = (load_yaml(path) if path else None) or {}
    names = {*map(str, content)} - {"api_key_env"} if isinstance(content, dict) else ()
    if any("key" in name for name in names):
        raise AgmpkError(f"{where}: a key never belongs into a file; set it in the environment")
    if names and not isinstance(content.get("base_url", ""), str):
        raise AgmpkError(f"{where}: base_url must be text")  # it may hold a password: not shown
    settings = read_config(LlmSettings, content, where)
    overrides = {n: os.environ[v] for n, v in ENVIRONMENT.items() if os.environ.get(v)}
    settings = replace(settings, **overrides)
    if not settings.base_url or not settings.model:
        raise AgmpkError(
            f"{where}: no language model is configured; set base_url and model in a YAML file "
            f"(--config) or {ENVIRONMENT['base_url']} and {ENVIRONMENT['model']} in the environment"
        )
    if not settings.base_url.startswith(("http://", "https://")):
        raise AgmpkError(f"{where}: base_url must start with http:// or https://")
    return settings


class ServiceError(AgmpkError):
    """The endpoint could not be used; answers so far are kept."""


class DocumentError(AgmpkError):
    """One document got no usable answer: it is set aside by name and the run goes on."""

    def __init__(self, message: str, answers: list[str], usage: Usage) -> None:
        super().__init__(message)
        self.answers, self.usage = answers, usage


@dataclass(frozen=True)
class Usage:
    """What one question took, failed tries included."""

    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0


class LlmClient:
    """Asks one endpoint through pydantic-ai at temperature 0.

    The openai client under it repeats requests after 408, 429, 5xx, timeouts and cut connections
    with exponential backoff (Retry-After honoured), `max_retries` times. `model` replaces the
    endpoint by any model of pydantic-ai (its test models need no server).
    """

    def __init__(self, settings: LlmSettings, model: Any = None) -> None:
        self.settings = settings
        self._model = model
        logging.getLogger("openai").setLevel(logging.WARNING)
        logging.getLogger("httpx").setLevel(logging.WARNING)

    def ask(self, system: str, user: str, schema: type[BaseModel]) -> tuple[dict[str, Any], Usage]:
        """The model's answer as data that fits `schema`, and what it took.

        A thread of its own runs the event loop, so that this works inside a notebook too.

        Raises:
            ServiceError: when the endpoint fails.
            DocumentError: when this document gets no usable answer.
        """
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: asyncio.run(self._ask(system, user, schema))).result()

    async def _ask(self, system: str, user: str, schema: type[BaseModel]):
        from pydantic_ai import (
            Agent,
            NativeOutput,
            PromptedOutput,
            ToolOutput,
            capture_run_messages,
        )
        from pydantic_ai.exceptions import AgentRunError, ModelHTTPError, UnexpectedModelBehavior
        from pydantic_ai.settings import ModelSettings
        from pydantic_ai.usage import RunUsage

        s = self.settings
        modes = {"native": NativeOutput, "tool": ToolOutput, "prompted": PromptedOutput}
        agent = Agent(
            output_type=modes[s.output_mode](schema),
            instructions=system,
            retries=s.schema_retries,
            model_settings=ModelSettings(temperature=0.0, max_tokens=s.max_tokens),
        )
        usage = RunUsage()  # filled in while the run goes on: failed tries count too

        def aside(reason: str) -> DocumentError:
            return DocumentError(reason, _answers(messages), _usage(usage))

        with capture_run_messages() as messages:
            try:
                async with _endpoint(s, self._model) as model:
                    run = agent.run(user, model=model, usage=usage)
                    result = await asyncio.wait_for(run, s.document_timeout or None)
            except TimeoutError:
                raise aside(f"no answer within {s.document_timeout:g} s") from None
            except ModelHTTPError as error:
                if error.status_code in _DOCUMENT_FAULTS:
                    raise aside(f"the server refused it (HTTP {error.status_code})") from None
                raise ServiceError(_http_message(s, error.status_code)) from None
            except UnexpectedModelBehavior as error:
                if not any(getattr(message, "kind", "") == "response" for message in messages):
                    raise ServiceError(_not_a_model(s)) from None
                raise aside(
                    f"no answer fitted the schema after {s.schema_retries + 1} tries "
                    f"({s.redacted(error)})"
                ) from None
            except (AgentRunError, OSError) as error:
                if _caused_by(error, _NotAnAnswer):
                    raise ServiceError(_not_a_model(s)) from None
                raise ServiceError(
                    f"{s.address}: no answer from the language model ({s.redacted(error)}); "
                    "check the address and run again, answers so far are kept"
                ) from None
            # The client library's own errors carry request data: show the kind only.
            except Exception as error:
                raise ServiceError(
                    f"{s.address}: the request failed ({type(error).__name__}); "
                    "check address and settings and run again, answers so far are kept"
                ) from None
        return result.output.model_dump(mode="json"), _usage(usage)


class _NotAnAnswer(OSError):
    """A response that is not JSON, or far too long."""


@asynccontextmanager
async def _endpoint(settings: LlmSettings, model: Any) -> AsyncIterator[Any]:
    """The model to ask: the given one, or the endpoint of the settings."""
    if model is not None:
        yield model
        return
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    s, hooks = settings, {"response": [_check_response]}
    http = DefaultAsyncHttpxClient(event_hooks=hooks)
    limits = {"timeout": s.timeout, "max_retries": s.max_retries}
    async with AsyncOpenAI(base_url=s.base_url, api_key=s.key(), http_client=http, **limits) as c:
        yield OpenAIChatModel(s.model, provider=OpenAIProvider(openai_client=c))


async def _check_response(response: Any) -> None:
    """Refuse what is no JSON answer (a login page with status 200) and cap what is read."""
    if response.is_success and "json" not in response.headers.get("content-type", "json"):
        raise _NotAnAnswer("not JSON")
    response.stream = _capped(response.stream)


def _capped(stream: Any) -> Any:
    """A response stream that gives up after `MAX_RESPONSE` bytes."""
    # The HTTP library under the client has changed its name before: take the class it uses.
    base = next(c for c in type(stream).__mro__ if c.__name__ == "AsyncByteStream")

    class Capped(base):  # type: ignore[misc, valid-type]
        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for chunk in stream:
                size += len(chunk)
                if size > MAX_RESPONSE:
                    raise _NotAnAnswer("too long")
                yield chunk

        async def aclose(self) -> None:
            await stream.aclose()

    return Capped()


def _caused_by(error: BaseException | None, kind: type[BaseException]) -> bool:
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False


def _not_a_model(settings: LlmSettings) -> str:
    return (
        f"{settings.address}: answers, but not as a language model does (a web page, or data of "
        "another kind); check base_url, answers so far are kept"
    )


def _http_message(settings: LlmSettings, status: int) -> str:
    advice = {
        401: f"set a valid key in {settings.api_key_env}",
        403: f"set a valid key in {settings.api_key_env}",
        404: "check base_url and model",
        429: "the service is rate-limited, wait and run again",
    }.get(status, "wait and run again" if status >= 500 else "check the settings")
    return (
        f"{settings.address}: the language model answered HTTP {status}; {advice}, "
        "answers so far are kept"
    )


def _usage(usage: Any) -> Usage:
    return Usage(usage.input_tokens, usage.output_tokens, usage.requests)


def _answers(messages: list[Any]) -> list[str]:
    """The texts or tool arguments the model gave, cut short, for the set-aside file."""
    found = []
    for message in messages:
        for part in getattr(message, "parts", []):
            kind = getattr(part, "part_kind", "")
            if kind in ("text", "tool-call"):
                found.append(str(part.content if kind == "text" else part.args)[:MAX_KEPT])
    return found
