"""``python -m agmpk.ablations run``: train and score what is missing; ``list``: what there is;
``seeds``: the default's training seeds on the benchmark."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from tqdm import tqdm

from agmpk.cli.group import OneLineGroup
from agmpk.errors import AgmpkError
from agmpk.paths import PROJECT, data_path

WORK = PROJECT / "book" / "_build" / "runs" / "ablations"
_work = click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    default=WORK,
    help="Folder of the training runs.  [default: book/_build/runs/ablations]",
)
_out = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the results.  [default: data/ablations]",
)


@click.group(cls=OneLineGroup)
def main() -> None:
    """Ablations of the small recipe: one change at a time, at equal budget."""


@main.command()
@click.option("--only", multiple=True, help="Only this variant (repeatable).")
@click.option("--optional", is_flag=True, help="The optional variants too.")
@click.option("--steps", type=click.IntRange(1), help="Training steps: a rehearsal; needs --out.")
@_work
@_out
def run(
    only: tuple[str, ...],
    optional: bool,
    steps: int | None,
    work: Path,
    out: Path | None,
) -> None:
    """Train and score the variants that are missing or stale, one after the other.

    It can be stopped at any moment and started again. One thread is used. To make a variant again,
    delete its files in OUT/variants and the folder WORK.
    """
    import torch

    from agmpk.ablations.report import write_reports
    from agmpk.ablations.run import is_current, run_variant
    from agmpk.ablations.variants import VARIANTS, find

    if steps and out is None:
        raise AgmpkError("A rehearsal with --steps must not replace results: name a folder --out.")
    torch.set_num_threads(1)
    out = out or data_path("ablations", must_exist=False)
    out.mkdir(parents=True, exist_ok=True)
    training = {"steps": steps, "validate_every": steps} if steps else {}
    chosen = [find(name) for name in only] or [v for v in VARIANTS if optional or not v.optional]
    for variant in chosen:
        if is_current(variant, out, **training):
            click.echo(f"{variant.name}: stored")
            continue
        with tqdm(desc=variant.name, unit="step", disable=not sys.stderr.isatty()) as bar:
            run_variant(variant, out, work, lambda *_, bar=bar: bar.update(), **training)
        write_reports(out)
        click.echo(f"{variant.name}: done")
    write_reports(out)


@main.command()
@_work
@_out
def seeds(work: Path, out: Path | None) -> None:
    """Score the default's training seeds on the 20 compounds, to report the spread.

    Seeds whose training is not in WORK are trained first.
    """
    import torch

    from agmpk.ablations.seeds import score_seeds

    torch.set_num_threads(1)
    score_seeds(out or data_path("ablations"), work, click.echo)


@main.command("list")
@_out
def list_variants(out: Path | None) -> None:
    """Say of each variant whether its results are current, stale or missing."""
    from agmpk.ablations.results import state
    from agmpk.ablations.variants import VARIANTS

    out = out or data_path("ablations", must_exist=False)
    for variant in VARIANTS:
        optional = " (optional)" if variant.optional else ""
        click.echo(f"{variant.name}: {state(variant, out)}; {variant.text}{optional}")


if __name__ == "__main__":
    main(prog_name="python -m agmpk.ablations")
