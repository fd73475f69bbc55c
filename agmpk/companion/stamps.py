"""The record kept beside an executed chapter: what it was made from, when, where, how long."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from agmpk.companion.digests import chapter_digest, differences
from agmpk.companion.project import Project
from agmpk.companion.tiers import Tier, check_parameters
from agmpk.files import atomic_path


@dataclass(frozen=True)
class Stamp:
    """How a chapter was executed. ``parts`` are the named digests, ``reads`` the data it opened."""

    chapter: str
    tier: str
    parameters: Mapping[str, Any]
    seconds: float
    date: str
    machine: str
    parts: Mapping[str, str]
    reads: list[str] = field(default_factory=list)


def read_stamp(project: Project, chapter: str) -> Stamp | None:
    """The stamp of ``chapter``; None where it was never executed or the stamp is unreadable."""
    try:
        return Stamp(**json.loads(project.stamp(chapter).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_stamp(project: Project, stamp: Stamp) -> None:
    """Write the stamp beside the executed notebook, whole or not at all."""
    with atomic_path(project.stamp(stamp.chapter)) as temporary:
        temporary.write_text(json.dumps(asdict(stamp), indent=1) + "\n", encoding="utf-8")


def stale_reasons(project: Project, tier: Tier, chapter: str) -> list[str]:
    """Why the executed ``chapter`` is not what ``tier`` would give now; empty if it is."""
    parameters = check_parameters(project, tier, chapter)
    stamp = read_stamp(project, chapter)
    if stamp is None or not project.executed_notebook(chapter).is_file():
        return ["never executed"]
    reasons = [] if stamp.tier == tier.name else [f"was executed in tier {stamp.tier}"]
    return reasons + differences(stamp.parts, chapter_digest(project, chapter, parameters))
