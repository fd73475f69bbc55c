"""``python -m agmpk.paper.prior_fit``: ``fit`` the preset ``calibrated``, make the ``tables``."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click
import torch

from agmpk.errors import AgmpkError
from agmpk.paper.prior_fit.candidates import CHANGES, changed
from agmpk.paper.prior_fit.compare import calibration_tables, write_tables
from agmpk.paper.prior_fit.fit import FitResult, fit, write_preset
from agmpk.paper.prior_fit.trials import literature
from agmpk.paths import PROJECT
from agmpk.prior import load_prior

PRESET = Path(str(resources.files("agmpk.prior"))) / "presets" / "calibrated.yaml"
POOL = PROJECT / "book" / "_build" / "calibration"
TABLES = PROJECT / "data" / "calibration"


class Command(click.Group):
    """Problems of the input leave with one sentence and exit code 2."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except AgmpkError as error:
            raise click.UsageError(str(error)) from error


@click.group(cls=Command)
def main() -> None:
    """Calibrate the prior against the literature and the development cohorts."""


@main.command("fit")
@click.option("--start", default="extended", show_default=True, help="Preset or file to start at.")
@click.option("--seed", default=2026, show_default=True, help="Seed of the simulated trials.")
@click.option("--blocks", default=224, show_default=True, help="Blocks of 64 trials in the pool.")
@click.option("--out", default=PRESET, show_default=True, type=click.Path(path_type=Path))
@click.option(
    "--pool",
    default=POOL,
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder of simulated trials; an interrupted fit goes on with what is there.",
)
def fit_command(start: str, seed: int, blocks: int, out: Path, pool: Path) -> None:
    """Fit the ranges of the preset ``calibrated`` (about two minutes on one core)."""
    torch.set_num_threads(1)
    result = fit(changed(load_prior(start)), literature(), seed, pool, blocks, progress=True)
    write_preset(result.config, header(result, start, seed, blocks), out)
    click.echo(f"{out}: summed distance {result.objective[0]:.2f} -> {result.objective[1]:.2f}")


@main.command("tables")
@click.option("--out", default=TABLES, show_default=True, type=click.Path(path_type=Path))
@click.option("--seed", default=2027, show_default=True, help="Seed of the simulated trials.")
def tables_command(out: Path, seed: int) -> None:
    """Compare the presets with the literature and the cohorts (about two minutes)."""
    torch.set_num_threads(1)
    found = calibration_tables(seed=seed)
    write_tables(found, out)
    means = found["distances"].query("quantity == 'all'")
    for row in means.itertuples():
        click.echo(
            f"{row.prior}: mean Wasserstein distance {row.wasserstein:.2f}, KS {row.ks:.2f}, "
            f"{row.inside_95:.0%} of the literature inside the 95 % range"
        )


def header(result: FitResult, start: str, seed: int, blocks: int) -> list[str]:
    """How the preset was made."""
    before, after = result.objective
    return [
        "Made by `python -m agmpk.paper.prior_fit fit "
        f"--start {start} --seed {seed} --blocks {blocks}`; do not edit.",
        f"The preset {start}, with these quantities changed for the development cohorts",
        "(agmpk.paper.prior_fit.candidates.py):",
        *[f"  {c.quantity}: {c.reason}" for c in CHANGES],
        "and then the ranges of agmpk.paper.prior_fit.candidates.py fitted to the bioequivalence",
        "literature (data/literature/reference.csv): summed Wasserstein distance and shortfall of",
        f"coverage {before:.2f} before and {after:.2f} after the fit, from {64 * blocks} trials",
        f"({result.effective[1]:.0f} effective ones). The 20 benchmark compounds took no part.",
    ]


if __name__ == "__main__":
    main(prog_name="python -m agmpk.paper.prior_fit")
