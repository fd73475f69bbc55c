"""``agmpk paper``: make again what ``data/`` holds and what the book's numbers rest on."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import click

from agmpk import cli
from agmpk.cli import FILE, FOLDER, LazyGroup, OneLineGroup, option
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
    },
    "Whether it survives (data/proof)": {
        "proof": "Faults, mutated input, repetition, growth: tried and counted.",
        "licences": "The licences of all run-time packages.",
    },
}


def _load(name: str) -> click.Command:
    """The command of that name."""
    if name in ("golden", "proof", "licences"):  # checks are not for users: they lie with the tests
        if not (PROJECT / "tests" / "proof").is_dir():
            raise AgmpkError(f"agmpk paper {name} lies with the tests: call it from a clone.")
        sys.path.insert(0, str(PROJECT / "tests"))
        return getattr(importlib.import_module("proof"), name)
    return globals()[name.replace("-", "_")]


@click.group(cls=LazyGroup, sections=SECTIONS, load=_load)
def paper() -> None:
    """Make again what data/ holds and what the book's numbers rest on."""


@click.command()
@click.argument("step", type=click.Choice(["fit", "score"]))
@click.argument("compounds", nargs=-1)
@cli.JOBS[0]
@cli.JOBS[1]
def nlme_fits(step: str, compounds: tuple[str, ...], jobs: int, scheduler: str) -> None:
    """Fit the contexts of the benchmark, or score the forecasts from the stored fits."""
    from agmpk.paper.nlme_fits import fit_all, score_all

    if step == "fit":
        fit_all(compounds, jobs, scheduler)
    else:
        score_all()


@click.command()
@click.argument("recipe")
@option("--peak", default=989e12, help="Operations a second, by default an H100's.")
@option("--utilisation", default=0.1, help="Share of the peak.")
@option("--workers", default=8, type=click.IntRange(1))
def costs(recipe: str, peak: float, utilisation: float, workers: int) -> None:
    """Print the expected cost of RECIPE on one GPU."""
    from agmpk.paper.speed import expected_cost
    from agmpk.training.config import load_training_config

    config = load_training_config(recipe)
    click.echo(expected_cost(recipe, config, peak, utilisation, workers).text)


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


_out = click.option("--out", type=FOLDER, help="Of the results.  [default: data/ablations]")


@click.group(cls=OneLineGroup)
def ablations() -> None:
    """Ablations of the small recipe: one change at a time, at equal budget."""


@cli.command(
    option("--only", multiple=True, help="Only this variant (repeatable)."),
    option("--steps", type=cli.POSITIVE, help="Training steps: a rehearsal; needs --out."),
    click.option("--work", type=FOLDER, default=PROJECT / "book/_build/runs/ablations",
                 help="Folder of the training runs.  [default: book/_build/runs/ablations]"),
    _out, *cli.JOBS, group=ablations,
)  # fmt: skip
def run(o: SimpleNamespace) -> None:
    """Train and score the variants that are missing or stale.

    It can be stopped at any moment and started again. Variants with the same prior, seed and steps
    are trained side by side on the same studies. One thread is used by each. To make a variant
    again, delete its files in OUT/variants and the folder WORK. The workers of a scheduler must see
    both folders.
    """
    from agmpk.paper.ablations.results import write_results
    from agmpk.paper.ablations.run import VARIANTS, find, is_current, run_all

    if o.steps and o.out is None:
        raise AgmpkError("A rehearsal with --steps must not replace results: name a folder --out.")
    out = o.out or data_path("ablations", must_exist=False)
    training = {"steps": o.steps, "validate_every": o.steps} if o.steps else {}
    missing = []
    for variant in [find(name) for name in o.only] or VARIANTS:
        if is_current(variant, out, **training):
            click.echo(f"{variant.name}: stored")
        else:
            missing.append(variant)
    for names in run_all(missing, out, o.work, o.jobs, o.scheduler, **training):
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


_tables = option("--out", default=PROJECT / "data" / "calibration", type=FOLDER)
_start = option("--start", default="extended", help="Preset or file to start at.")
_seed = option("--seed", default=2026, help="Seed of the simulated trials.")
_blocks = option("--blocks", default=224, help="Blocks of 64 trials in the pool.")


@click.group(cls=OneLineGroup)
def prior_fit() -> None:
    """Calibrate the prior against the literature and the development cohorts."""
    import torch

    torch.set_num_threads(1)


def _pool(start: str, seed: int, blocks: int) -> tuple:
    """What is fitted, to which articles, and the simulated trials that are weighted for it."""
    from agmpk.paper.prior_fit.fit import Space, changed, trial_pool
    from agmpk.paper.prior_fit.trials import literature
    from agmpk.prior import load_prior

    space, articles = Space(changed(load_prior(start))), literature()
    return space, articles, trial_pool(space, articles, seed, blocks)


@prior_fit.command("fit")
@_start
@_seed
@_blocks
@option("--out", default=PROJECT / "agmpk/prior/presets/calibrated.yaml", type=FILE)
def fit_command(start: str, seed: int, blocks: int, out: Path) -> None:
    """Fit the ranges of the preset ``calibrated`` (about two minutes on one core)."""
    from agmpk.paper.prior_fit.fit import fit, write_preset

    space, articles, pool = _pool(start, seed, blocks)
    result = fit(space, articles, pool)
    write_preset(result, start, seed, pool, out)
    click.echo(f"{out}: summed distance {result.objective[0]:.2f} -> {result.objective[1]:.2f}")


@prior_fit.command("held-out")
@_start
@_seed
@_blocks
@option("--splits", default=4, help="Random halvings of the articles.")
@_tables
def held_out_command(start: str, seed: int, blocks: int, splits: int, out: Path) -> None:
    """Fit on halves of the articles and judge on the other halves (minutes)."""
    from agmpk.paper.prior_fit.fit import held_out

    check_writable(out / "held_out.csv")
    rows = held_out(*_pool(start, seed, blocks), seed, splits)
    write_csv(rows.round(4), out / "held_out.csv")
    mean = rows.mean(numeric_only=True)
    click.echo(
        f"On the fitted half {mean.fitted_before:.2f} -> {mean.fitted_after:.2f}, "
        f"on the other {mean.held_out_before:.2f} -> {mean.held_out_after:.2f}"
    )


@prior_fit.command("tables")
@_tables
@option("--seed", default=2027, help="Seed of the simulated trials.")
def tables_command(out: Path, seed: int) -> None:
    """Compare the presets with literature, cohorts and published models (some minutes)."""
    import pandas as pd

    from agmpk.paper.prior_fit.compare import NAMES, calibration_tables, write_tables
    from agmpk.paper.prior_fit.published import published_tables
    from agmpk.prior import load_prior

    priors = {name: load_prior(name) for name in NAMES}
    found = calibration_tables(priors, seed=seed) | published_tables(priors)
    write_tables(found, out)
    means = found["distances"].query("quantity == 'all'").assign(what="literature", drugs="all")
    means = pd.concat([means, found["published_distances"].query("quantity == 'all'")])
    for row in means.itertuples():
        click.echo(
            f"{row.prior}, {row.what} ({row.drugs}): mean Wasserstein distance "
            f"{row.wasserstein:.2f} ({row.wasserstein_low:.2f} to {row.wasserstein_high:.2f}), "
            f"{row.inside_95:.0%} inside the 95 % range"
        )


@prior_fit.command("published")
@option("--out", default=PROJECT / "data" / "poppk", type=FOLDER)
def published_command(out: Path) -> None:
    """Simulate the stored studies of the published models, and split their drugs."""
    from agmpk.paper.published_models import write_published

    write_published(out)
    click.echo(f"{out}: {len(list(out.glob('studies/*/*.csv')))} studies")


@prior_fit.command("best")
@option("--out", default=PROJECT / "data" / "poppk" / "best.csv", type=FILE)
def best_command(out: Path) -> None:
    """Ask somebody who knows the published models about the stored studies (half an hour)."""
    from agmpk.paper.published_truth import all_best_results

    check_writable(out)
    found = all_best_results()
    write_csv(found.round(5), out)
    click.echo(f"{out}: {len(found)} answers")


@prior_fit.command("familiar")
@option("--prior", default="clinic", help="Preset or file.")
@option("--studies", default=3072, help="Studies of the reference.")
@_tables
def familiar_command(prior: str, studies: int, out: Path) -> None:
    """Make the reference of the familiarity check and measure its power (some minutes)."""
    from agmpk.paper.prior_fit.familiar import write_familiar
    from agmpk.prior import load_prior

    check_writable(out / "familiar.csv.gz")
    for row in write_familiar(load_prior(prior), out, studies).itertuples():
        click.echo(f"{row.stress}: {row.alarms:.0%} of {row.studies} studies raise the alarm")
