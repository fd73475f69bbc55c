"""``agmpk forecast``: the rest of an individual's curve from its first samples and its study."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from agmpk.cli.options import (
    FORMAT,
    JSON,
    MODEL,
    SEED,
    TIMES,
    check_out,
    parse_times,
    print_json,
    read,
    reading_options,
    tell_familiar,
)
from agmpk.errors import AgmpkError

if TYPE_CHECKING:
    from agmpk.evaluation.protocol import Case
    from agmpk.forecasting import Forecaster


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
    "studies", metavar="STUDY...", nargs=-1, required=True,
    type=click.Path(dir_okay=False, path_type=Path),
)
@click.option("--target", help="ID of the individual to forecast.")
@click.option(
    "--leave-one-out",
    "everybody",
    is_flag=True,
    help="Forecast every individual from all the others.",
)
@click.option(
    "--observed",
    default=4,
    show_default=True,
    type=click.IntRange(0),
    help="How many first positive samples of the target are shown to the model.",
)
@TIMES
@MODEL
@click.option(
    "--samples",
    default=200,
    show_default=True,
    type=click.IntRange(2),
    help="Number of sampled curves.",
)
@SEED
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="CSV file to write (whole or not at all); of several studies with a column STUDY, or a "
    "folder (a name without suffix) that gets a file of each study's name.",
)
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
    ask = _Ask(forecaster, target, observed, wanted, samples, seed, form)
    rows, told, failed = [], [], {}
    for study in tqdm(studies, desc="studies", unit="study", disable=None if outs else True):
        try:
            frames, about = _forecast_study(study, ask, how)
            if form == "nonmem":
                from agmpk.cli.tables import write_nonmem

                write_nonmem(frames, about.pop("units"), outs.get(study, out))
            elif outs or len(studies) == 1:
                write_csv(pd.concat(frames, ignore_index=True), outs.get(study, out))
            else:
                rows += [frame.assign(STUDY=study.stem) for frame in frames]
        except (AgmpkError, OSError) as error:
            if len(studies) == 1:
                raise
            failed[str(study)] = str(error)
            named = str(error) if str(study) in str(error) else f"{study}: {error}"
            click.echo(f"agmpk: left out: {named}", err=True)
        else:
            about.pop("units", None)
            told.append(about | {"file": study, "out": outs.get(study, out)})
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


@dataclass(frozen=True)
class _Ask:
    """What is asked of every study."""

    forecaster: Forecaster
    target: str | None
    observed: int
    wanted: NDArray[np.float64] | None
    samples: int
    seed: int
    form: str


def _outs(studies: tuple[Path, ...], out: Path, form: str) -> dict[Path, Path]:
    """The file of each study where ``out`` is a folder, else nothing; all can be written.

    Raises:
        AgmpkError: one cannot be written, or two studies have one name.
    """
    folder = out.is_dir() or not out.suffix
    if len(studies) == 1 or not folder:
        check_out(out, *studies)
        if len(studies) > 1 and form == "nonmem":
            raise AgmpkError("In NONMEM's format each study is a file: name a folder, --out DIR/.")
        return {}
    out.mkdir(parents=True, exist_ok=True)
    outs = {study: out / f"{study.stem}.csv" for study in studies}
    if len({*outs.values()}) < len(studies):
        raise AgmpkError("Two of the studies have one name: forecast them into two folders.")
    for path in outs.values():
        check_out(path, *studies)
    return outs


def _forecast_study(
    study: Path, ask: _Ask, how: dict[str, Any]
) -> tuple[list[pd.DataFrame], dict[str, Any]]:
    """The rows of a study, and what was done.

    Raises:
        AgmpkError: it cannot be read, or nobody in it can be forecast.
    """
    from agmpk.evaluation.protocol import cases

    reading = read(study, how)
    data = reading.only()
    everybody = ask.target is None
    if not everybody:
        data[ask.target]  # names the IDs there are, where this is none of them
    chosen = [
        case
        # The seed of a case hangs on the compound, which must not be the file's name.
        for case in cases(data.compound if reading.named else "", data, ask.observed)
        if everybody or case.prefix.id == ask.target
    ]
    frames: list[pd.DataFrame] = []
    done = 0
    later = "give --times" if ask.wanted is None else "give later --times or show fewer"
    for case in tqdm(chosen, desc=study.stem[:20], unit="individual", disable=None):
        query = _query(case, ask.wanted)
        if not len(query):
            click.echo(
                f"agmpk: individual {case.prefix.id} has nothing left to forecast after "
                f"{ask.observed} samples: left out; {later} to forecast it.",
                err=True,
            )
            continue
        question = case.context, case.prefix, query, ask.samples, case.seed(ask.seed)
        try:
            answer = ask.forecaster.forecast(*question)
        except AgmpkError as error:
            if everybody and how["skip_unusable"]:
                click.echo(f"agmpk: individual {case.prefix.id} is left out: {error}", err=True)
                continue
            raise AgmpkError(
                f"{error} --exclude leaves individuals out of the study; --skip-unusable goes on "
                "with the others."
            ) from error
        frame = answer.to_frame()
        seen = data[case.prefix.id].after_dose()
        values = dict(zip(seen.times.tolist(), seen.concentrations.tolist(), strict=True))
        frame.insert(0, "ID", case.prefix.id)
        frame.insert(2, "DV", frame.TIME.map(values))
        if ask.form == "nonmem":
            from agmpk.cli.tables import dose_rows, forecast_rows, sample_rows

            frames += [dose_rows(case.prefix), sample_rows(case.prefix, 1), forecast_rows(frame)]
        else:
            frames.append(frame)
        done += 1
    if not frames:
        raise AgmpkError(f"Nobody in {study} has a sample left to forecast: {later}.")
    if everybody:
        familiar = tell_familiar(data)
    else:
        prefix = chosen[0].prefix
        familiar = tell_familiar(chosen[0].context, prefix if len(prefix) else None)
    about = {"compound": data.compound, "individuals": done, "familiar": familiar}
    return frames, about | {"units": data.units}


def _query(case: Case, wanted: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """The times to forecast: of those asked for, the ones after the dose and the last sample."""
    if wanted is None:
        return case.times
    known = case.prefix.times[-1] if len(case.prefix) else case.prefix.doses[0].time
    return wanted[wanted > known]
