"""``agmpk report``: one HTML file that says how the models do on a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agmpk.cli.options import MODEL, SEED, STUDY, check_out, read, reading_options


@click.command(
    epilog="""\b
Examples:
  agmpk report study.csv --out report.html
  agmpk report data/benchmark/studies/theophylline.csv --observed 2 --out theophylline.html
  agmpk report study.csv --lloq 0.5 --fitted 0 --out report.html
"""
)
@STUDY
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="HTML file to write.  [default: STUDY.html, here]",
)
@click.option(
    "--observed", default=4, show_default=True, type=click.IntRange(0), help="Samples shown."
)
@click.option(
    "--samples", default=200, show_default=True, type=click.IntRange(20), help="Curves a forecast."
)
@click.option(
    "--fitted",
    default=12,
    show_default=True,
    type=click.IntRange(0),
    help="Largest study (individuals) that mixed effects are fitted to: some seconds for each.",
)
@click.option("--target", default="", help="Whose doses are changed in the what-if.")
@click.option("--every", default=24.0, show_default=True, help="Hours between those doses.")
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
    check_out(out, study)
    data = read(study, how).only()
    if target:
        data[target]  # names the IDs there are, where this is none of them
    from agmpk.book.study_report import write_report
    from agmpk.cli.options import reading_keywords

    parameters = {"options": reading_keywords(how), "observed": observed, "n_samples": samples}
    parameters |= {"fitted": fitted, "target": target, "every": every, "model": model}
    write_report(study, out, parameters | {"seed": seed})
    click.echo(f"report on {len(data)} individual(s) of {data.compound} -> {out}")
