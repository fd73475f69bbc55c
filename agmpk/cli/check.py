"""``agmpk check``: what a table holds, and how it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agmpk.cli.options import STUDY, read, reading_options, tell_familiar


@click.command(
    epilog="""\b
Examples:
  agmpk check study.csv
  agmpk check study.csv --columns TIME=time_h,DV=conc --lloq 0.1
  agmpk check crossover.csv --occasion split --exclude 7,12
"""
)
@STUDY
@reading_options
def check(study: Path, how: dict[str, Any]) -> None:
    """Read STUDY, a NONMEM-style table, and say what it holds and how it was read.

    Prints individuals, samples, limits, doses, units, the columns used and not used, and whatever
    was assumed or left out; then, on stderr, whether a study like it is among those that the prior
    draws. Ends with status 2 and the faults where the table cannot be used.
    """
    reading = read(study, how, quiet=True)
    click.echo(reading.describe())
    if len(reading.studies) > 1:
        click.echo("  several   forecast and cohort need one of them: --study or --analyte")
    else:
        tell_familiar(reading.only())
