"""Ask, train, score and store variants; what is stored and current is left alone.

Every variant is asked about real development cohorts and held-out simulated studies, by the main
protocol (the study's times are asked), never about the 20 benchmark compounds: ablations are
choices.  Finished variants are kept by ``agmpk.store``:
``variants/<name>.json`` holds the settings in full, ``<name>.csv`` one row an individual.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from torch import nn

from agmpk.errors import AgmpkError
from agmpk.evaluation import (
    Case,
    Scored,
    answer,
    benchmark_studies,
    cases,
    crps,
    development_studies,
    evaluate,
    score,
)
from agmpk.files import atomic_path
from agmpk.forecasting.forecaster import AmortizedForecaster, Forecaster, NaiveForecaster
from agmpk.jobs import map_jobs
from agmpk.paper.ablations.variants import (
    DEFAULT,
    SCORING,
    VARIANTS,
    YARDSTICK,
    Variant,
    as_today,
    default_prior_of,
    prior_of,
    settings,
    training_settings,
)
from agmpk.prior import PriorConfig, simulate
from agmpk.prior.table import to_studies
from agmpk.store import Store, digest
from agmpk.training.config import TrainingConfig
from agmpk.training.folder import environment
from agmpk.training.run import train

# Far from the seeds of training and of its validation.
HELD_OUT = 770_000


def development_questions(scoring: Mapping[str, Any]) -> list[Case]:
    """Leave one out over the first individuals of each development cohort."""
    found = []
    for name, study in development_studies().items():
        few = replace(study, individuals=study.individuals[: scoring["individuals"]])
        found += cases(name, few, scoring["prefix"], scoring["protocol"])
    return [case for case in found if _answerable(case, scoring["prefix"])]


def simulated_questions(prior: PriorConfig, scoring: Mapping[str, Any]) -> list[Case]:
    """The first individuals of held-out studies of the prior, each left out once."""
    batch = simulate(prior, scoring["studies"], HELD_OUT + scoring["seed"])
    found = []
    for study in to_studies(batch):
        # The order of simulated individuals is random: the first are as good as any.
        asked = cases(study.compound, study, scoring["prefix"], scoring["protocol"])
        found += asked[: scoring["targets"]]
    return [case for case in found if _answerable(case, scoring["prefix"])]


def _answerable(case: Case, prefix: int) -> bool:
    """Whether the question is whole: so many quantified samples shown, a value to predict, and a
    context to compare with."""
    shown = int((~case.prefix.censored).sum())
    context = [one for one in case.context if (~one.censored).sum() >= 2]
    return shown == prefix and len(case.times) > 0 and len(context) > 0


MEASURES = ("log_rmse", "crps", "crps_curve", "coverage_90")
COLUMNS = ("studies", "compound", "individual", "n_target", *MEASURES, "log_rmse_naive", "seconds")


def score_individuals(
    forecaster: Forecaster, questions: Sequence[Case], studies: str, scoring: Mapping[str, Any]
) -> pd.DataFrame:
    """Columns ``COLUMNS``, one row an individual; without scores where the question is refused.

    Log-RMSE of the point forecast and of the naive one; CRPS of ln concentration, mean over the
    unseen values; ``crps_curve``: CRPS of their mean, which tells how the points of a curve go
    together; share of unseen samples inside the central 90 % interval; processor seconds.
    """
    naive = NaiveForecaster()
    rows = []
    for case in questions:
        began = time.process_time()
        (mine,) = answer(forecaster, [case], scoring["samples"], scoring["seed"])
        seconds = time.process_time() - began
        (plain,) = answer(naive, [case], scoring["samples"], scoring["seed"])
        row = score(forecaster.name, mine)
        row |= {
            "studies": studies,
            "crps_curve": _crps_curve(mine),
            "coverage_90": row["covered_90"],
            "log_rmse_naive": score("naive", plain)["log_rmse"],
            "seconds": seconds,
        }
        rows.append({column: row[column] for column in COLUMNS})
    return pd.DataFrame(rows, columns=list(COLUMNS)).round(6)


def _crps_curve(scored: Scored) -> float:
    """CRPS of the mean of ln concentration over an individual's unseen values."""
    if scored.forecast is None:
        return float("nan")
    means = np.log(scored.forecast.samples).mean(axis=1)
    return float(crps(means, np.log(scored.case.observed).mean()))


# Of what is stored; a change of the code that changes results raises it.
VERSION = 2
REMEDY = "run 'agmpk paper ablations run --only {name}'"


@dataclass(frozen=True)
class Record:
    """How a variant was made: its settings in full, size of the network, final training loss,
    wall-clock seconds of training and of scoring, the machine."""

    name: str
    settings: dict[str, Any]
    parameters: int
    loss: float
    training_seconds: float
    scoring_seconds: float
    environment: dict[str, Any]


@dataclass(frozen=True)
class Stored:
    """A finished variant: its record, one row an individual (``COLUMNS``), and the version of the
    method it was made with."""

    record: Record
    individuals: pd.DataFrame
    version: int = VERSION


def save(out: Path, record: Record, individuals: pd.DataFrame) -> None:
    """Write a finished variant."""
    about = asdict(record)
    _store(out).save(record.name, about.pop("settings"), about, individuals)


def load(out: Path, name: str) -> Stored | None:
    """A finished variant, or None where it is not stored.

    Raises:
        AgmpkError: a file is damaged or was edited.
    """
    found = _store(out).entries(name)
    if not found:
        return None
    (entry,) = found.values()
    damaged = AgmpkError(
        f"{entry.table} is not of {name}: delete it and {REMEDY}.".format(name=name)
    )
    if entry.result["name"] != name:
        raise damaged
    frame = pd.read_csv(entry.table, dtype={"individual": str, "compound": str, "studies": str})
    if tuple(frame.columns) != COLUMNS:
        raise damaged
    return Stored(Record(settings=as_today(entry.settings), **entry.result), frame, entry.version)


def _store(out: Path) -> Store:
    return Store(out / "variants", VERSION, REMEDY)


DEVELOPMENT, DEFAULT_PRIOR, OWN_PRIOR = "development", "default prior", "own prior"
Report = Callable[[int, float], None]


def is_current(variant: Variant, out: Path, **training: Any) -> bool:
    """Whether the stored variant, if any, was made with today's settings.

    Raises:
        AgmpkError: its files are damaged.
    """
    stored = load(out, variant.name)
    wanted = as_today(settings(variant, **training))
    return stored is not None and (stored.version, stored.record.settings) == (VERSION, wanted)


def run_variant(
    variant: Variant, out: Path, work: Path, report: Report | None = None, **training: Any
) -> None:
    """Train (or resume, in a folder of ``work``), score and store one variant in ``out``.

    ``training`` replaces values of the recipe, see :func:`agmpk.paper.ablations.variants.settings`.
    """
    values = settings(variant, **training)
    model, folder = trained(values, work, report)
    began = time.monotonic()
    individuals = scored(model, values)
    with (folder / "steps.csv").open(newline="", encoding="utf-8") as stream:
        steps = list(csv.DictReader(stream))
    record = Record(
        name=variant.name,
        settings=values,
        parameters=sum(p.numel() for p in model.parameters()),
        loss=_mean(steps[-20:], "loss"),
        training_seconds=round(_mean(steps, "seconds") * len(steps), 1),
        scoring_seconds=round(time.monotonic() - began, 1),
        environment=environment("cpu", 1),
    )
    save(out, record, individuals)


def run_together(
    variants: Sequence[Variant], out: Path, work: Path, jobs: int, scheduler: str, **training: Any
) -> Iterator[list[str]]:
    """:func:`run_variant` of several, some at a time (see :mod:`agmpk.jobs`); yields the names that
    are done. Those that train alike share a run folder, and so a job."""
    groups: dict[str, list[Variant]] = {}
    for variant in variants:
        key = digest(training_settings(settings(variant, **training)))
        groups.setdefault(key, []).append(variant)
    run = partial(_run_group, out.resolve(), work.resolve(), training)
    return map_jobs(run, groups.values(), jobs, scheduler, "ablations", "training")


def _run_group(
    out: Path, work: Path, training: dict[str, Any], group: Sequence[Variant]
) -> list[str]:
    torch.set_num_threads(1)
    for variant in group:
        run_variant(variant, out, work, **training)
    return [variant.name for variant in group]


def trained(
    values: dict[str, Any], work: Path, report: Report | None = None
) -> tuple[nn.Module, Path]:
    """The trained network of these settings and the folder of its run.

    Settings that train alike share the folder: other scores train nothing anew.
    """
    folder = work / digest(training_settings(values))
    folder.mkdir(parents=True, exist_ok=True)
    prior = folder / "prior.yaml"
    if not prior.is_file():
        with atomic_path(prior) as temporary:
            temporary.write_text(yaml.safe_dump(values["prior"], sort_keys=False), "utf-8")
    config = TrainingConfig.from_dict(values["training"] | {"prior": str(prior)}, "The recipe")
    run = folder / "run"
    return train(config, run, report, workers=0), run


def scored(model: nn.Module, values: dict[str, Any]) -> pd.DataFrame:
    """One row an individual: development cohorts, default prior, and the variant's own if other."""
    scoring = values["scoring"]
    asked = {
        DEVELOPMENT: development_questions(scoring),
        DEFAULT_PRIOR: simulated_questions(default_prior_of(values), scoring),
    }
    if values["prior"] != values["default_prior"]:
        asked[OWN_PRIOR] = simulated_questions(prior_of(values), scoring)
    forecaster = AmortizedForecaster(model)
    parts = [score_individuals(forecaster, q, studies, scoring) for studies, q in asked.items()]
    return pd.concat(parts, ignore_index=True)


def _mean(rows: list[dict[str, str]], column: str) -> float:
    return sum(float(row[column]) for row in rows) / len(rows)


# How far training seeds move the benchmark is for reporting only: no choice rests on it.
SEEDS = "benchmark_seeds"
SEEDS_SAMPLES = 200


def seed_variants() -> list[Variant]:
    """The default and its other seeds."""
    return [variant for variant in VARIANTS if variant.group == YARDSTICK]


def seeds_settings() -> dict[str, Any]:
    """What the rows of the seeds depend on: training, prior and question."""
    values = {variant.name: settings(variant) for variant in seed_variants()}
    shared = {key: values[DEFAULT][key] for key in ("prior", "default_prior")}
    asked = {"prefix": SCORING["prefix"], "samples": SEEDS_SAMPLES}
    return shared | {"training": {n: v["training"] for n, v in values.items()}} | asked


def score_seeds(out: Path, work: Path, say: Callable[[str], None] = print) -> None:
    """Write ``benchmark_seeds.csv`` (and ``.json``) in ``out``: the benchmark's rows of each seed.

    Networks that are still in ``work`` are not trained again.
    """
    parts = []
    for variant in seed_variants():
        values = settings(variant)
        model, _ = trained(values, work)
        forecaster = AmortizedForecaster(model, variant.name)
        rows = evaluate([forecaster], benchmark_studies(), SCORING["prefix"], SEEDS_SAMPLES).results
        parts.append(rows)
        say(f"{variant.name}: log-RMSE {rows.groupby('compound').log_rmse.mean().mean():.3f}")
    store = Store(out, VERSION, "run 'agmpk paper ablations seeds'")
    store.save(SEEDS, seeds_settings(), {}, pd.concat(parts, ignore_index=True))
