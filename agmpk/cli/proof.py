"""``agmpk paper proof``: faults, mutated input, repetition and growth, tried and counted."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
import pandas as pd

from agmpk.cli import OneLineGroup, cli
from agmpk.files import write_csv
from agmpk.paper.proof import Tally
from agmpk.paths import data_path

_scale = click.option(
    "--scale",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Share of the full numbers of tries.",
)
_seed = click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
_out = click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path, resolve_path=True),
    help="File of the counts.  [default: data/proof/NAME.csv]",
)


@click.group(cls=OneLineGroup)
def proof() -> None:
    """Try faults, mutated input, repetition and growth, and count what survives.

    Example: agmpk paper proof fuzz --scale 0.01 --out /tmp/fuzz.csv
    """


@proof.command()
@_scale
@_seed
@click.option("--only", default="", help="One kind of input.")
@_out
@click.pass_context
def fuzz(ctx: click.Context, scale: float, seed: int, only: str, out: Path | None) -> None:
    """Mutated tables, articles, answers of a model server, argument lines, settings."""
    from agmpk.paper.proof.fuzz import fuzz as run

    _keep(ctx, run(_status, scale, seed, only), out)


@proof.command()
@_scale
@_seed
@click.option("--only", default="", help="Those whose name holds this.")
@_out
@click.pass_context
def faults(ctx: click.Context, scale: float, seed: int, only: str, out: Path | None) -> None:
    """Killed processes, flipped bits, full disks, read-only folders, two runs in one folder."""
    from agmpk.paper.proof.faults import faults as run

    _keep(ctx, run(_status, scale, seed, only), out)


@proof.command()
@_scale
@_seed
@_out
@click.pass_context
def repeats(ctx: click.Context, scale: float, seed: int, out: Path | None) -> None:
    """The same again: twice, in another process, with two threads, under another name."""
    from agmpk.paper.proof.repeats import repeats as run

    _keep(ctx, run(scale, seed), out)


@proof.command()
@_scale
@_out
@click.pass_context
def growth(ctx: click.Context, scale: float, out: Path | None) -> None:
    """Time and memory against individuals, samples and draws, with their exponents."""
    from agmpk.paper.proof.growth import growth as run

    table = run(scale)
    write_csv(table, out or _place(ctx))
    click.echo(table.to_string(index=False))


def _status(words: list[str]) -> int:
    """The status of the command line with these arguments."""
    try:
        cli.main(words, prog_name="agmpk", standalone_mode=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _keep(ctx: click.Context, tallies: Iterable[Tally], out: Path | None) -> None:
    """Store the counts as they come (those of other names stay), show every failure, and end with
    status 1 where there is one."""
    out, failed = out or _place(ctx), False
    rows = pd.read_csv(out, keep_default_na=False).to_dict("records") if out.is_file() else []
    for tally in tallies:
        for one in [*dict.fromkeys(tally.failures)][:20]:
            click.echo(one, err=True)
        failed |= bool(tally.failures)
        rows = [row for row in rows if row["what"] != tally.what] + [tally.row()]
        write_csv(pd.DataFrame(rows), out)
        click.echo(pd.DataFrame(rows[-1:]).to_string(index=False))
    ctx.exit(int(failed))


def _place(ctx: click.Context) -> Path:
    """Where the counts of a proof are kept."""
    folder = data_path("proof", must_exist=False)
    folder.mkdir(exist_ok=True)
    return folder / f"{ctx.info_name}.csv"
