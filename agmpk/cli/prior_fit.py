"""``agmpk paper prior-fit``: fit the preset ``calibrated``, and make what compares the presets."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click
import pandas as pd
import torch

from agmpk.cli import FILE, FOLDER, OneLineGroup, option
from agmpk.files import PROJECT, check_writable, write_csv
from agmpk.paper.prior_fit.candidates import CHANGES, changed
from agmpk.paper.prior_fit.compare import NAMES, calibration_tables, write_tables
from agmpk.paper.prior_fit.familiar import PRESET as PRESET_OF_FAMILIAR
from agmpk.paper.prior_fit.familiar import STUDIES, write_familiar
from agmpk.paper.prior_fit.fit import FitResult, fit, held_out, trial_pool, write_preset
from agmpk.paper.prior_fit.published import published_tables
from agmpk.paper.prior_fit.trials import literature
from agmpk.paper.published_models import write_published
from agmpk.prior import load_prior

PRESET = Path(str(resources.files("agmpk.prior"))) / "presets" / "calibrated.yaml"
TABLES = PROJECT / "data" / "calibration"
MODELS = PROJECT / "data" / "poppk"
_tables = option("--out", default=TABLES, type=FOLDER)
_start = option("--start", default="extended", help="Preset or file to start at.")
_seed = option("--seed", default=2026, help="Seed of the simulated trials.")
_blocks = option("--blocks", default=224, help="Blocks of 64 trials in the pool.")


@click.group(cls=OneLineGroup)
def prior_fit() -> None:
    """Calibrate the prior against the literature and the development cohorts."""
    torch.set_num_threads(1)


@prior_fit.command("fit")
@_start
@_seed
@_blocks
@option("--out", default=PRESET, type=FILE)
def fit_command(start: str, seed: int, blocks: int, out: Path) -> None:
    """Fit the ranges of the preset ``calibrated`` (about two minutes on one core)."""
    prior, articles = changed(load_prior(start)), literature()
    result = fit(prior, articles, trial_pool(prior, articles, seed, blocks))
    write_preset(result.config, header(result, start, seed, blocks), out)
    click.echo(f"{out}: summed distance {result.objective[0]:.2f} -> {result.objective[1]:.2f}")


@prior_fit.command("held-out")
@_start
@_seed
@_blocks
@option("--splits", default=4, help="Random halvings of the articles.")
@_tables
def held_out_command(start: str, seed: int, blocks: int, splits: int, out: Path) -> None:
    """Fit on halves of the articles and judge on the other halves (minutes)."""
    check_writable(out / "held_out.csv")
    prior, articles = changed(load_prior(start)), literature()
    pool = trial_pool(prior, articles, seed, blocks)
    rows = held_out(prior, articles, pool, seed, splits)
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
@option("--out", default=MODELS, type=FOLDER)
def published_command(out: Path) -> None:
    """Simulate the stored studies of the published models, and split their drugs."""
    write_published(out)
    click.echo(f"{out}: {len(list(out.glob('studies/*/*.csv')))} studies")


@prior_fit.command("familiar")
@option("--prior", default=PRESET_OF_FAMILIAR, help="Preset or file.")
@option("--studies", default=STUDIES, help="Studies of the reference.")
@_tables
def familiar_command(prior: str, studies: int, out: Path) -> None:
    """Make the reference of the familiarity check and measure its power (some minutes)."""
    check_writable(out / "familiar.csv.gz")
    for row in write_familiar(load_prior(prior), out, studies).itertuples():
        click.echo(f"{row.stress}: {row.alarms:.0%} of {row.studies} studies raise the alarm")


def header(result: FitResult, start: str, seed: int, blocks: int) -> list[str]:
    """How the preset was made."""
    before, after = result.objective
    return [
        "Made by `agmpk paper prior-fit fit "
        f"--start {start} --seed {seed} --blocks {blocks}`; do not edit.",
        f"The preset {start}, with these quantities changed for the development cohorts",
        "(agmpk/paper/prior_fit/candidates.py):",
        *[f"  {c.quantity}: {c.reason}" for c in CHANGES],
        "and then the ranges of agmpk/paper/prior_fit/candidates.py fitted to the bioequivalence",
        "literature (data/literature/reference.csv): summed Wasserstein distance and shortfall of",
        f"coverage {before:.2f} before and {after:.2f} after the fit, from {64 * blocks} trials",
        f"({result.effective[1]:.0f} effective ones). The 20 benchmark compounds took no part.",
    ]
