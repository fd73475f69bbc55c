"""Priors as YAML: the presets that ship with the package, and files of the user's own."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import yaml

from agmpk.errors import AgmpkError
from agmpk.prior.config import PriorConfig


def presets() -> tuple[str, ...]:
    """Names of the presets that ship with the package."""
    folder = resources.files("agmpk.prior") / "presets"
    return tuple(
        sorted(p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml"))
    )


def load_prior(name_or_path: str | Path) -> PriorConfig:
    """A preset by name, or any prior from its YAML file.

    Raises
    ------
    AgmpkError
        If there is no such preset or file, or an entry is missing, unknown or of the wrong kind.
    """
    text = str(name_or_path)
    if text in presets():
        source = (resources.files("agmpk.prior") / "presets" / f"{text}.yaml").read_text("utf-8")
    elif Path(text).suffix in (".yaml", ".yml") and Path(text).is_file():
        source = Path(text).read_text("utf-8")
    else:
        raise AgmpkError(
            f"There is no prior {text!r}: use one of {', '.join(presets())}, or a .yaml file."
        )
    return PriorConfig.from_dict(yaml.safe_load(source), where=text)
