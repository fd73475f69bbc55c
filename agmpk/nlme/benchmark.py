"""The leave-one-individual-out benchmark of the mixed-effects baseline, resumable.

``python -m agmpk.nlme.benchmark fit`` makes the fits that are missing in ``data/nlme/fits/``, one
compound after the other; it can be stopped and started again. ``... score`` forecasts from the
stored fits and writes ``data/nlme/results.csv`` (one row an individual and model), ``points.csv``
(one row a held-out point) and ``made_with.json``.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import pandas as pd
from tqdm import tqdm

from agmpk.errors import AgmpkError
from agmpk.evaluation import benchmark_studies, cases, score, score_points
from agmpk.evaluation.protocol import Case, Scored
from agmpk.files import atomic_path, sha256, write_csv
from agmpk.nlme.errors import FitFailed
from agmpk.nlme.forecaster import NlmeForecaster, NlmePopulationForecaster
from agmpk.nlme.store import FitStore, code_digest
from agmpk.paths import data_path

N_SAMPLES = 200


def folder() -> Path:
    """``data/nlme``, made where it does not exist."""
    path = data_path("nlme", must_exist=False)
    (path / "fits").mkdir(parents=True, exist_ok=True)
    return path


def fit_all(compounds: Sequence[str] = ()) -> None:
    """Fit every context that has no stored fit yet, then every study whole (for its tables)."""
    store = FitStore(folder() / "fits", keep=True)
    forecaster = NlmeForecaster(store)
    contexts = [case.context for case in _cases(compounds)]
    contexts += [s for name, s in benchmark_studies().items() if not compounds or name in compounds]
    for context in tqdm(contexts, unit="context", disable=None):
        try:
            forecaster.selection(context)
        except FitFailed:
            continue  # stored as a failure, and reported by ``score_all``


def score_all() -> pd.DataFrame:
    """Forecast all individuals whose contexts have been fitted; write and return the results."""
    store = FitStore(folder() / "fits")
    forecasters = [NlmeForecaster(store), NlmePopulationForecaster(store)]
    rows, points = [], []
    for case in _cases():
        if not store.has(case.context, case.compound in forecasters[0].metabolites):
            continue
        for forecaster in forecasters:
            row, scored = _run(forecaster, case)
            rows.append(row)
            if scored is not None:
                points.append(score_points(forecaster.name, scored))
    if not rows:
        raise AgmpkError(
            "There is no stored fit; make them with 'python -m agmpk.nlme.benchmark fit'."
        )
    results = pd.DataFrame(rows)
    write_csv(results, folder() / "results.csv")
    write_csv(pd.concat(points, ignore_index=True), folder() / "points.csv")
    with atomic_path(folder() / "made_with.json") as temporary:
        temporary.write_text(json.dumps(made_with(), indent=2) + "\n")
    return results


def made_with() -> dict[str, Any]:
    """Versions, and digests of the code and data behind the results."""
    libraries = ("agmpk", "pynlme", "numpy", "scipy")
    studies = sorted(data_path("benchmark", "studies").glob("*.csv"))
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in libraries},
        "fit_code": code_digest(),
        "n_samples": N_SAMPLES,
        "data": {file.name: sha256(file)[:16] for file in studies},
    }


def _cases(compounds: Sequence[str] = ()) -> Iterable[Case]:
    studies = benchmark_studies()
    unknown = set(compounds) - set(studies)
    if unknown:
        raise AgmpkError(
            f"The benchmark has no compound {', '.join(sorted(unknown))}; it has "
            f"{', '.join(studies)}."
        )
    for compound, study in studies.items():
        if not compounds or compound in compounds:
            yield from cases(compound, study)


def _run(forecaster: NlmeForecaster, case: Case) -> tuple[dict[str, Any], Scored | None]:
    """A row of the results; a failed fit has no error (NaN), and says why."""
    metabolite = case.compound in forecaster.metabolites
    extra: dict[str, Any] = {"input": "apparent oral" if metabolite else "as dosed"}
    try:
        selection = forecaster.selection(case.context)
        forecast, began = None, time.perf_counter()
        if len(case.times):
            forecast = forecaster.forecast(
                case.context, case.prefix, case.times, N_SAMPLES, case.seed(0)
            )
    except FitFailed as error:
        return score(forecaster.name, Scored(case, None, str(error))) | extra, None
    scored = Scored(case, forecast)
    extra |= {
        "selected": selection.population.name,
        "aic": selection.population.aic,
        "fits": len(selection.tried),
        "fit_seconds": round(selection.seconds, 2),
        "forecast_seconds": round(time.perf_counter() - began, 4),
    }
    return score(forecaster.name, scored) | extra, scored


@click.command()
@click.argument("step", type=click.Choice(["fit", "score"]))
@click.argument("compounds", nargs=-1)
def main(step: str, compounds: tuple[str, ...]) -> None:
    """Fit the contexts of the benchmark, or score the forecasts from the stored fits."""
    try:
        if step == "fit":
            fit_all(compounds)
        else:
            score_all()
    except AgmpkError as error:
        raise click.UsageError(str(error)) from error


if __name__ == "__main__":
    main()
