"""``agmpk paper``: make again what ``data/`` holds and what the book's numbers rest on."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click

from agmpk.cli import FILE, FOLDER, LazyGroup, OneLineGroup, jobs_options, option
from agmpk.errors import AgmpkError
from agmpk.files import PROJECT, check_writable, data_path, write_csv

SECTIONS = {
    "What data/ holds": {
        "ablations": "Train and score variants of the small recipe (data/ablations).",
        "prior-fit": "Fit the preset `calibrated`; compare the presets (data/calibration).",
        "nlme-fits": "Fit and score the mixed-effects baseline (data/nlme).",
        "golden": "Renew the golden predictions of a checkpoint (data/checkpoints).",
    },
    "What the chapters measure": {
        "costs": "What a training recipe would cost on a GPU.",
        "speed": "Where the time of a training step goes.",
        "steps": "What fewer sampling steps cost in accuracy.",
    },
    "Whether it survives (data/proof)": {
        "proof": "Faults, mutated input, repetition, growth: tried and counted.",
        "licences": "The licences of all run-time packages.",
    },
}


def _load(name: str) -> click.Command:
    """The command of that name; those of other files are imported now."""
    if name == "proof":  # what is tried is not for users: it lies with the tests
        if not (PROJECT / "tests" / "proof").is_dir():
            raise AgmpkError("agmpk paper proof lies with the tests: call it from a clone.")
        sys.path.insert(0, str(PROJECT / "tests"))
        return importlib.import_module("proof").proof
    if name == "prior-fit":
        from agmpk.cli.prior_fit import prior_fit as command

        return command
    here = (ablations, nlme_fits, golden, costs, speed, steps, licences)
    return {command.name: command for command in here}[name]


@click.group(cls=LazyGroup, sections=SECTIONS, load=_load)
def paper() -> None:
    """Make again what data/ holds and what the book's numbers rest on."""


@click.command()
@click.argument("step", type=click.Choice(["fit", "score"]))
@click.argument("compounds", nargs=-1)
@jobs_options
def nlme_fits(step: str, compounds: tuple[str, ...], jobs: int, scheduler: str) -> None:
    """Fit the contexts of the benchmark, or score the forecasts from the stored fits."""
    from agmpk.paper.nlme_fits import fit_all, score_all

    if step == "fit":
        fit_all(compounds, jobs, scheduler)
    else:
        score_all()


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def golden(folder: Path) -> None:
    """Write the golden predictions of the checkpoint in FOLDER beside it, on purpose."""
    from agmpk.forecasting import load_forecaster
    from agmpk.paper.golden import FILE, golden_predictions

    found = golden_predictions(load_forecaster(folder))
    write_csv(found.round(6), folder / FILE)
    click.echo(f"{len(found)} predictions -> {folder / FILE}")


@click.command()
@click.argument("recipe")
@option("--peak", default=989e12, help="Operations a second, by default an H100's.")
@option("--utilisation", default=0.1, help="Share of the peak.")
@option("--workers", default=8, type=click.IntRange(1))
def costs(recipe: str, peak: float, utilisation: float, workers: int) -> None:
    """Print the expected cost of RECIPE on one GPU."""
    from agmpk.paper.cost import expected_cost, in_words
    from agmpk.training.config import load_training_config

    config = load_training_config(recipe)
    assumed = peak, utilisation, workers
    click.echo(in_words(recipe, config, expected_cost(config, *assumed), *assumed))


@click.command()
@click.argument("recipe", default="flow")
@option("--steps", default=8, type=click.IntRange(1))
def speed(recipe: str, steps: int) -> None:
    """Print where the processor time of a training step of RECIPE goes, padding computed or not."""
    import torch

    from agmpk.paper.speed import training_step
    from agmpk.training.config import load_training_config

    torch.set_num_threads(1)
    click.echo(training_step(load_training_config(recipe), steps).to_string(float_format="%.3f"))


@click.command()
@click.argument("model")
@option("--prior", help="A preset.  [default: the one the model was trained on]")
@option("--studies", default=16, type=click.IntRange(1, 64))
@option("--samples", default=200, type=click.IntRange(2))
@option("--out", required=True, type=FILE)
def steps(model: str, prior: str | None, studies: int, samples: int, out: Path) -> None:
    """Compare numbers of sampling steps of MODEL, a shipped checkpoint or a folder."""
    from agmpk.paper.steps import steps_of

    check_writable(out)
    table = steps_of(model, prior, studies, samples)
    write_csv(table, out)
    click.echo(table.round(4).to_string(index=False))


@click.command()
@click.pass_context
def licences(ctx: click.Context) -> None:
    """List the licences of all run-time packages; status 1 where one is under a GPL."""
    from agmpk.paper.licences import licences as listed

    table = listed()
    click.echo(table.to_string(index=False))
    ctx.exit(int(table.gpl.any()))


_out = click.option("--out", type=FOLDER, help="Of the results.  [default: data/ablations]")


@click.group(cls=OneLineGroup)
def ablations() -> None:
    """Ablations of the small recipe: one change at a time, at equal budget."""


@ablations.command()
@option("--only", multiple=True, help="Only this variant (repeatable).")
@option("--steps", type=click.IntRange(1), help="Training steps: a rehearsal; needs --out.")
@click.option(
    "--work", type=FOLDER, default=PROJECT / "book" / "_build" / "runs" / "ablations",
    help="Folder of the training runs.  [default: book/_build/runs/ablations]",
)  # fmt: skip
@_out
@jobs_options
def run(
    only: tuple[str, ...],
    steps: int | None,
    work: Path,
    out: Path | None,
    jobs: int,
    scheduler: str,
) -> None:
    """Train and score the variants that are missing or stale.

    It can be stopped at any moment and started again. Variants with the same prior, seed and steps
    are trained side by side on the same studies. One thread is used by each. To make a variant
    again, delete its files in OUT/variants and the folder WORK. The workers of a scheduler must see
    both folders.
    """
    from agmpk.paper.ablations.results import write_results
    from agmpk.paper.ablations.run import is_current, run_all
    from agmpk.paper.ablations.variants import VARIANTS, find

    if steps and out is None:
        raise AgmpkError("A rehearsal with --steps must not replace results: name a folder --out.")
    out = out or data_path("ablations", must_exist=False)
    training = {"steps": steps, "validate_every": steps} if steps else {}
    missing = []
    for variant in [find(name) for name in only] or VARIANTS:
        if is_current(variant, out, **training):
            click.echo(f"{variant.name}: stored")
        else:
            missing.append(variant)
    for names in run_all(missing, out, work, jobs, scheduler, **training):
        write_results(out)
        click.echo("\n".join(f"{name}: done" for name in names))
    write_results(out)


@ablations.command("list")
@_out
def list_variants(out: Path | None) -> None:
    """Say of each variant whether its results are current, stale or missing."""
    from agmpk.paper.ablations.results import plan

    for row in plan(out or data_path("ablations", must_exist=False)).itertuples():
        click.echo(f"{row.variant}: {row.state}; {row.change}")
