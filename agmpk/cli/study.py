"""Commands on a study of one's own: ``agmpk check``, ``cohort``, ``whatif``, ``report``."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from agmpk.cli import (
    FILE,
    FORMAT,
    JSON,
    MODEL,
    OBSERVED,
    OUT,
    SEED,
    STUDY,
    TIMES,
    option,
    parse_times,
    print_json,
    read,
    reading_options,
    tell_familiar,
    tell_few,
)
from agmpk.errors import AgmpkError
from agmpk.files import atomic_path, check_writable, write_csv
from agmpk.studies import Dose, Study
from agmpk.studies.study import ROUTES

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
    from agmpk.cli.tables import nonmem_rows, write_nonmem
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
        rows = nonmem_rows(virtual, 0).drop(columns=["SHOWN", "CENS"])
        write_nonmem([rows], data.units, out)
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


@click.command(
    epilog="""\b
A table of plans has the columns PLAN, TIME (h) and AMT, and where they apply ROUTE, DUR or RATE,
ADDL and II, as in a study:
\b
  PLAN,TIME,AMT,ADDL,II
  as before,48,100,3,12
  half,48,50,3,12
\b
Examples:
  agmpk whatif study.csv --target 7 --observed 3 --plans plans.csv --window 10:20 --out plans_7.csv
  agmpk whatif study.csv --target 7 --plans plans.csv --figure plans_7.png --out plans_7.csv
  agmpk whatif study.csv --observed 0 --plans by_another_route.csv --out virtual.csv
"""
)
@STUDY
@option("--target", help="ID of the individual; without it (and 0 observed) somebody new.")
@OBSERVED
@option("--plans", required=True, type=FILE, help="Table of the doses that might follow.")
@option("--window", metavar="LOW:HIGH", help="Concentrations to stay in (the study's unit).")
@option("--until", type=float, metavar="HOURS", help="End of the last interval of each plan.")
@MODEL
@option("--samples", default=400, type=click.IntRange(2), help="Number of curves.")
@SEED
@OUT
@option("--figure", type=FILE, help="Picture to draw: one panel a plan (png, pdf, svg).")
@JSON
@reading_options
def whatif(
    study: Path,
    target: str | None,
    observed: int,
    plans: Path,
    window: str | None,
    until: float | None,
    model: str,
    samples: int,
    seed: int,
    out: Path,
    figure: Path | None,
    as_json: bool,
    how: dict[str, Any],
) -> None:
    """Draw the future of an individual of STUDY under each plan of doses.

    Doses until the last shown sample are past; later ones are those of the plan. Writes one row a
    plan and interval between doses: trough (at its end), Cmax and AUC with their medians and 5 and
    95 % quantiles; with a window also the hours inside, and the probabilities that the trough and
    that all of the interval lie in it. It is research and no basis for dosing.
    """
    from agmpk.forecasting import load_forecaster, read_plans
    from agmpk.forecasting.plans import NOTICE
    from agmpk.forecasting.plans import whatif as ask

    bounds = _window(window)
    check_writable(out, study, plans)
    if figure is not None:
        if figure.suffix.lower() not in (".png", ".pdf", ".svg"):
            end = "name a file that ends with .png, .pdf or .svg."
            raise AgmpkError(f"--figure {figure} is no picture: {end}")
        check_writable(figure, study, plans, out)
    data = read(study, how).only()
    if target is not None:
        data[target]  # names the IDs there are, where this is none of them
    elif observed:
        raise AgmpkError("Say whose future: --target ID, or --observed 0 for somebody new.")
    wanted = read_plans(plans, data)
    forecaster = load_forecaster(model)
    answer = ask(forecaster, data, target, observed, wanted, bounds, samples, seed, until)
    context = data if target is None else data.without(target)
    shown = len(answer.target)
    for note in dict.fromkeys(found.note for found in answer.forecasts.values() if found.note):
        click.echo(f"agmpk: {note}", err=True)
    tell_few(forecaster, len(context))
    familiar = tell_familiar(context, answer.target if shown else None)
    write_csv(answer.table, out)
    if figure is not None:
        with atomic_path(figure) as temporary:
            answer.figure().savefig(temporary, dpi=150)
    if as_json:
        about = {"model": forecaster.name, "target": target, "shown": shown, "seed": seed}
        about |= {"familiar": familiar, "notice": NOTICE, "out": out}
        print_json(about | {"intervals": answer.table.to_dict("records")})
        return
    last = answer.table.groupby("PLAN", sort=False).tail(1)
    for row in last.to_dict("records"):
        click.echo(_sentence(row, data.units.concentration))
    click.echo(
        f"{len(answer.forecasts)} plan(s) for {target or 'somebody new'} after {shown} sample(s) "
        f"with {forecaster.name} -> {', '.join(str(p) for p in (out, figure) if p)}"
    )
    click.echo(NOTICE)


def _sentence(row: dict[str, Any], unit: str) -> str:
    """What the last interval of a plan holds."""
    text = f"{row['PLAN']}: from {row['START']:g} to {row['END']:g} h"
    for name, label, of in (
        ("TROUGH", "trough", unit),
        ("CMAX", "Cmax", unit),
        ("AUC", "AUC", f"{unit} h"),
    ):
        low, high = row[f"{name}_Q05"], row[f"{name}_Q95"]
        text += f", {label} {row[name]:.3g} ({low:.3g} to {high:.3g}) {of}"
    if pd.notna(row.get("P_TROUGH")):
        text += (
            f"; in the window for {row['HOURS']:.3g} h, trough {row['P_TROUGH']:.0%}, "
            f"throughout {row['P_ALL']:.0%}"
        )
    return text


def _window(text: str | None) -> tuple[float, float] | None:
    """(low, high) of ``10:20``; None stays None."""
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        raise AgmpkError(
            f"--window {text[:40]!r} cannot be read: write two concentrations as 10:20."
        ) from None
    return low, high


@click.command(
    epilog="""\b
Examples:
  agmpk report study.csv --out report.html
  agmpk report data/benchmark/studies/theophylline.csv --observed 2 --out theophylline.html
  agmpk report study.csv --lloq 0.5 --fitted 0 --out report.html
"""
)
@STUDY
@option("--out", type=FILE, help="HTML file to write.  [default: STUDY.html, here]")
@option("--observed", default=4, type=click.IntRange(0), help="Samples shown.")
@option("--samples", default=200, type=click.IntRange(20), help="Curves a forecast.")
@option(
    "--fitted", default=12, type=click.IntRange(0), help="Largest study that NLME is fitted to."
)
@click.option("--target", default="", help="Whose doses are changed in the what-if.")
@option("--every", default=24.0, help="Hours between those doses.")
@MODEL
@SEED
@reading_options
def report(
    study: Path,
    out: Path | None,
    observed: int,
    samples: int,
    fitted: int,
    target: str,
    every: float,
    model: str,
    seed: int,
    how: dict[str, Any],
) -> None:
    """Execute notebooks/your-study.ipynb on STUDY, a NONMEM-style table, and write one HTML file.

    It holds how the file was read, whether the prior draws such studies, the forecast of everybody
    from the others with errors and coverage, a virtual cohort with its checks, noncompartmental
    analysis, what-if doses, and what it was made with. It needs no other file and no network.
    """
    out = out or Path(f"{study.stem}.html")
    check_writable(out, study)
    data = read(study, how).only()
    if target:
        data[target]  # names the IDs there are, where this is none of them
    from agmpk.book.study_report import write_report

    parameters = {"options": how, "observed": observed, "n_samples": samples}
    parameters |= {"fitted": fitted, "target": target, "every": every, "model": model}
    write_report(study, out, parameters | {"seed": seed})
    click.echo(f"report on {len(data)} individual(s) of {data.compound} -> {out}")
