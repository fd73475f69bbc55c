"""The mixed-effects baseline's fits and scores: what makes ``data/nlme``, resumable.

``agmpk paper nlme-fits fit`` makes the fits that are missing in ``data/nlme/fits/``, one compound
after the other; it can be stopped and started again. ``... score`` forecasts from the stored fits
and writes ``results.csv`` (one row an individual and model), ``points.csv`` (one row a held-out
point), ``development.csv`` (the same as results, for the cohorts of ``DEVELOPMENT``),
``published.csv`` (for studies simulated from published models) and ``made_with.json``.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from agmpk.errors import AgmpkError
from agmpk.evaluation import (
    benchmark_studies,
    cases,
    development_studies,
    score,
    score_points,
    studies_in,
)
from agmpk.evaluation.protocol import Case, Scored
from agmpk.files import atomic_path, data_path, sha256, write_csv
from agmpk.forecasting.mixed_effects import NlmeForecaster, NlmePopulationForecaster
from agmpk.jobs import map_jobs
from agmpk.nlme.fit import FitFailed
from agmpk.nlme.select import METHOD_VERSION, FitStore, Selection, fitted
from agmpk.paper.published_models import SHOWN
from agmpk.store import digest
from agmpk.studies import Study

N_SAMPLES = 200
DEVELOPMENT = {"phenobarbital": 2}
"""Development cohorts that are fitted, and the samples shown of each individual. They are large, so
that a tenth of the individuals is left out at a time, not one."""
FOLDS = 10
PUBLISHED_FOLDS = 3


class NlmeModeForecaster(NlmeForecaster):
    """As customary: the curve at the posterior mode, the population's estimates taken as known."""

    name = "nlme-mode"

    def __init__(self, store: FitStore) -> None:
        super().__init__(store, point="mode", uncertain=False)


def folder() -> Path:
    """``data/nlme``, made where it does not exist."""
    path = data_path("nlme", must_exist=False)
    (path / "fits").mkdir(parents=True, exist_ok=True)
    return path


def chosen(compounds: Sequence[str] = ()) -> dict[str, Study]:
    """The studies of the benchmark, or of some of its compounds.

    Raises:
        AgmpkError: an unknown compound.
    """
    studies = benchmark_studies()
    if unknown := {*compounds} - {*studies}:
        raise AgmpkError(
            f"The benchmark has no compound {', '.join(sorted(unknown))}; it has "
            f"{', '.join(studies)}."
        )
    return {name: study for name, study in studies.items() if not compounds or name in compounds}


def development_cases() -> Iterable[Case]:
    """Every individual of ``DEVELOPMENT``, asked from the nine tenths it is not among."""
    studies = development_studies()
    for name, observed in DEVELOPMENT.items():
        if name not in studies:
            continue
        yield from _folded(name, studies[name].after_dose(), observed, FOLDS)


def published_cases(observed: int) -> dict[str, list[Case]]:
    """By study simulated from a published model (the reporting third): every individual, asked from
    the two thirds of the study that it is not among."""
    return {
        name: [*_folded(name, study.after_dose(limits=True), observed, PUBLISHED_FOLDS)]
        for name, study in studies_in(data_path("poppk", "studies", "reporting")).items()
    }


def _folded(name: str, study: Study, observed: int, folds: int) -> Iterator[Case]:
    """Every individual of a study, each ``folds``-th of them left out together."""
    asked = {case.prefix.id: case for case in cases(name, study, observed)}
    for k in range(folds):
        left_out = study.ids[k::folds]
        people = tuple(one for one in study if one.id not in left_out)
        context = replace(study, individuals=people)
        yield from (replace(asked[one], context=context) for one in left_out)


def fit_all(compounds: Sequence[str] = (), jobs: int = 1, scheduler: str = "") -> None:
    """Fit every context that has no stored fit yet, and every study whole (for its tables).

    Each fit is stored here when it is made, wherever it was made (see :mod:`agmpk.jobs`).
    """
    store, studies = FitStore(folder() / "fits"), chosen(compounds)
    contexts = [case.context for name, study in studies.items() for case in cases(name, study)]
    contexts += studies.values()
    if not compounds:
        contexts += [case.context for case in development_cases()]
        contexts += [case.context for few in published_cases(SHOWN[0]).values() for case in few]
    metabolites, missing = NlmeForecaster(store).metabolites, {}
    for context in contexts:
        settings = store.settings(context, context.compound in metabolites)
        if not store.has(context, settings["flip_flop"]):
            missing[digest(settings)] = context, settings
    found = map_jobs(_fit, missing.values(), jobs, scheduler, "fits", "context")
    for (context, settings), selection in zip(missing.values(), found, strict=True):
        store.put(context, settings, selection)  # a failure too, which ``score_all`` reports


def _fit(item: tuple[Study, dict[str, Any]]) -> Selection | str:
    return fitted(*item)


def score_all() -> None:
    """Forecast all individuals whose contexts have been fitted; write the results.

    Raises:
        AgmpkError: no fit is stored.
    """
    questions = [case for name, study in chosen().items() for case in cases(name, study)]
    results, points = _scored(questions)
    if not len(results):
        raise AgmpkError("There is no stored fit; make them with 'agmpk paper nlme-fits fit'.")
    write_csv(results, folder() / "results.csv")
    write_csv(points, folder() / "points.csv")
    development, _ = _scored(development_cases())
    if len(development):
        write_csv(development, folder() / "development.csv")
    published = published_results()
    if len(published):
        write_csv(published, folder() / "published.csv")
    studies = sorted(data_path("benchmark", "studies").glob("*.csv"))
    made_with = {
        "python": platform.python_version(),
        **{name: version(name) for name in ("agmpk", "pynlme", "numpy", "scipy")},
        "method": METHOD_VERSION,
        "n_samples": N_SAMPLES,
        "data": {file.name: sha256(file)[:16] for file in studies},
    }
    with atomic_path(folder() / "made_with.json") as temporary:
        temporary.write_text(json.dumps(made_with, indent=2) + "\n")


def published_results() -> pd.DataFrame:
    """Scores of ``nlme`` on the :func:`published_cases` with every number of ``SHOWN`` samples, as
    far as they are fitted; of a failed fit the first words of why."""
    found = []
    for shown in SHOWN:
        results, _ = _scored(case for few in published_cases(shown).values() for case in few)
        found.append(results.assign(shown=shown))
    rows = pd.concat(found, ignore_index=True)
    if rows.empty:
        return rows
    rows = rows[rows.model == NlmeForecaster.name]
    rows = rows.assign(failure=rows.failure.str.split(" (", regex=False).str[0])
    return rows.drop(columns=["input", "fits", "fit_seconds", "forecast_seconds"], errors="ignore")


def _scored(questions: Iterable[Case]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Results and points of the cases whose contexts have a stored fit, or a stored failure."""
    store = FitStore(folder() / "fits")
    kinds = NlmeForecaster, NlmeModeForecaster, NlmePopulationForecaster
    forecasters = [kind(store) for kind in kinds]
    rows, points = [], [pd.DataFrame()]
    for case in tqdm(questions, desc="score", unit="individual", disable=None):
        metabolite = case.compound in forecasters[0].metabolites
        if not store.has(case.context, metabolite):
            continue
        for forecaster in forecasters:
            scored, extra = _run(forecaster, case)
            extra = {"input": "apparent oral" if metabolite else "as dosed"} | extra
            rows.append(score(forecaster.name, scored) | extra)
            if extra.get("selected"):
                points.append(score_points(forecaster.name, scored))
    return pd.DataFrame(rows), pd.concat(points, ignore_index=True)


def _run(forecaster: NlmeForecaster, case: Case) -> tuple[Scored, dict[str, Any]]:
    """A forecast and how it was made; a failed fit has none, and says why."""
    try:
        selection = forecaster.selection(case.context)
        forecast, began = None, time.process_time()
        if len(case.times):
            forecast = case.ask(forecaster, N_SAMPLES, 0)
    except FitFailed as error:
        return Scored(case, None, str(error)), {}
    return Scored(case, forecast), {
        "selected": selection.population.name,
        "aic": selection.population.aic,
        "fits": len(selection.tried),
        "fit_seconds": round(selection.seconds, 2),
        "forecast_seconds": round(time.process_time() - began, 4),
    }
