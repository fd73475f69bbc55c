"""``agmpk forecast``: the rest of an individual's curve from its first samples and its study;
``agmpk benchmark``: leave-one-individual-out scores on the 20 compounds, or on any studies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from agmpk import cli
from agmpk.cli import option
from agmpk.errors import AgmpkError
from agmpk.files import check_writable, write_csv

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agmpk.forecasting import Forecaster
    from agmpk.studies import Study, Units

BESIDE = (".faults.csv", ".columns.csv")


@cli.command(
    click.argument("studies", metavar="STUDY...", nargs=-1, required=True, type=cli.FILE),
    option("--target", help="ID of the individual to forecast."),
    option("--leave-one-out", "everybody", is_flag=True,
           help="Forecast every individual from all the others."),
    cli.OBSERVED, cli.TIMES, cli.MODEL,
    option("--samples", default=200, type=cli.SEVERAL, help="Number of sampled curves."),
    cli.SEED,
    option("--out", required=True, type=click.Path(path_type=Path),
           help="CSV file to write (whole or not at all); of several studies with a column STUDY, "
           "or a folder (a name without suffix) that gets a file of each study's name."),
    cli.FORMAT, cli.JSON, *cli.READING,
    epilog="""\b
Examples:
  agmpk forecast data/benchmark/studies/theophylline.csv --leave-one-out --out forecast.csv
  agmpk forecast study.csv --target 7 --observed 3 --times 4:24:1 --out forecast.csv
  agmpk forecast study.csv --leave-one-out --exclude 6 --format nonmem --out forecast.csv
  agmpk forecast studies/*.csv --leave-one-out --skip-unusable --out forecasts/
""",
)  # fmt: skip
def forecast(o: SimpleNamespace) -> None:
    """Forecast individuals of STUDY, a NONMEM-style table, or of several.

    Writes ID, TIME (h), DV (where observed), PRED (exp of the mean of the log samples) and the
    quantiles Q05, Q25, Q50, Q75, Q95. By default the times are those of the samples that the
    model was not shown. The same content gives the same numbers, whatever the file is called. Of
    several studies, one that cannot be used is named, the others are forecast, and the status is 2.
    """
    from agmpk.forecasting import load_forecaster

    studies, out = o.studies, o.out
    if (o.target is None) == (not o.everybody):
        raise AgmpkError("Say whom to forecast: either --target ID or --leave-one-out.")
    times = cli.parse_times(o.times)
    if len(studies) > 1:  # lists that `agmpk check` and others have put beside the tables
        studies = tuple(one for one in studies if not one.name.endswith(BESIDE))
    outs = _outs(studies, out, o.form)
    forecaster = load_forecaster(o.model)
    rows, told, failed = [], [], {}
    for study in cli.progress(studies, "studies", "table") if outs else studies:
        own = outs.get(study, out)
        try:
            frames, units, about = _forecast_study(study, forecaster, times, o)
            if o.form == "nonmem":
                from agmpk.studies.nonmem.write import write_nonmem

                write_nonmem(frames, units, own)
            elif outs or len(studies) == 1:
                write_csv(pd.concat(frames, ignore_index=True), own)
            else:
                rows += [frame.assign(STUDY=study.stem) for frame in frames]
            told.append(about | {"file": study, "out": own})
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
    if o.as_json:
        about = {"model": forecaster.name, "seed": o.seed, "samples": o.samples}
        cli.print_json(about | {"studies": told, "failed": failed})
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
    study: Path, forecaster: Forecaster, times: NDArray[np.float64] | None, o: SimpleNamespace
) -> tuple[list[pd.DataFrame], Units, dict[str, Any]]:
    """The rows of a study, its units, and what was done.

    Raises:
        AgmpkError: it cannot be read, or nobody in it can be forecast.
    """
    from agmpk.evaluation.protocol import cases

    reading = cli.read(study, o.how)
    data = reading.only()
    if o.target is not None:
        data[o.target]  # names the IDs there are, where this is none of them
    # The seed of a case hangs on the compound, which must not be the file's name.
    chosen = cases(data.compound if reading.named else "", data, o.observed)
    chosen = [case for case in chosen if o.target in (None, case.prefix.id)]
    frames: list[pd.DataFrame] = []
    empty, notes, early = [], [], 0
    for case in cli.progress(chosen, study.stem[:20], "individual"):
        shown = case.prefix
        known = shown.times[-1] if len(shown) else shown.doses[0].time
        query = case.times if times is None else times[times > known]
        if not len(query):
            empty.append(shown.id)
            continue
        early += times is not None and len(query) < len(times)
        try:
            answer = forecaster.forecast(case.context, shown, query, o.samples, case.seed(o.seed))
        except AgmpkError as error:
            if o.target is None and o.how["skip_unusable"]:
                click.echo(f"agmpk: individual {shown.id} is left out: {error}", err=True)
                continue
            raise AgmpkError(
                f"{error} --exclude leaves individuals out of the study; --skip-unusable goes on "
                "with the others."
            ) from error
        notes.append(answer.note)
        frame = answer.to_frame()
        seen = data[shown.id].after_dose()
        values = dict(zip(seen.times.tolist(), seen.concentrations.tolist(), strict=True))
        frame.insert(0, "ID", shown.id)
        frame.insert(2, "DV", frame.TIME.map(values))
        if o.form == "nonmem":
            from agmpk.studies.nonmem.write import nonmem_rows

            missing = frame["DV"].isna() * 1
            frame = frame.assign(EVID=0, MDV=missing, CMT=2, SHOWN=0)
            frames.append(nonmem_rows([shown], 1))
        frames.append(frame)
    later = "give --times" if times is None else "give later --times or show fewer"
    if not frames:
        raise AgmpkError(f"Nobody in {study} has a sample left to forecast: {later}.")
    if empty:
        who = ", ".join(empty[:12]) + (" ..." if len(empty) > 12 else "")
        click.echo(
            f"agmpk: {len(empty)} individual(s) ({who}) have nothing left to forecast after "
            f"{o.observed} samples: left out; {later} to forecast them.",
            err=True,
        )
    if early:
        click.echo(
            f"agmpk: Of {early} individual(s) the asked times until the last shown sample (or the "
            "first dose) are left out: only later ones are forecast.",
            err=True,
        )
    cli.tell_notes(forecaster, len(chosen[0].context), notes)
    alone = (chosen[0].context, shown if len(shown) else None)
    familiar = cli.tell_familiar(*((data,) if o.target is None else alone))
    about = {"compound": data.compound, "individuals": len(notes), "familiar": familiar}
    return frames, data.units, about


@cli.command(
    option("--models", default="naive,flow", help="Names, or NAME=FOLDER of one, with commas."),
    option("--cohorts", default="benchmark", type=click.Choice(["benchmark", "development"]),
           help="The 20 compounds, or others."),
    option("--studies", "folder", type=cli.FOLDER,
           help="Instead, all study tables (*.csv) of a folder."),
    option("--compounds", help="Only these compounds (or studies), separated by commas."),
    option("--protocol", default="study", type=click.Choice(["study", "published"]),
           help="Ask all times of the study, or own."),
    option("--observed", default=4, type=cli.COUNT, help="Length of the prefix."),
    option("--samples", default=200, type=cli.SEVERAL),
    cli.SEED, cli.OUT, cli.JSON, *cli.JOBS,
    epilog="""\b
Examples:
  agmpk benchmark --models naive,flow --out results.csv
  agmpk benchmark --models naive,flow,diffusion,aicmet,transformer,node --out results.csv
  agmpk benchmark --models flow,mine=runs/mine/checkpoint --compounds caffeine --out results.csv
  agmpk benchmark --models naive --cohorts development --observed 2 --out results.csv
  agmpk benchmark --models naive,flow --protocol published --out results.csv
  agmpk benchmark --models naive,flow --studies my_studies/ --out results.csv
""",
)  # fmt: skip
def benchmark(o: SimpleNamespace) -> None:
    """Leave each individual out, forecast it with MODELS, and print the table of compounds.

    Writes model, compound, individual, n_target (held-out samples with a value), n_below (those
    below the limit of quantification, which count for coverage only), log_rmse, crps (of ln
    concentration; both given that a value is reported, where a limit is known), covered_90 (share
    of the held-out samples inside the 90 % interval) and failure: why a model could not answer,
    where log_rmse is missing.
    """
    from agmpk import evaluation

    check_writable(o.out)
    forecasters, ours = load_models(o.models), o.folder is None and o.cohorts == "benchmark"
    if o.folder is not None:
        studies = evaluation.studies_in(o.folder)
    else:
        studies = evaluation.benchmark_studies() if ours else evaluation.development_studies()
    question = o.observed, o.samples, o.seed, o.protocol, o.jobs, o.scheduler
    results = evaluation.evaluate(forecasters, choose(studies, o.compounds), *question).results
    write_csv(results, o.out)
    check_answered(results)
    table, strict = evaluation.by_compound(results), evaluation.by_compound(results, strict=True)
    size, model = results.n_target + results.n_below, results.model
    counted = size.where(results.covered_90 >= 0).groupby(model).sum()
    inside = (results.covered_90 * size).groupby(model).sum() / counted
    means = {"log_rmse": table.mean(), "strict": strict.mean(), "covered_90": inside}
    means = pd.DataFrame(means).loc[table.columns]
    if ours:
        table = table.join(evaluation.published_table().add_prefix("published "))
    if o.as_json:
        told = {"models": means.to_dict("index"), "compounds": table.to_dict("index")}
        cli.print_json(told | {"out": o.out})
        return
    click.echo(table.round(3).to_string(na_rep="-"))
    for name, mean in means.iterrows():
        click.echo(
            f"{name}: mean log-RMSE {mean.log_rmse:.3f} over {len(table)} compounds "
            f"(strict {mean.strict:.3f}); 90 % intervals cover {mean.covered_90:.1%}"
        )
        if name != "naive" and "naive" in means.index:
            d = evaluation.paired_difference(results, name, "naive")
            click.echo(
                f"  against naive: {d.mean:+.3f} (95 % interval over people {d.low:+.3f} to "
                f"{d.high:+.3f}), lower for {d.better} of {d.n} individuals"
            )
        rows = results[model == name]
        missing = rows[rows.failure != ""]
        if len(missing):
            click.echo(
                f"agmpk: {name} has no forecast of {len(missing)} of {len(rows)} individuals "
                f"({', '.join(dict.fromkeys(missing.compound))}); its means are over the others, "
                f"and {o.out} says why.",
                err=True,
            )
    click.echo(f"{len(results)} rows -> {o.out}")


def load_models(models: str) -> list[Forecaster]:
    """The forecasters of ``--models``.

    Raises:
        AgmpkError: an unknown model, or two of the same name.
    """
    from agmpk.forecasting import load_forecaster

    found: dict[str, Forecaster] = {}
    for text in models.split(","):
        called, _, source = text.strip().rpartition("=")
        forecaster = load_forecaster(source, called or None)
        if forecaster.name in found:
            raise AgmpkError(
                f"Two models are called {forecaster.name}: name them apart as NAME=FOLDER."
            )
        found[forecaster.name] = forecaster
    return list(found.values())


def choose(studies: Mapping[str, Study], compounds: str | None) -> dict[str, Study]:
    """The studies of ``--compounds``, or all.

    Raises:
        AgmpkError: an unknown compound.
    """
    names = [name.strip() for name in compounds.split(",")] if compounds else list(studies)
    unknown = [name for name in names if name not in studies]
    if unknown:
        raise AgmpkError(
            f"There is no compound {', '.join(unknown)}: use some of {', '.join(studies)}."
        )
    return {name: studies[name] for name in studies if name in names}


def check_answered(results: pd.DataFrame) -> None:
    """Stop where there is nothing to report of a model.

    Raises:
        AgmpkError: it refused every case that has something to predict; with its first reason.
    """
    for _, rows in results[results.n_target > 0].groupby("model", sort=False):
        if (rows.failure != "").all():
            raise AgmpkError(rows.failure.iloc[0])
