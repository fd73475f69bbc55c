"""Run the chapters that need it, say why and how long, leave the others alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agmpk.companion.execute import execute_chapter
from agmpk.companion.project import Project
from agmpk.companion.stamps import read_stamp, stale_reasons
from agmpk.companion.tiers import Tier, check_parameters

#: Reasons shown on a progress line before "and N more".
_SHOWN = 2


def run_chapters(
    project: Project,
    tier: Tier,
    chapters: Sequence[str] = (),
    *,
    force: bool = False,
    echo: Callable[[str], None] = print,
) -> list[str]:
    """Execute the stale ones of ``chapters`` (default: all) in ``tier``; return those executed.

    Every parameter of every chapter is checked before the first one runs. Staleness is looked at
    again when a chapter's turn comes, because an earlier chapter may have changed its inputs.
    """
    names = [project.require_chapter(name) for name in chapters] or list(project.chapters())
    for name in names:
        check_parameters(project, tier, name)
    plan = planned(project, tier, names, force=force)
    if plan:
        total = sum(expected_seconds(project, tier, name) for name in plan)
        echo(
            f"Tier {tier.name}: {len(plan)} of {len(names)} chapters to execute "
            f"({', '.join(plan)}), about {duration(total)}."
        )
    else:
        echo(f"Tier {tier.name}: all {len(names)} chapters are up to date.")
    executed = []
    for position, name in enumerate(names, start=1):
        reasons = ["forced"] if force else stale_reasons(project, tier, name)
        line = f"[{position}/{len(names)}] {name}"
        if not reasons:
            echo(f"{line}: up to date")
            continue
        guess = duration(expected_seconds(project, tier, name))
        echo(f"{line}: executing, about {guess} ({summary(reasons)})")
        stamp = execute_chapter(project, tier, name)
        echo(f"{line}: done in {duration(stamp.seconds)}")
        executed.append(name)
    return executed


def planned(
    project: Project, tier: Tier, names: Sequence[str], *, force: bool = False
) -> list[str]:
    """The chapters of ``names`` that a run would execute, as far as can be known beforehand."""
    plan = [name for name in names if force or stale_reasons(project, tier, name)]
    if plan:  # a page that describes the build follows every other chapter
        plan = [
            name for name in names if name in plan or project.metadata(name).get("describes_build")
        ]
    return plan


def expected_seconds(project: Project, tier: Tier, chapter: str) -> float:
    """Seconds the chapter took last time in this tier; else the tier's own guess; else a minute."""
    stamp = read_stamp(project, chapter)
    if stamp is not None and stamp.tier == tier.name:
        return stamp.seconds
    return 60.0 * tier.minutes.get(chapter, 1.0)


def duration(seconds: float) -> str:
    """``"42 s"``, ``"3 min"``, ``"2.5 h"``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def summary(reasons: Sequence[str]) -> str:
    """The first reasons, and how many more there are."""
    more = len(reasons) - _SHOWN
    return "; ".join(reasons[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
