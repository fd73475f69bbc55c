"""``agmpk paper``: make again what ``data/`` holds and what the book's numbers rest on."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from tqdm import tqdm

from agmpk.cli import LazyGroup, OneLineGroup, jobs_options
from agmpk.errors import AgmpkError
from agmpk.files import check_writable, write_csv
from agmpk.paths import PROJECT, data_path

SECTIONS = {
    "What data/ holds": {
        "ablations": "Train and score variants of the small recipe (data/ablations).",
        "prior-fit": "Fit the preset `calibrated`; compare the presets (data/calibration).",
        "nlme-fits": "Fit and score the mixed-effects baseline (data/nlme).",
        "golden": "Renew the golden predictions of a checkpoint (data/checkpoints).",
    },
    "What the chapters measure": {
        "claims": "The published claims and their verdicts, from the chapters' results.",
        "costs": "What a training recipe would cost on a GPU.",
        "speed": "How fast the simulator is.",
        "steps": "What fewer sampling steps cost in accuracy.",
    },
    "Whether it survives (data/proof)": {
        "proof": "Faults, mutated input, repetition, growth: tried and counted.",
        "licences": "The licences of all run-time packages.",
    },
}


def _load(name: str) -> click.Command:
    """The command of that name; those of other folders are imported now."""
    if name == "prior-fit":
        from agmpk.cli.prior_fit import prior_fit as command
    elif name == "nlme-fits":
        from agmpk.paper.nlme_fits import main as command
    elif name == "proof":
        from agmpk.cli.proof import proof as command
    elif name == "speed":
        from agmpk.paper.speed import main as command
    else:
        command = {
            "ablations": ablations,
            "golden": golden,
            "claims": claims,
            "licences": licences,
            "costs": costs,
            "steps": steps,
        }[name]
    return command


@click.group(cls=LazyGroup, sections=SECTIONS, load=_load)
def paper() -> None:
    """Make again what data/ holds and what the book's numbers rest on."""


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
@click.option("--peak", type=float, help="Operations a second.  [default: 989e12, an H100]")
@click.option("--utilisation", default=0.1, show_default=True, help="Share of the peak.")
@click.option("--workers", default=8, show_default=True, type=click.IntRange(1))
def costs(recipe: str, peak: float | None, utilisation: float, workers: int) -> None:
    """Print the expected cost of RECIPE on one GPU."""
    from agmpk.paper.cost import H100, expected_cost, in_words
    from agmpk.training.config import load_training_config

    config = load_training_config(recipe)
    cost = expected_cost(config, peak or H100, utilisation, workers)
    click.echo(in_words(recipe, config, cost, peak or H100, utilisation, workers))


@click.command()
@click.argument("model")
@click.option("--prior", help="A preset.  [default: the one the model was trained on]")
@click.option("--studies", default=16, show_default=True, type=click.IntRange(1, 64))
@click.option("--samples", default=200, show_default=True, type=click.IntRange(2))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
def steps(model: str, prior: str | None, studies: int, samples: int, out: Path) -> None:
    """Compare numbers of sampling steps of MODEL, a shipped checkpoint or a folder."""
    from agmpk.paper.steps import steps_of

    check_writable(out)
    table = steps_of(model, prior, studies, samples)
    write_csv(table, out)
    click.echo(table.round(4).to_string(index=False))


@click.command()
@click.option(
    "--results",
    type=click.Path(file_okay=False, path_type=Path),
    default=PROJECT / "book" / "_build" / "results",
    help="Folder of what the chapters stored.  [default: book/_build/results]",
)
def claims(results: Path) -> None:
    """Judge the published claims by what the chapters of the last build have stored."""
    from agmpk.paper.claims import judged, load_claims, stored_evidence

    table = judged(load_claims(), stored_evidence(results))
    for row in table.itertuples():
        why = f" ({row.reason})" if row.reason else ""
        here = f"{row.ours or '-'}: {row.verdict}{why}"
        click.echo(f"{row.id}: published {row.published}; here {here}")


@click.command()
@click.pass_context
def licences(ctx: click.Context) -> None:
    """List the licences of all run-time packages; status 1 where one is under a GPL."""
    from agmpk.paper.licences import licences as listed

    table = listed()
    click.echo(table.to_string(index=False))
    ctx.exit(int(table.gpl.any()))


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
def ablations() -> None:
    """Ablations of the small recipe: one change at a time, at equal budget."""


@ablations.command()
@click.option("--only", multiple=True, help="Only this variant (repeatable).")
@click.option("--steps", type=click.IntRange(1), help="Training steps: a rehearsal; needs --out.")
@_work
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

    It can be stopped at any moment and started again. One thread is used by each. To make a variant
    again, delete its files in OUT/variants and the folder WORK. The workers of a scheduler must see
    both folders.
    """
    import torch

    from agmpk.paper.ablations.results import write_reports
    from agmpk.paper.ablations.run import is_current, run_together, run_variant
    from agmpk.paper.ablations.variants import VARIANTS, find

    if steps and out is None:
        raise AgmpkError("A rehearsal with --steps must not replace results: name a folder --out.")
    torch.set_num_threads(1)
    out = out or data_path("ablations", must_exist=False)
    out.mkdir(parents=True, exist_ok=True)
    training = {"steps": steps, "validate_every": steps} if steps else {}
    chosen = [find(name) for name in only] or list(VARIANTS)
    for variant in chosen:
        if is_current(variant, out, **training):
            click.echo(f"{variant.name}: stored")
    chosen = [variant for variant in chosen if not is_current(variant, out, **training)]
    if jobs > 1 or scheduler:
        for names in run_together(chosen, out, work, jobs, scheduler, **training):
            click.echo(f"{', '.join(names)}: done")
        chosen = []
    for variant in chosen:
        with tqdm(desc=variant.name, unit="step", disable=not sys.stderr.isatty()) as bar:
            run_variant(variant, out, work, lambda *_, bar=bar: bar.update(), **training)
        write_reports(out)
        click.echo(f"{variant.name}: done")
    write_reports(out)


@ablations.command()
@_work
@_out
def seeds(work: Path, out: Path | None) -> None:
    """Score the default's training seeds on the 20 compounds, to report the spread.

    Seeds whose training is not in WORK are trained first.
    """
    import torch

    from agmpk.paper.ablations.run import score_seeds

    torch.set_num_threads(1)
    score_seeds(out or data_path("ablations"), work, click.echo)


@ablations.command()
@_out
def report(out: Path | None) -> None:
    """Write the table of results and the README again from the variants that are stored."""
    from agmpk.paper.ablations.results import plan, write_reports

    out = out or data_path("ablations", must_exist=False)
    out.mkdir(parents=True, exist_ok=True)
    write_reports(out)
    states = plan(out).state.value_counts()
    click.echo(", ".join(f"{number} {name}" for name, number in states.items()))


@ablations.command("list")
@_out
def list_variants(out: Path | None) -> None:
    """Say of each variant whether its results are current, stale or missing."""
    from agmpk.paper.ablations.results import state
    from agmpk.paper.ablations.variants import VARIANTS

    out = out or data_path("ablations", must_exist=False)
    for variant in VARIANTS:
        click.echo(f"{variant.name}: {state(variant, out)}; {variant.text}")
