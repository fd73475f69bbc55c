"""``agmpk benchmark``: leave-one-individual-out log-RMSE of models on the 20 compounds."""

from __future__ import annotations

from pathlib import Path

import click

from agmpk.cli.options import OUT, SEED, check_out


@click.command(
    epilog="""\b
Examples:
  agmpk benchmark --models naive,flow --out results.csv
  agmpk benchmark --models naive --cohorts development --observed 2 --out results.csv
"""
)
@click.option(
    "--models",
    default="naive,flow",
    show_default=True,
    help="Names or checkpoint folders, separated by commas.",
)
@click.option(
    "--cohorts",
    default="benchmark",
    show_default=True,
    type=click.Choice(["benchmark", "development"]),
    help="The 20 compounds, or the development cohorts.",
)
@click.option(
    "--observed", default=4, show_default=True, type=click.IntRange(0), help="Length of the prefix."
)
@click.option("--samples", default=200, show_default=True, type=click.IntRange(2))
@SEED
@OUT
def benchmark(models: str, cohorts: str, observed: int, samples: int, seed: int, out: Path) -> None:
    """Score MODELS with the published protocol and print the table of compounds.

    Writes model, compound, individual, n_target, log_rmse.
    """
    from agmpk.evaluation import (
        benchmark_studies,
        by_compound,
        development_studies,
        evaluate,
        published_table,
    )
    from agmpk.files import write_csv
    from agmpk.forecasting import load_forecaster

    check_out(out)
    forecasters = [load_forecaster(name.strip()) for name in models.split(",")]
    studies = benchmark_studies() if cohorts == "benchmark" else development_studies()
    results = evaluate(forecasters, studies, observed, samples, seed).results
    write_csv(results, out)
    table = by_compound(results)
    mean, strict = table.mean(), by_compound(results, strict=True).mean()
    if cohorts == "benchmark":
        table = table.join(published_table().add_prefix("published "))
    click.echo(table.round(3).to_string(na_rep="-"))
    for name in mean.index:
        click.echo(
            f"{name}: mean log-RMSE {mean[name]:.3f} over {len(table)} compounds "
            f"(strict {strict[name]:.3f})"
        )
    click.echo(f"{len(results)} rows -> {out}")
