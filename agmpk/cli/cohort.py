"""``agmpk cohort``: virtual individuals of a study."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pandas as pd

from agmpk.cli import (
    FORMAT,
    MODEL,
    OUT,
    SEED,
    STUDY,
    TIMES,
    option,
    parse_times,
    read,
    reading_options,
    tell_familiar,
    tell_few,
)
from agmpk.errors import AgmpkError
from agmpk.studies import Dose, Study
from agmpk.studies.study import ROUTES


@click.command(
    epilog="""\b
Examples:
  agmpk cohort data/benchmark/studies/caffeine.csv -n 100 --out cohort.csv
  agmpk cohort study.csv -n 500 --times 0.5:24:0.5 --model naive --seed 7 --out cohort.csv
  agmpk cohort study.csv --dose 200 --out double.csv
"""
)
@STUDY
@option("-n", "number", default=100, type=click.IntRange(1), help="Number of virtual individuals.")
@TIMES
@option("--dose", "amount", type=float, help="What if: another amount, in the study's unit.")
@option("--dose-route", type=click.Choice(ROUTES), help="What if: another route.")
@option("--duration", type=float, help="What if: another duration of the infusion (h).")
@option("--doses", type=click.IntRange(1), help="What if: so many doses, with --every.")
@option("--every", type=float, help="What if: hours between the doses, with --doses.")
@MODEL
@SEED
@OUT
@FORMAT
@reading_options
def cohort(
    study: Path,
    number: int,
    times: str | None,
    amount: float | None,
    dose_route: str | None,
    duration: float | None,
    doses: int | None,
    every: float | None,
    model: str,
    seed: int,
    out: Path,
    form: str,
    how: dict[str, Any],
) -> None:
    """Generate virtual individuals given all individuals of STUDY, a NONMEM-style table.

    Writes ID, TIME (h) and DV; by default each gets the doses of one of the study's individuals,
    drawn with replacement, and the sampling times of those with the same schedule. Where first
    doses are given at different times, TIME counts from each one's first dose. A what-if dose
    changes the first dose of the study's first individual and is given to all; for other plans see
    agmpk whatif.
    """
    from agmpk.cli.tables import virtual_rows, write_nonmem
    from agmpk.files import check_writable, write_csv
    from agmpk.forecasting import generate, load_forecaster

    wanted = parse_times(times)
    check_writable(out, study)
    data = read(study, how).only()
    dose = what_if(data, amount, dose_route, duration, doses, every)
    forecaster = load_forecaster(model)
    virtual = generate(forecaster, data, number, wanted, dose, seed)
    tell_few(forecaster, len(data))
    tell_familiar(data)
    if form == "nonmem":
        write_nonmem([virtual_rows(virtual)], data.units, out)
    else:
        columns = ({"ID": o.id, "TIME": o.times, "DV": o.concentrations} for o in virtual)
        write_csv(pd.concat(map(pd.DataFrame, columns), ignore_index=True), out)
    click.echo(f"{number} virtual individual(s) of {data.compound} with {model} -> {out}")


def what_if(
    study: Study,
    amount: float | None,
    route: str | None,
    duration: float | None,
    doses: int | None,
    every: float | None,
) -> Dose | None:
    """The first dose of the study's first individual with the changes asked for; None if none.

    Raises:
        AgmpkError: the study is empty, or the changes do not make a dose.
    """
    changes: dict[str, object] = {"amount": amount, "route": route, "duration": duration}
    changes = {name: value for name, value in changes.items() if value is not None}
    if (doses is None) != (every is None):
        raise AgmpkError("--doses and --every go together: so many doses, so many hours apart.")
    if doses is not None:
        changes |= {"additional": doses - 1, "interval": every if doses > 1 else 0.0}
    if not changes:
        return None
    if not len(study):
        raise AgmpkError(f"The study of {study.compound} has no individual to generate from.")
    if route is not None and route != "iv_infusion":
        changes.setdefault("duration", 0.0)
    return replace(study.individuals[0].doses[0], **changes)
