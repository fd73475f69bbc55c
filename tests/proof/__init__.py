"""Does it survive?  Faults, mutated input and repetition, tried many times and counted; growth.

``agmpk paper proof NAME``, in a clone, writes ``data/proof/NAME.csv``; ``test_proof.py`` tries a
few of each.
"""

from __future__ import annotations

import contextlib
import importlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import numpy as np
import pandas as pd
from tqdm import tqdm

from agmpk.cli import FILE, SEED, cli, option
from agmpk.errors import AgmpkError
from agmpk.files import check_writable, data_path, write_csv

COLUMNS = ["proof", "what", "tried", "survived", "first_failure"]
Attempt = Callable[[int], str]
"""Tries for the k-th time, and returns what went wrong, '' where nothing did."""
Kinds = dict[str, tuple[int, Callable[[np.random.Generator], Attempt]]]
"""By what is tried: how often in full, and what makes it ready."""
Command = Callable[[list[str]], int]
"""Runs a line of arguments as the command line does, and returns its status."""


def tried(
    proof: str, kinds: Kinds, scale: float = 1.0, seed: int = 0, only: str = ""
) -> Iterator[tuple[dict[str, object], list[str]]]:
    """A row of ``COLUMNS`` and all failures of each kind, or of those whose name holds ``only``.

    Each is tried ``scale`` times its full number, at least once, in a folder that is removed.

    Raises:
        AgmpkError: no name holds ``only``.
    """
    chosen = {what: kind for what, kind in kinds.items() if only in what}
    if not chosen:
        raise AgmpkError(f"There is nothing called {only!r} to try: {', '.join(kinds)}.")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for what, (full, prepare) in chosen.items():
            attempt = prepare(np.random.default_rng([seed, len(what)]))
            count = max(1, round(scale * full))
            found = [attempt(k) for k in tqdm(range(count), desc=what, disable=None)]
            failures = [one for one in found if one]
            first = " ".join(failures[0].split())[:200] if failures else ""
            row = (proof, what, count, count - len(failures), first)
            yield dict(zip(COLUMNS, row, strict=True)), failures


@click.command()
@click.argument("kind", type=click.Choice(["faults", "fuzz", "repeats", "growth"]))
@option("--scale", default=1.0, type=click.FloatRange(0, min_open=True), help="Share of the tries.")
@SEED
@click.option("--only", default="", help="Those whose name holds this.")
@option("--out", type=FILE, help="Of the counts.  [default: data/proof/KIND.csv]")
@click.pass_context
def proof(
    ctx: click.Context, kind: str, scale: float, seed: int, only: str, out: Path | None
) -> None:
    """Try and count what survives; status 1 where something does not.

    \b
    faults   killed processes, flipped bits, full disks, read-only folders, two runs in one folder
    fuzz     mutated tables, articles, answers of a model server, argument lines, settings
    repeats  the same twice, in another process, with two threads, with another seed
    growth   seconds and memory against individuals, samples and draws; no seed, no name

    Counts are stored as they come, and those of other names stay.

    Example: agmpk paper proof fuzz --scale 0.01 --out /tmp/fuzz.csv
    """
    if out is None:
        out = data_path("proof", must_exist=False) / f"{kind}.csv"
        out.parent.mkdir(exist_ok=True)
    out = out.resolve()  # some tries change the folder
    check_writable(out)
    module = importlib.import_module(f"proof.{kind}")
    if kind == "growth":
        table = module.growth(scale)
        write_csv(table, out)
        click.echo(table.to_string(index=False))
        return
    failed = False
    rows = pd.read_csv(out, keep_default_na=False).to_dict("records") if out.is_file() else []
    for row, failures in tried(kind, module.kinds(_status), scale, seed, only):
        for one in [*dict.fromkeys(failures)][:20]:
            click.echo(one, err=True)
        failed |= bool(failures)
        rows = [old for old in rows if old["what"] != row["what"]] + [row]
        write_csv(pd.DataFrame(rows), out)
        click.echo(pd.DataFrame([row]).to_string(index=False))
    ctx.exit(int(failed))


def _status(words: list[str]) -> int:
    """The status of the command line with these arguments."""
    try:
        cli.main(words, prog_name="agmpk", standalone_mode=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


@click.command()
@click.pass_context
def licences(ctx: click.Context) -> None:
    """List the licences of all run-time packages; status 1 where one is under a GPL."""
    from proof.packages import licences as listed

    table = listed()
    click.echo(table.to_string(index=False))
    ctx.exit(int(table.gpl.any()))


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def golden(folder: Path) -> None:
    """Write the golden predictions of the checkpoint in FOLDER beside it, on purpose."""
    from agmpk.forecasting import load_forecaster
    from proof.shipped import FILE, golden_predictions

    found = golden_predictions(load_forecaster(folder))
    write_csv(found.round(6), folder / FILE)
    click.echo(f"{len(found)} predictions -> {folder / FILE}")
