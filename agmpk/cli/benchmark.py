"""``agmpk benchmark``: leave-one-individual-out scores on the 20 compounds, or on any studies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pandas as pd

from agmpk.cli import FOLDER, JSON, OUT, SEED, jobs_options, option, print_json
from agmpk.errors import AgmpkError

if TYPE_CHECKING:
    from agmpk.forecasting import Forecaster
    from agmpk.studies import Study


COHORTS = click.Choice(["benchmark", "development"])
PROTOCOLS = click.Choice(["study", "published"])


@click.command(
    epilog="""\b
Examples:
  agmpk benchmark --models naive,flow --out results.csv
  agmpk benchmark --models naive,flow,diffusion,aicmet,transformer,node --out results.csv
  agmpk benchmark --models flow,mine=runs/mine/checkpoint --compounds caffeine --out results.csv
  agmpk benchmark --models naive --cohorts development --observed 2 --out results.csv
  agmpk benchmark --models naive,flow --protocol published --out results.csv
  agmpk benchmark --models naive,flow --studies my_studies/ --out results.csv
"""
)
@option("--models", default="naive,flow", help="Names, or NAME=FOLDER of one, with commas.")
@option("--cohorts", default="benchmark", type=COHORTS, help="The 20 compounds, or others.")
@option("--studies", "folder", type=FOLDER, help="Instead, all study tables (*.csv) of a folder.")
@option("--compounds", help="Only these compounds (or studies), separated by commas.")
@option("--protocol", default="study", type=PROTOCOLS, help="Ask all times of the study, or own.")
@option("--observed", default=4, type=click.IntRange(0), help="Length of the prefix.")
@option("--samples", default=200, type=click.IntRange(2))
@SEED
@OUT
@JSON
@jobs_options
def benchmark(
    models: str,
    cohorts: str,
    folder: Path | None,
    compounds: str | None,
    protocol: str,
    observed: int,
    samples: int,
    seed: int,
    out: Path,
    as_json: bool,
    jobs: int,
    scheduler: str,
) -> None:
    """Leave each individual out, forecast it with MODELS, and print the table of compounds.

    Writes model, compound, individual, n_target (held-out samples with a value), n_below (those
    below the limit of quantification, which count for coverage only), log_rmse, crps (of ln
    concentration), covered_90 (share of the held-out samples inside the 90 % interval) and failure:
    why a model could not answer, where log_rmse is missing.
    """
    from agmpk.evaluation import (
        benchmark_studies,
        by_compound,
        development_studies,
        evaluate,
        paired_difference,
        published_table,
        studies_in,
    )
    from agmpk.files import check_writable, write_csv

    check_writable(out)
    forecasters = load_models(models)
    if folder is not None:
        studies = studies_in(folder)
    else:
        studies = benchmark_studies() if cohorts == "benchmark" else development_studies()
    studies = choose(studies, compounds)
    question = observed, samples, seed, protocol, jobs, scheduler
    results = evaluate(forecasters, studies, *question).results
    write_csv(results, out)
    check_answered(results)
    table = by_compound(results)
    mean, strict = table.mean(), by_compound(results, strict=True).mean()
    if cohorts == "benchmark" and folder is None:
        table = table.join(published_table().add_prefix("published "))
    if not as_json:
        click.echo(table.round(3).to_string(na_rep="-"))
    models_json = {}
    for name in mean.index:
        rows = results[results.model == name]
        size = rows.n_target + rows.n_below
        inside = (rows.covered_90 * size).sum() / size[rows.covered_90 >= 0].sum()
        models_json[name] = {"log_rmse": mean[name], "strict": strict[name], "covered_90": inside}
        if as_json:
            continue
        click.echo(
            f"{name}: mean log-RMSE {mean[name]:.3f} over {len(table)} compounds "
            f"(strict {strict[name]:.3f}); 90 % intervals cover {inside:.1%}"
        )
        if name != "naive" and "naive" in mean.index:
            d = paired_difference(results, name, "naive")
            click.echo(
                f"  against naive: {d.mean:+.3f} (95 % interval over people {d.low:+.3f} to "
                f"{d.high:+.3f}), lower for {d.better} of {d.n} individuals"
            )
        missing = rows[rows.failure != ""]
        if len(missing):
            click.echo(
                f"agmpk: {name} has no forecast of {len(missing)} of {len(rows)} individuals "
                f"({', '.join(dict.fromkeys(missing.compound))}); its means are over the others, "
                f"and {out} says why.",
                err=True,
            )
    if as_json:
        compounds_json = {one: dict(row) for one, row in table.iterrows()}
        print_json({"models": models_json, "compounds": compounds_json, "out": out})
    else:
        click.echo(f"{len(results)} rows -> {out}")


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
