"""Where the model is, what it costs, how patient we are. The key is read from the environment
only."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from pathlib import Path

import yaml

from agmpk.errors import AgmpkError

ENVIRONMENT = {"base_url": "AGMPK_LLM_BASE_URL", "model": "AGMPK_LLM_MODEL"}
DEFAULT_KEY = "AGMPK_LLM_API_KEY"


@dataclass(frozen=True)
class LlmSettings:
    """Settings of an OpenAI-compatible endpoint.

    `price_input`, `price_output`: currency units per million tokens, as your provider prints them;
    `api_key_env`: the name of the environment variable that holds the key (local servers need
    none);
    `output_mode`: `native` (JSON schema), `tool` (function call) or `prompted` (schema in the
    prompt).
    """

    base_url: str = ""
    model: str = ""
    price_input: float = 0.0
    price_output: float = 0.0
    currency: str = "USD"
    api_key_env: str = DEFAULT_KEY
    output_mode: str = "native"
    timeout: float = 120.0
    max_retries: int = 4
    schema_retries: int = 2
    max_tokens: int = 4000

    def key(self) -> str:
        """The API key, or a placeholder that servers without keys ignore. Never put it into
        messages."""
        return os.environ.get(self.api_key_env) or "none"


def load_settings(path: str | Path | None = None) -> LlmSettings:
    """Settings from a YAML file, then the environment. Raises AgmpkError for unknown keys, wrong
    types, a key in the file."""
    settings = LlmSettings()
    where = str(path) if path else "environment"
    if path is not None:
        settings = _from_file(Path(path), settings)
    overrides = {
        name: os.environ[variable]
        for name, variable in ENVIRONMENT.items()
        if os.environ.get(variable)
    }
    settings = replace(settings, **overrides)
    if not settings.base_url or not settings.model:
        raise AgmpkError(
            f"{where}: no language model is configured; set base_url and model in a YAML file "
            f"(--config) "
            f"or {ENVIRONMENT['base_url']} and {ENVIRONMENT['model']} in the environment"
        )
    if not settings.base_url.startswith(("http://", "https://")):
        raise AgmpkError(f"{where}: base_url must start with http:// or https://")
    if settings.output_mode not in ("native", "tool", "prompted"):
        raise AgmpkError(
            f"{where}: output_mode must be native, tool or prompted, not '{settings.output_mode}'"
        )
    return settings


def _from_file(path: Path, settings: LlmSettings) -> LlmSettings:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise AgmpkError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise AgmpkError(f"{path}: not valid YAML; see docs of LlmSettings for the keys") from error
    if not isinstance(content, dict):
        raise AgmpkError(f"{path}: must hold 'key: value' lines")
    known = {f.name: type(getattr(settings, f.name)) for f in fields(settings)}
    for name, value in content.items():
        if name not in known:
            hint = (
                "; a key never belongs into a file, set it in the environment"
                if "key" in str(name)
                else ""
            )
            raise AgmpkError(
                f"{path}: unknown setting '{name}'{hint}; known are {', '.join(known)}"
            )
        if isinstance(value, bool) or not isinstance(
            value, (known[name], int) if known[name] is float else known[name]
        ):
            raise AgmpkError(f"{path}: '{name}' must be a {known[name].__name__}")
        if known[name] in (int, float) and (value < 0 or value != value):
            raise AgmpkError(f"{path}: '{name}' must not be negative")
    return replace(settings, **content)
