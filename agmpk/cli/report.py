"""``agmpk report``: one HTML file that says how the models do on a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agmpk.cli import FILE, MODEL, SEED, STUDY, option, read, reading_options
from agmpk.files import check_writable


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
    "--fitted",
    default=12,
    type=click.IntRange(0),
    help="Largest study (individuals) that mixed effects are fitted to: some seconds each.",
)
@option("--target", default="", help="Whose doses are changed in the what-if.")
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
