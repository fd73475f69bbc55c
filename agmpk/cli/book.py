"""The commands behind the Makefile: ``agmpk book build --tier laptop``."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click import echo

from agmpk.book.build import build_html, print_book, run_chapters
from agmpk.book.numbers import STATES, TOLERANCE, compare, write_numbers
from agmpk.book.project import Project, load_tier, stale_reasons
from agmpk.cli import FILE, FOLDER, OneLineGroup, option

_tier = option("--tier", default="laptop", help="smoke, laptop or paper.")
_jobs = click.option(
    "--jobs", default=min(2, os.cpu_count() or 1), show_default="2, or 1 on one core",
    type=click.IntRange(1), help="Chapters at a time.",
)  # fmt: skip
_force = click.option("--force", is_flag=True, help="Execute even what is up to date.")


@click.group(cls=OneLineGroup)
@click.option("--root", type=FOLDER, default=".", help="Folder of the project (with _toc.yml).")
@click.pass_context
def book(ctx: click.Context, root: Path) -> None:
    """Execute the notebooks and build the book."""
    ctx.obj = Project(root.resolve())


@book.command()
@_tier
@_jobs
@_force
@click.pass_obj
def build(project: Project, tier: str, jobs: int, force: bool) -> None:
    """Execute the chapters that need it, then build the HTML book."""
    run_chapters(project, load_tier(project, tier), force=force, jobs=jobs, echo=echo)
    build_html(project, echo=echo)
    write_numbers(project, project.index_html.with_name("numbers.json"))
    echo(f"Open {os.path.relpath(project.index_html)}")


@book.command()
@_tier
@click.option("--chapter", "chapters", multiple=True, help="Only this one (repeatable).")
@_jobs
@_force
@click.pass_obj
def notebooks(project, tier: str, chapters: tuple[str, ...], jobs: int, force: bool) -> None:
    """Execute the chapters that need it, without building pages."""
    run_chapters(project, load_tier(project, tier), chapters, force=force, jobs=jobs, echo=echo)


@book.command()
@click.option("--out", type=FILE, required=True)
@click.pass_obj
def numbers(project, out: Path) -> None:
    """Write every number of the executed chapters to a JSON file."""
    write_numbers(project, out)


@book.command()
@_tier
@_jobs
@click.pass_obj
@click.pass_context
def verify(ctx: click.Context, project, tier: str, jobs: int) -> None:
    """Execute the chapters that need it, and compare every number with the shipped ones; exit
    status 1 if any differs."""
    run_chapters(project, load_tier(project, tier), jobs=jobs, echo=echo)
    table = compare(project, project.root / "data" / "numbers" / f"{tier}.json")
    for row in table[table.state.isin(STATES[2:5])].itertuples():
        echo(f"{row.state}: {row.chapter}, {row.number}: shipped {row.shipped}, here {row.here}")
    counts = table.state.value_counts().reindex(STATES, fill_value=0)
    echo("; ".join(f"{n} {state}" for state, n in counts.items()) + f" (tolerance {TOLERANCE:.0%})")
    ctx.exit(int(counts["differs"] > 0))


@book.command()
@click.option("--out", type=FILE, default="book/_build/agmpk.pdf")
@click.pass_obj
def pdf(project, out: Path) -> None:
    """Print the whole executed book to a PDF, with an installed Chromium or Chrome."""
    print_book(project, project.root / out, echo=echo)
    echo(f"Wrote {out}")


@book.command()
@_tier
@click.pass_obj
@click.pass_context
def check(ctx: click.Context, project, tier: str) -> None:
    """Say which executed chapters are stale, and why; exit status 1 if any is."""
    loaded = load_tier(project, tier)
    stale = 0
    for name in project.chapters():
        reasons = stale_reasons(project, loaded, name)
        stale += bool(reasons)
        echo(f"{name}: {'; '.join(reasons) or 'up to date'}")
    ctx.exit(1 if stale else 0)
