"""``agmpk whatif``: an individual's future under other plans of doses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pandas as pd

from agmpk.cli import (
    FILE,
    JSON,
    MODEL,
    OBSERVED,
    OUT,
    SEED,
    STUDY,
    option,
    print_json,
    read,
    reading_options,
    tell_familiar,
    tell_few,
)
from agmpk.errors import AgmpkError


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
    from agmpk.files import atomic_path, check_writable, write_csv
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
