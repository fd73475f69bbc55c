"""``agmpk check``: what a table holds, and how it is read."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agmpk.cli import JSON, STUDY, print_json, read, reading_options, tell_familiar

if TYPE_CHECKING:
    from agmpk.studies import Reading


@click.command(
    epilog="""\b
Examples:
  agmpk check study.csv
  agmpk check study.csv --columns TIME=time_h,DV=conc --lloq 0.1
  agmpk check crossover.csv --occasion split --exclude 7,12
"""
)
@STUDY
@JSON
@reading_options
def check(study: Path, as_json: bool, how: dict[str, Any]) -> None:
    """Read STUDY, a NONMEM-style table, and say what it holds and how it was read.

    Prints individuals, samples, limits, doses, units, the columns used and not used, and whatever
    was assumed or left out; then, on stderr, whether a study like it is among those that the prior
    draws. Ends with status 2 and the faults where the table cannot be used.
    """
    reading = read(study, how, quiet=True)
    if as_json:
        about = {name: getattr(reading, name) for name in ("used", "unused", "notes", "skipped")}
        print_json({"file": study, "studies": _facts(reading)} | about)
        return
    click.echo(reading.describe())
    if len(reading.studies) > 1:
        click.echo("  several   forecast and cohort need one of them: --study or --analyte")
    else:
        tell_familiar(reading.only())


def _facts(reading: Reading) -> list[dict[str, Any]]:
    """Numbers of each study of a table, with the sentence on what the prior draws."""
    return [
        {
            "name": key,
            "compound": study.compound,
            "individuals": len(study),
            "samples": sum(len(one) for one in study),
            "below_limit": sum(int(one.censored.sum()) for one in study),
            "lloq": study.lloq,
            "doses": sum(len(one.single_doses()) for one in study),
            "units": asdict(study.units),
            "familiar": tell_familiar(study),
        }
        for key, study in reading.studies.items()
    ]
