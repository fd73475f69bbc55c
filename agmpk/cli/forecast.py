"""``agmpk forecast``: the rest of an individual's curve from its first samples and its study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from agmpk.cli.options import (
    FORMAT,
    MODEL,
    OUT,
    SEED,
    STUDY,
    TIMES,
    check_out,
    parse_times,
    read,
    reading_options,
    tell_familiar,
)
from agmpk.errors import AgmpkError

if TYPE_CHECKING:
    from agmpk.evaluation.protocol import Case


@click.command(
    epilog="""\b
Examples:
  agmpk forecast data/benchmark/studies/theophylline.csv --leave-one-out --out forecast.csv
  agmpk forecast study.csv --target 7 --observed 3 --times 4:24:1 --out forecast.csv
  agmpk forecast study.csv --leave-one-out --exclude 6 --format nonmem --out forecast.csv
"""
)
@STUDY
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
@OUT
@FORMAT
@reading_options
def forecast(
    study: Path,
    target: str | None,
    everybody: bool,
    observed: int,
    times: str | None,
    model: str,
    samples: int,
    seed: int,
    out: Path,
    form: str,
    how: dict[str, Any],
) -> None:
    """Forecast individuals of STUDY, a NONMEM-style table.

    Writes ID, TIME (h), DV (where observed), PRED (exp of the mean of the log samples) and the
    quantiles Q05, Q25, Q50, Q75, Q95. By default the times are those of the samples that the
    model was not shown. The same content gives the same numbers, whatever the file is called.
    """
    from agmpk.evaluation.protocol import cases
    from agmpk.files import write_csv
    from agmpk.forecasting import load_forecaster

    if (target is None) == (not everybody):
        raise AgmpkError("Say whom to forecast: either --target ID or --leave-one-out.")
    wanted = parse_times(times)
    check_out(out, study)
    reading = read(study, how)
    data = reading.only()
    if target is not None:
        data[target]  # names the IDs there are, where this is none of them
    forecaster = load_forecaster(model)
    chosen = [
        case
        # The seed of a case hangs on the compound, which must not be the file's name.
        for case in cases(data.compound if reading.named else "", data, observed)
        if everybody or case.prefix.id == target
    ]
    frames: list[pd.DataFrame] = []
    done = 0
    for case in tqdm(chosen, desc="forecast", unit="individual", disable=None):
        query = _query(case, wanted)
        if not len(query):
            click.echo(
                f"agmpk: individual {case.prefix.id} has nothing left to forecast after "
                f"{observed} samples: left out; give --times to forecast it.",
                err=True,
            )
            continue
        try:
            answer = forecaster.forecast(case.context, case.prefix, query, samples, case.seed(seed))
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
        if form == "nonmem":
            from agmpk.cli.tables import dose_rows, forecast_rows, sample_rows

            frames += [dose_rows(case.prefix), sample_rows(case.prefix, 1), forecast_rows(frame)]
        else:
            frames.append(frame)
        done += 1
    if frames and everybody:
        tell_familiar(data)
    elif frames:
        tell_familiar(chosen[0].context, chosen[0].prefix if len(chosen[0].prefix) else None)
    if not frames:
        raise AgmpkError(f"Nobody in {study} has a sample left to forecast: give --times.")
    if form == "nonmem":
        from agmpk.cli.tables import write_nonmem

        write_nonmem(frames, data.units, out)
    else:
        write_csv(pd.concat(frames, ignore_index=True), out)
    click.echo(f"{done} individual(s) forecast with {forecaster.name} -> {out}")


def _query(case: Case, wanted: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """The times to forecast: of those asked for, the ones after the dose and the last sample."""
    if wanted is None:
        return case.times
    known = case.prefix.times[-1] if len(case.prefix) else case.prefix.doses[0].time
    return wanted[wanted > known]
