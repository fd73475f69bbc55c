"""The fitted prior as a preset file that says how it was made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from agmpk.files import atomic_path
from agmpk.prior import PriorConfig


def preset_text(config: PriorConfig, comments: list[str]) -> str:
    """The YAML of a preset, one quantity a line, below ``comments``."""
    lines = [f"# {line}".rstrip() for line in comments]
    for name, value in config.to_dict().items():
        if isinstance(value, dict):
            lines.append(f"{name}:")
            lines += [f"  {key}: {_flow(one)}" for key, one in value.items()]
        else:
            lines.append(f"{name}: {_flow(value)}")
    return "\n".join(lines) + "\n"


def write_preset(config: PriorConfig, comments: list[str], path: Path) -> None:
    """Write the preset, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(preset_text(config, comments), encoding="utf-8")


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return text.removesuffix("...\n").strip()
