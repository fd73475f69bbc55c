"""The commands behind the Makefile: ``agmpk book build --tier laptop``."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import click
from click import echo

from agmpk import cli
from agmpk.book.build import build_html, print_book, run_chapters
from agmpk.book.cache import stale_reasons
from agmpk.book.numbers import STATES, TOLERANCE, compare, write_numbers
from agmpk.book.project import Project, load_tier
from agmpk.cli import FILE, FOLDER, OneLineGroup, option

_tier = option("--tier", default="laptop", help="smoke, laptop or paper.")
_jobs = click.option(
    "--jobs", default=min(2, os.cpu_count() or 1), show_default="2, or 1 on one core",
    type=cli.POSITIVE, help="Chapters at a time.",
)  # fmt: skip
_force = click.option("--force", is_flag=True, help="Execute even what is up to date.")


@click.group(cls=OneLineGroup)
@click.option("--root", type=FOLDER, default=".", help="Folder of the project (with _toc.yml).")
@click.pass_context
def book(ctx: click.Context, root: Path) -> None:
    """Execute the notebooks and build the book."""
    ctx.obj = Project(root.resolve())


def _run(o: SimpleNamespace, chapters: tuple[str, ...] = (), force: bool = False) -> Project:
    """Execute what is stale of the project, which is returned."""
    project = click.get_current_context().obj
    tier = load_tier(project, o.tier)
    run_chapters(project, tier, chapters, force=force, jobs=o.jobs, echo=echo)
    return project


@cli.command(_tier, _jobs, _force, group=book)
def build(o: SimpleNamespace) -> None:
    """Execute the chapters that need it, then build the HTML book."""
    project = _run(o, force=o.force)
    build_html(project, echo=echo)
    write_numbers(project, project.index_html.with_name("numbers.json"))
    echo(f"Open {os.path.relpath(project.index_html)}")


_chapter = click.option("--chapter", "chapters", multiple=True, help="Only this one (repeatable).")


@cli.command(_tier, _chapter, _jobs, _force, group=book)
def notebooks(o: SimpleNamespace) -> None:
    """Execute the chapters that need it, without building pages."""
    _run(o, o.chapters, o.force)


@book.command()
@click.option("--out", type=FILE, required=True)
@click.pass_obj
def numbers(project: Project, out: Path) -> None:
    """Write every number of the executed chapters to a JSON file."""
    write_numbers(project, out)


@cli.command(_tier, _jobs, group=book)
def verify(o: SimpleNamespace) -> None:
    """Execute the chapters that need it, and compare every number with the shipped ones; exit
    status 1 if any differs."""
    project = _run(o)
    table = compare(project, project.root / "data" / "numbers" / f"{o.tier}.json")
    for row in table[table.state.isin(STATES[2:5])].itertuples():
        echo(f"{row.state}: {row.chapter}, {row.number}: shipped {row.shipped}, here {row.here}")
    counts = table.state.value_counts().reindex(STATES, fill_value=0)
    echo("; ".join(f"{n} {state}" for state, n in counts.items()) + f" (tolerance {TOLERANCE:.0%})")
    click.get_current_context().exit(int(counts["differs"] > 0))


@book.command()
@click.option("--out", type=FILE, default="book/_build/agmpk.pdf")
@click.pass_obj
def pdf(project: Project, out: Path) -> None:
    """Print the whole executed book to a PDF, with an installed Chromium or Chrome."""
    print_book(project, project.root / out, echo=echo)
    echo(f"Wrote {out}")


@book.command()
@_tier
@click.pass_context
def check(ctx: click.Context, tier: str) -> None:
    """Say which executed chapters are stale, and why; exit status 1 if any is."""
    project = ctx.obj
    loaded = load_tier(project, tier)
    found = {name: stale_reasons(project, loaded, name) for name in project.chapters()}
    for name, reasons in found.items():
        echo(f"{name}: {'; '.join(reasons) or 'up to date'}")
    ctx.exit(int(any(found.values())))
