"""``agmpk simulate``: studies drawn from the prior, as a NONMEM-style table."""

from __future__ import annotations

from pathlib import Path

import click
from tqdm import tqdm

from agmpk.cli.options import OUT, SEED, check_out


@click.command(
    epilog="""\b
Examples:
  agmpk simulate --preset paper --studies 10 --seed 1 --out sim.csv
  agmpk simulate --preset my_prior.yaml --studies 1000 --out sim.csv
"""
)
@click.option(
    "--preset", default="extended", show_default=True, help="Name of a preset, or a YAML file."
)
@click.option("--studies", default=10, show_default=True, type=click.IntRange(1))
@SEED
@OUT
def simulate(preset: str, studies: int, seed: int, out: Path) -> None:
    """Draw STUDIES studies and write them as one NONMEM-style table with a STUDY column."""
    from agmpk.files import write_csv
    from agmpk.prior.preset import load_prior
    from agmpk.prior.simulate import BLOCK, simulate_block
    from agmpk.prior.table import to_table

    check_out(out)
    config = load_prior(preset)
    blocks = range(-(-studies // BLOCK))
    tables = []
    for block in tqdm(blocks, desc="simulate", unit="block", disable=None):
        batch = simulate_block(config, seed, block)[: studies - block * BLOCK]
        tables.append(to_table(batch, first=1 + block * BLOCK))
    import pandas as pd

    table = pd.concat(tables, ignore_index=True)
    write_csv(table, out)
    click.echo(f"{studies} studies, {len(table)} rows -> {out}")
