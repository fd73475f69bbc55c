"""``agmpk cohort``: virtual individuals of a study."""

from __future__ import annotations

from pathlib import Path

import click
import pandas as pd

from agmpk.cli.options import ANALYTE, MODEL, OUT, SEED, STUDY, TIMES, check_out, parse_times


@click.command(
    epilog="""\b
Examples:
  agmpk cohort data/benchmark/studies/caffeine.csv -n 100 --out cohort.csv
  agmpk cohort study.csv -n 500 --times 0.5:24:0.5 --model naive --seed 7 --out cohort.csv
"""
)
@STUDY
@click.option(
    "-n",
    "number",
    default=100,
    show_default=True,
    type=click.IntRange(1),
    help="Number of virtual individuals.",
)
@TIMES
@MODEL
@SEED
@ANALYTE
@OUT
def cohort(
    study: Path,
    number: int,
    times: str | None,
    model: str,
    seed: int,
    analyte: str | None,
    out: Path,
) -> None:
    """Generate virtual individuals given all individuals of STUDY, a NONMEM-style table.

    Writes ID, TIME (h) and DV; by default at the union of the study's sampling times, with the
    dose of its first individual.
    """
    from agmpk.files import write_csv
    from agmpk.forecasting import generate, load_forecaster
    from agmpk.studies import read_study

    wanted = parse_times(times)
    check_out(out)
    data = read_study(study, analyte=analyte)
    virtual = generate(load_forecaster(model), data, number, wanted, seed=seed)
    frame = pd.concat(
        [
            pd.DataFrame({"ID": one.id, "TIME": one.times, "DV": one.concentrations})
            for one in virtual
        ],
        ignore_index=True,
    )
    write_csv(frame, out)
    click.echo(f"{number} virtual individual(s) of {data.compound} with {model} -> {out}")
