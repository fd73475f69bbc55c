"""``agmpk simulate``: studies drawn from the prior, as a NONMEM-style table."""

from __future__ import annotations

from pathlib import Path

import click
from tqdm import tqdm

from agmpk.cli import OUT, SEED, option


@click.command(
    epilog="""\b
Examples:
  agmpk simulate --preset paper --studies 10 --seed 1 --out sim.csv
  agmpk simulate --preset my_prior.yaml --studies 1000 --out sim.csv
"""
)
@option("--preset", default="extended", help="Name of a preset, or a YAML file.")
@option("--studies", default=10, type=click.IntRange(1))
@SEED
@OUT
def simulate(preset: str, studies: int, seed: int, out: Path) -> None:
    """Draw STUDIES studies and write them as one NONMEM-style table with a STUDY column.

    Times are in h, doses in mg, concentrations in mg/L. Rows are written block by block, so any
    number of studies fits in memory; the file appears when it is whole.
    """
    from agmpk.files import atomic_path, check_writable
    from agmpk.prior.config import load_prior
    from agmpk.prior.simulate import BLOCK, simulate_block
    from agmpk.prior.table import UNITS, to_table
    from agmpk.studies.nonmem.layout import UNITS_LINE

    check_writable(out)
    config = load_prior(preset)
    rows = 0
    with atomic_path(out) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        told = f"time={UNITS.time} concentration={UNITS.concentration} dose={UNITS.dose}"
        file.write(f"{UNITS_LINE} {told}\n")
        for start in tqdm(range(0, studies, BLOCK), desc="simulate", unit="block", disable=None):
            batch = simulate_block(config, seed, start // BLOCK)[: studies - start]
            table = to_table(batch, first=1 + start)
            table.to_csv(file, index=False, header=start == 0, lineterminator="\n")
            rows += len(table)
    click.echo(f"{studies} studies, {rows} rows -> {out}")
