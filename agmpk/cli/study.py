"""Commands on a study of one's own: ``agmpk check``, ``cohort``, ``whatif``, ``report``."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from agmpk import cli
from agmpk.cli import option
from agmpk.errors import AgmpkError
from agmpk.files import atomic_path, check_writable, write_csv
from agmpk.studies import Dose, Study
from agmpk.studies.nonmem.write import nonmem_rows, write_nonmem
from agmpk.studies.study import ROUTES

if TYPE_CHECKING:
    from agmpk.studies import Reading


@cli.command(
    cli.STUDY,
    cli.JSON,
    *cli.READING,
    epilog="""\b
Examples:
  agmpk check study.csv
  agmpk check study.csv --columns TIME=time_h,DV=conc --lloq 0.1
  agmpk check crossover.csv --occasion split --exclude 7,12
""",
)
def check(o: SimpleNamespace) -> None:
    """Read STUDY, a NONMEM-style table, and say what it holds and how it was read.

    Prints individuals, samples, limits, doses, units, the columns used and not used, and whatever
    was assumed or left out; then, on stderr, whether a study like it is among those that the prior
    draws. Ends with status 2 and the faults where the table cannot be used.
    """
    reading = cli.read(o.study, o.how, quiet=True)
    if o.as_json:
        about = {name: getattr(reading, name) for name in ("used", "unused", "notes", "skipped")}
        cli.print_json({"file": o.study, "studies": _facts(reading)} | about)
        return
    click.echo(reading.describe())
    if len(reading.studies) > 1:
        click.echo("  several   forecast and cohort need one of them: --study or --analyte")
    else:
        cli.tell_familiar(reading.only())


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
            "familiar": cli.tell_familiar(study),
        }
        for key, study in reading.studies.items()
    ]


@cli.command(
    cli.STUDY,
    option("-n", "number", default=100, type=cli.POSITIVE, help="Number of virtual individuals."),
    cli.TIMES,
    option("--dose", "amount", type=float, help="What if: another amount, in the study's unit."),
    option("--dose-route", "route", type=click.Choice(ROUTES), help="What if: another route."),
    option("--duration", type=float, help="What if: another duration of the infusion (h)."),
    option("--doses", type=cli.POSITIVE, help="What if: so many doses, with --every."),
    option("--every", type=float, help="What if: hours between the doses, with --doses."),
    cli.MODEL, cli.SEED, cli.OUT, cli.FORMAT, *cli.READING,
    epilog="""\b
Examples:
  agmpk cohort data/benchmark/studies/caffeine.csv -n 100 --out cohort.csv
  agmpk cohort study.csv -n 500 --times 0.5:24:0.5 --model naive --seed 7 --out cohort.csv
  agmpk cohort study.csv --dose 200 --out double.csv
""",
)  # fmt: skip
def cohort(o: SimpleNamespace) -> None:
    """Generate virtual individuals given all individuals of STUDY, a NONMEM-style table.

    Writes ID, TIME (h) and DV; by default each gets the doses of one of the study's individuals,
    drawn with replacement, and the sampling times of those with the same schedule. Where first
    doses are given at different times, TIME counts from each one's first dose. A what-if dose
    changes the first dose of the study's first individual and is given to all; for other plans see
    agmpk whatif.
    """
    from agmpk.forecasting import generate, load_forecaster

    wanted = cli.parse_times(o.times)
    check_writable(o.out, o.study)
    data = cli.read(o.study, o.how).only()
    names = ("amount", "route", "duration", "doses", "every")
    dose = what_if(data, **{name: getattr(o, name) for name in names})
    forecaster, notes = load_forecaster(o.model), []

    def forecast(*question: Any) -> Any:
        found = forecaster.forecast(*question)
        notes.append(found.note)
        return found

    noting = SimpleNamespace(forecast=forecast)
    virtual = generate(noting, data, o.number, wanted, dose, o.seed)
    cli.tell_notes(forecaster, len(data), notes)
    cli.tell_familiar(data)
    if o.form == "nonmem":
        rows = nonmem_rows(virtual, 0).drop(columns=["SHOWN", "CENS"])
        write_nonmem([rows], data.units, o.out)
    else:
        columns = ({"ID": v.id, "TIME": v.times, "DV": v.concentrations} for v in virtual)
        write_csv(pd.concat(map(pd.DataFrame, columns), ignore_index=True), o.out)
    click.echo(f"{o.number} virtual individual(s) of {data.compound} with {o.model} -> {o.out}")


def what_if(study: Study, doses=None, every=None, **changes: Any) -> Dose | None:
    """The first dose of the study's first individual with the changes asked for (amount, route,
    duration; so many ``doses``, ``every`` so many hours); None if none.

    It is given where the cohort counts from: see ``first_dose_time``.

    Raises:
        AgmpkError: the study is empty, its first dose is a steady state, or the changes do not make
            a dose.
    """
    from agmpk.forecasting.cohort import first_dose_time

    changes = {name: value for name, value in changes.items() if value is not None}
    if (doses is None) != (every is None):
        raise AgmpkError("--doses and --every go together: so many doses, so many hours apart.")
    if doses is not None:
        changes |= {"additional": doses - 1, "interval": every if doses > 1 else 0.0}
    if not changes:
        return None
    if not len(study):
        raise AgmpkError(f"The study of {study.compound} has no individual to generate from.")
    first = study.individuals[0].doses[0]
    if first.time < 0 and first.additional:
        raise AgmpkError(
            f"The first dose of {study.individuals[0].id} is a steady state, written out from "
            f"{first.time:g} h on: say what is given instead in a table, agmpk whatif --plans."
        )
    if changes.get("route", "iv_infusion") != "iv_infusion":
        changes.setdefault("duration", 0.0)
    return replace(first, time=first_dose_time(study), **changes)


@cli.command(
    cli.STUDY,
    option("--target", help="ID of the individual; without it (and 0 observed) somebody new."),
    cli.OBSERVED,
    option("--plans", required=True, type=cli.FILE, help="Table of the doses that might follow."),
    option("--window", metavar="LOW:HIGH", help="Concentrations to stay in (the study's unit)."),
    option("--until", type=float, metavar="HOURS", help="End of the last interval of each plan."),
    cli.MODEL,
    option("--samples", default=400, type=cli.SEVERAL, help="Number of curves."),
    cli.SEED, cli.OUT,
    option("--figure", type=cli.FILE, help="Picture to draw: one panel a plan (png, pdf, svg)."),
    cli.JSON, *cli.READING,
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
""",
)  # fmt: skip
def whatif(o: SimpleNamespace) -> None:
    """Draw the future of an individual of STUDY under each plan of doses.

    Doses until the last shown sample are past; later ones are those of the plan. Writes one row a
    plan and interval between doses: trough (at its end), Cmax and AUC with their medians and 5 and
    95 % quantiles; with a window also the hours inside, and the probabilities that the trough and
    that all of the interval lie in it. It is research and no basis for dosing.
    """
    from agmpk.forecasting import load_forecaster, read_plans
    from agmpk.forecasting.plans import NOTICE
    from agmpk.forecasting.plans import whatif as ask

    out, figure, target = o.out, o.figure, o.target
    bounds = _window(o.window)
    check_writable(out, o.study, o.plans)
    if figure is not None:
        if figure.suffix.lower() not in (".png", ".pdf", ".svg"):
            end = "name a file that ends with .png, .pdf or .svg."
            raise AgmpkError(f"--figure {figure} is no picture: {end}")
        check_writable(figure, o.study, o.plans, out)
    data = cli.read(o.study, o.how).only()
    if target is not None:
        data[target]  # names the IDs there are, where this is none of them
    elif o.observed:
        raise AgmpkError("Say whose future: --target ID, or --observed 0 for somebody new.")
    wanted = read_plans(o.plans, data)
    forecaster = load_forecaster(o.model)
    question = data, target, o.observed, wanted, bounds, o.samples, o.seed, o.until
    answer = ask(forecaster, *question)
    context = data if target is None else data.without(target)
    shown = len(answer.target)
    for note in dict.fromkeys(found.note for found in answer.forecasts.values() if found.note):
        click.echo(f"agmpk: {note}", err=True)
    cli.tell_notes(forecaster, len(context))
    familiar = cli.tell_familiar(context, answer.target if shown else None)
    write_csv(answer.table, out)
    if figure is not None:
        with atomic_path(figure) as temporary:
            answer.figure().savefig(temporary, dpi=150)
    if o.as_json:
        about = {"model": forecaster.name, "target": target, "shown": shown, "seed": o.seed}
        about |= {"familiar": familiar, "notice": NOTICE, "out": out}
        cli.print_json(about | {"intervals": answer.table.to_dict("records")})
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
    told = ("TROUGH", "trough", unit), ("CMAX", "Cmax", unit), ("AUC", "AUC", f"{unit} h")
    for name, label, of in told:
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


@cli.command(
    cli.STUDY,
    option("--out", type=cli.FILE, help="HTML file to write.  [default: STUDY.html, here]"),
    option("--observed", default=4, type=cli.COUNT, help="Samples shown."),
    option("--samples", "n_samples", default=200, type=click.IntRange(20),
           help="Curves a forecast."),
    option("--fitted", default=12, type=cli.COUNT, help="Largest study that NLME is fitted to."),
    click.option("--target", default="", help="Whose doses are changed in the what-if."),
    option("--every", default=24.0, help="Hours between those doses."),
    cli.MODEL, cli.SEED, *cli.READING,
    epilog="""\b
Examples:
  agmpk report study.csv --out report.html
  agmpk report data/benchmark/studies/theophylline.csv --observed 2 --out theophylline.html
  agmpk report study.csv --lloq 0.5 --fitted 0 --out report.html
""",
)  # fmt: skip
def report(o: SimpleNamespace) -> None:
    """Execute notebooks/your-study.ipynb on STUDY, a NONMEM-style table, and write one HTML file.

    It holds how the file was read, whether the prior draws such studies, the forecast of everybody
    from the others with errors and coverage, a virtual cohort with its checks, noncompartmental
    analysis, what-if doses, and what it was made with. It needs no other file and no network.
    """
    out = o.out or Path(f"{o.study.stem}.html")
    check_writable(out, o.study)
    data = cli.read(o.study, o.how).only()
    if o.target:
        data[o.target]  # names the IDs there are, where this is none of them
    from agmpk.book.study_report import write_report

    names = ("observed", "n_samples", "fitted", "target", "every", "model", "seed")
    write_report(o.study, out, {"options": o.how} | {name: getattr(o, name) for name in names})
    click.echo(f"report on {len(data)} individual(s) of {data.compound} -> {out}")
