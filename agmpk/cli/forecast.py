"""``agmpk forecast``: the rest of an individual's curve from its first samples and its study."""

from __future__ import annotations

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
    SEED,
    TIMES,
    option,
    parse_times,
    print_json,
    progress,
    read,
    reading_options,
    tell_familiar,
    tell_few,
)
from agmpk.errors import AgmpkError

if TYPE_CHECKING:
    from agmpk.forecasting import Forecaster
    from agmpk.studies import Units

BESIDE = (".faults.csv", ".columns.csv")


@click.command(
    epilog="""\b
Examples:
  agmpk forecast data/benchmark/studies/theophylline.csv --leave-one-out --out forecast.csv
  agmpk forecast study.csv --target 7 --observed 3 --times 4:24:1 --out forecast.csv
  agmpk forecast study.csv --leave-one-out --exclude 6 --format nonmem --out forecast.csv
  agmpk forecast studies/*.csv --leave-one-out --skip-unusable --out forecasts/
"""
)
@click.argument(
    "studies",
    metavar="STUDY...",
    nargs=-1,
    required=True,
    type=FILE,
)
@option("--target", help="ID of the individual to forecast.")
@option("--leave-one-out", "everybody", is_flag=True,
        help="Forecast every individual from all the others.")  # fmt: skip
@OBSERVED
@TIMES
@MODEL
@option("--samples", default=200, type=click.IntRange(2), help="Number of sampled curves.")
@SEED
@option(
    "--out", required=True, type=click.Path(path_type=Path),
    help="CSV file to write (whole or not at all); of several studies with a column STUDY, or a "
    "folder (a name without suffix) that gets a file of each study's name.",
)  # fmt: skip
@FORMAT
@JSON
@reading_options
def forecast(
    studies: tuple[Path, ...],
    target: str | None,
    everybody: bool,
    observed: int,
    times: str | None,
    model: str,
    samples: int,
    seed: int,
    out: Path,
    form: str,
    as_json: bool,
    how: dict[str, Any],
) -> None:
    """Forecast individuals of STUDY, a NONMEM-style table, or of several.

    Writes ID, TIME (h), DV (where observed), PRED (exp of the mean of the log samples) and the
    quantiles Q05, Q25, Q50, Q75, Q95. By default the times are those of the samples that the
    model was not shown. The same content gives the same numbers, whatever the file is called. Of
    several studies, one that cannot be used is named, the others are forecast, and the status is 2.
    """
    from agmpk.files import write_csv
    from agmpk.forecasting import load_forecaster

    if (target is None) == (not everybody):
        raise AgmpkError("Say whom to forecast: either --target ID or --leave-one-out.")
    wanted = parse_times(times)
    if len(studies) > 1:  # lists that `agmpk check` and others have put beside the tables
        studies = tuple(one for one in studies if not one.name.endswith(BESIDE))
    outs = _outs(studies, out, form)
    forecaster = load_forecaster(model)
    rows, told, failed = [], [], {}
    for study in progress(studies, "studies", "table") if outs else studies:
        try:
            asked = target, observed, wanted, samples, seed
            frames, units, about = _forecast_study(study, forecaster, asked, form, how)
            if form == "nonmem":
                from agmpk.cli.tables import write_nonmem

                write_nonmem(frames, units, outs.get(study, out))
            elif outs or len(studies) == 1:
                write_csv(pd.concat(frames, ignore_index=True), outs.get(study, out))
            else:
                rows += [frame.assign(STUDY=study.stem) for frame in frames]
            told.append(about | {"file": study, "out": outs.get(study, out)})
        except (AgmpkError, OSError) as error:
            if len(studies) == 1:
                raise
            failed[str(study)] = str(error)
            named = str(error) if str(study) in str(error) else f"{study}: {error}"
            click.echo(f"agmpk: left out: {named}", err=True)
    if rows:
        table = pd.concat(rows, ignore_index=True)
        table.insert(0, "STUDY", table.pop("STUDY"))
        write_csv(table, out)
    done = sum(about["individuals"] for about in told)
    if as_json:
        about = {"model": forecaster.name, "seed": seed, "samples": samples}
        print_json(about | {"studies": told, "failed": failed})
    else:
        of = f" of {len(told)} of {len(studies)} studies" if len(studies) > 1 else ""
        click.echo(f"{done} individual(s){of} forecast with {forecaster.name} -> {out}")
    if failed:
        raise AgmpkError(f"{len(failed)} of {len(studies)} studies are left out: see above.")


def _outs(studies: tuple[Path, ...], out: Path, form: str) -> dict[Path, Path]:
    """The file of each study where ``out`` is a folder, else nothing; all can be written.

    Raises:
        AgmpkError: one cannot be written, or two studies have one name.
    """
    from agmpk.files import check_writable

    folder = out.is_dir() or not out.suffix
    if len(studies) == 1 or not folder:
        check_writable(out, *studies)
        if len(studies) > 1 and form == "nonmem":
            raise AgmpkError("In NONMEM's format each study is a file: name a folder, --out DIR/.")
        return {}
    out.mkdir(parents=True, exist_ok=True)
    outs = {study: out / f"{study.stem}.csv" for study in studies}
    if len({*outs.values()}) < len(studies):
        raise AgmpkError("Two of the studies have one name: forecast them into two folders.")
    for path in outs.values():
        check_writable(path, *studies)
    return outs


def _forecast_study(
    study: Path, forecaster: Forecaster, asked: tuple, form: str, how: dict[str, Any]
) -> tuple[list[pd.DataFrame], Units, dict[str, Any]]:
    """The rows of a study, its units, and what was done.

    Raises:
        AgmpkError: it cannot be read, or nobody in it can be forecast.
    """
    from agmpk.evaluation.protocol import cases

    target, observed, wanted, samples, seed = asked
    reading = read(study, how)
    data = reading.only()
    if target is not None:
        data[target]  # names the IDs there are, where this is none of them
    # The seed of a case hangs on the compound, which must not be the file's name.
    chosen = cases(data.compound if reading.named else "", data, observed)
    chosen = [case for case in chosen if target in (None, case.prefix.id)]
    frames: list[pd.DataFrame] = []
    empty, noted, early, done = [], [], 0, 0
    for case in progress(chosen, study.stem[:20], "individual"):
        shown = case.prefix
        known = shown.times[-1] if len(shown) else shown.doses[0].time
        query = case.times if wanted is None else wanted[wanted > known]
        if not len(query):
            empty.append(shown.id)
            continue
        early += wanted is not None and len(query) < len(wanted)
        try:
            answer = forecaster.forecast(case.context, shown, query, samples, case.seed(seed))
        except AgmpkError as error:
            if target is None and how["skip_unusable"]:
                click.echo(f"agmpk: individual {shown.id} is left out: {error}", err=True)
                continue
            raise AgmpkError(
                f"{error} --exclude leaves individuals out of the study; --skip-unusable goes on "
                "with the others."
            ) from error
        noted += [answer.note] if answer.note else []
        frame = answer.to_frame()
        seen = data[shown.id].after_dose()
        values = dict(zip(seen.times.tolist(), seen.concentrations.tolist(), strict=True))
        frame.insert(0, "ID", shown.id)
        frame.insert(2, "DV", frame.TIME.map(values))
        if form == "nonmem":
            from agmpk.cli.tables import forecast_rows, nonmem_rows

            frames += [nonmem_rows([shown], 1), forecast_rows(frame)]
        else:
            frames.append(frame)
        done += 1
    later = "give --times" if wanted is None else "give later --times or show fewer"
    if not frames:
        raise AgmpkError(f"Nobody in {study} has a sample left to forecast: {later}.")
    if empty:
        who = ", ".join(empty[:12]) + (" ..." if len(empty) > 12 else "")
        click.echo(
            f"agmpk: {len(empty)} individual(s) ({who}) have nothing left to forecast after "
            f"{observed} samples: left out; {later} to forecast them.",
            err=True,
        )
    if early:
        click.echo(
            f"agmpk: Of {early} individual(s) the asked times until the last shown sample (or the "
            "first dose) are left out: only later ones are forecast.",
            err=True,
        )
    if noted:
        others = f" (and {len(noted) - 1} more)" if len(noted) > 1 else ""
        click.echo(f"agmpk: {noted[0]}{others}", err=True)
    tell_few(forecaster, len(chosen[0].context))
    if target is None:
        familiar = tell_familiar(data)
    else:
        familiar = tell_familiar(chosen[0].context, shown if len(shown) else None)
    about = {"compound": data.compound, "individuals": done, "familiar": familiar}
    return frames, data.units, about
