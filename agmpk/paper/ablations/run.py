"""The list of ablations, and what a variant is in full: recipe, prior and scoring as plain values;
ask, train, score and store variants, where what is stored and current is left alone.

Each variant (``variants.yaml``) is the default with one value replaced, by construction. Every one
is asked about real development cohorts and held-out simulated studies, by the main protocol (the
study's times are asked), never about the 20 benchmark compounds: ablations are choices. Finished
variants are kept by ``agmpk.store``: ``variants/<name>.json`` holds the settings in full,
``<name>.csv`` one row an individual.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from torch import nn
from tqdm import tqdm

from agmpk.config import load_yaml
from agmpk.errors import AgmpkError
from agmpk.evaluation import Case, Scored, answer, cases, crps, development_studies, score
from agmpk.files import atomic_path
from agmpk.forecasting.forecaster import AmortizedForecaster, Forecaster, NaiveForecaster
from agmpk.jobs import map_jobs
from agmpk.models.registry import model_classes
from agmpk.prior import PriorConfig, load_prior, simulate
from agmpk.prior.table import to_studies
from agmpk.store import Store, digest
from agmpk.training.config import TrainingConfig
from agmpk.training.folder import environment
from agmpk.training.run import train_together, trained_model

DEFAULT = "default"
YARDSTICK = "seed"  # the group whose spread the differences of all others are held against


def shipped(name: str) -> Any:
    """The plain values of ``name.yaml`` beside this file; ``recipe`` is that of all ablations."""
    return load_yaml(Path(__file__).with_name(f"{name}.yaml"))


@dataclass(frozen=True)
class Variant:
    """One change, as ``variants.yaml`` has it; path and value are empty for the default."""

    name: str
    group: str
    text: str
    path: str = ""
    value: Any = None


VARIANTS = tuple(Variant(**one) for one in shipped("variants"))


def find(name: str) -> Variant:
    """The variant of that name.

    Raises:
        AgmpkError: there is none.
    """
    by_name = {variant.name: variant for variant in VARIANTS}
    if name not in by_name:
        raise AgmpkError(f"There is no ablation {name!r}: use one of {', '.join(by_name)}.")
    return by_name[name]


# How every variant is judged.  individuals: per development cohort, the first ones; studies: held
# out per prior, with so many targets each; seed: of the held-out studies and of the samples.
SCORING = {
    "protocol": "study",
    "prefix": 4,
    "samples": 64,
    "individuals": 13,
    "studies": 64,
    "targets": 3,
    "seed": 7,
}


def settings(variant: Variant, **training: Any) -> dict[str, Any]:
    """training, prior (its contents), default_prior (contents) and scoring.

    ``training`` replaces values of the recipe for all variants alike, e.g. ``steps=3`` in a test.
    A network of another kind keeps the options of the default's that it has.
    """
    values = {"training": shipped("recipe") | training, "scoring": dict(SCORING)}
    values["default_prior"] = load_prior(values["training"]["prior"]).to_dict()
    if variant.path:
        _replace(values, variant)
    mine = values["training"]
    known = {f.name for f in fields(model_classes(mine["kind"])[0])}
    mine["model"] = {k: v for k, v in mine["model"].items() if k in known}
    values["prior"] = load_prior(mine["prior"]).to_dict()
    return values


def training_settings(values: dict[str, Any]) -> dict[str, Any]:
    """The part of the settings that the trained weights depend on."""
    return {key: values[key] for key in ("training", "prior")}


def prior_of(values: dict[str, Any], which: str = "prior") -> PriorConfig:
    """The prior that the variant is trained on, or the ``default_prior`` of its settings."""
    return PriorConfig.from_dict(copy.deepcopy(values[which]), f"The {which} of a variant")


def as_today(values: dict[str, Any]) -> dict[str, Any]:
    """The settings with their priors read and written again: a quantity that the prior has gained
    since they were stored stands there with its default, which means "off"."""
    return values | {k: prior_of(values, k).to_dict() for k in ("prior", "default_prior")}


def _replace(values: dict[str, Any], change: Variant) -> None:
    *path, last = change.path.split(".")
    for key in path:
        values = values[key]
    if last not in values:
        raise KeyError(f"{change.name}: {change.path} is not among the settings")
    values[last] = change.value


# Far from the seeds of training and of its validation.
HELD_OUT = 770_000


def development_questions(scoring: Mapping[str, Any]) -> list[Case]:
    """Leave one out over the first individuals of each development cohort."""
    found = []
    for name, study in development_studies().items():
        few = replace(study, individuals=study.individuals[: scoring["individuals"]])
        found += cases(name, few, scoring["prefix"], scoring["protocol"])
    return _whole(found, scoring["prefix"])


def simulated_questions(prior: PriorConfig, scoring: Mapping[str, Any]) -> list[Case]:
    """The first individuals of held-out studies of the prior, each left out once."""
    batch = simulate(prior, scoring["studies"], HELD_OUT + scoring["seed"])
    found = []
    for study in to_studies(batch):
        # The order of simulated individuals is random: the first are as good as any.
        asked = cases(study.compound, study, scoring["prefix"], scoring["protocol"])
        found += asked[: scoring["targets"]]
    return _whole(found, scoring["prefix"])


def _whole(found: Sequence[Case], prefix: int) -> list[Case]:
    """The answerable cases.  Draws are scored as they are, limit or not, as those of the variants
    that were stored first: so all compare."""
    return [
        replace(case, limit=None)
        for case in found
        # So many quantified samples shown, a value to predict, and a context to compare with.
        if (~case.prefix.censored).sum() == prefix
        and len(case.times)
        and any((~one.censored).sum() >= 2 for one in case.context)
    ]


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
class Stored:
    """A finished variant: its settings in full, one row an individual (``COLUMNS``), and the
    version of the method it was made with."""

    settings: dict[str, Any]
    individuals: pd.DataFrame
    version: int = VERSION


def save(
    out: Path, name: str, values: dict[str, Any], about: dict[str, Any], individuals: pd.DataFrame
) -> None:
    """Write a finished variant: its settings, what else there is to say of it, its individuals."""
    _store(out).save(name, values, {"name": name} | about, individuals)


def load(out: Path, name: str) -> Stored | None:
    """A finished variant, or None where it is not stored.

    Raises:
        AgmpkError: a file is damaged or was edited.
    """
    found = _store(out).entries(name)
    if not found:
        return None
    (entry,) = found.values()
    frame = pd.read_csv(entry.table, dtype={"individual": str, "compound": str, "studies": str})
    if entry.result["name"] != name or tuple(frame.columns) != COLUMNS:
        remedy = REMEDY.format(name=name)
        raise AgmpkError(f"{entry.table} is not of {name}: delete it and {remedy}.")
    return Stored(as_today(entry.settings), frame, entry.version)


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
    return stored is not None and (stored.version, stored.settings) == (VERSION, wanted)


def run_all(
    variants: Sequence[Variant], out: Path, work: Path, jobs: int, scheduler: str, **training: Any
) -> Iterator[list[str]]:
    """Train, score and store each; yields the names that are done.

    Those that differ in the network alone see the same studies, which are simulated once for all
    of them; such groups are what :mod:`agmpk.jobs` shares out.  ``training`` replaces values of
    the recipe, see :func:`settings`.
    """
    groups: dict[tuple, list[tuple[str, dict[str, Any]]]] = {}
    for variant in variants:
        values = settings(variant, **training)
        groups.setdefault(_training_of(values, work.resolve())[0].stream, []).append(
            (variant.name, values)
        )
    run = partial(_run_group, out.resolve(), work.resolve(), jobs > 1 or bool(scheduler))
    return map_jobs(run, groups.values(), jobs, scheduler, "ablations", "training")


def _run_group(
    out: Path, work: Path, quiet: bool, group: Sequence[tuple[str, dict[str, Any]]]
) -> list[str]:
    torch.set_num_threads(1)
    names = [name for name, _ in group]
    with tqdm(desc=", ".join(names), unit="step", disable=quiet or None) as bar:
        trained([values for _, values in group], work, lambda *_: bar.update())
    for name, values in group:
        run_variant(name, values, out, work, len(group))
    return names


def run_variant(
    name: str, values: dict[str, Any], out: Path, work: Path, together: int = 1
) -> None:
    """Train (or resume, in a folder of ``work``), score and store in ``out`` what has these
    settings.  A step's seconds count for the ``together`` networks trained on its studies."""
    ((model, folder),) = trained([values], work)
    began = time.monotonic()
    individuals = scored(model, values)
    steps = pd.read_csv(folder / "steps.csv")
    about = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "loss": float(steps.loss[-20:].mean()),
        "training_seconds": round(float(steps.seconds.sum()) / together, 1),
        "scoring_seconds": round(time.monotonic() - began, 1),
        "environment": environment("cpu", 1),
    }
    save(out, name, values, about, individuals)


def trained(
    each: Sequence[dict[str, Any]], work: Path, report: Report | None = None
) -> list[tuple[nn.Module, Path]]:
    """The trained networks of these settings, which share a stream of studies, and the folders of
    their runs; other scores train nothing anew."""
    runs = {run: config for config, run in (_training_of(values, work) for values in each)}
    train_together(runs, report, workers=0)
    return [(trained_model(run), run) for run in runs]


def _training_of(values: dict[str, Any], work: Path) -> tuple[TrainingConfig, Path]:
    """The recipe, its prior written into ``work``, and the folder of its run."""
    prior = work / f"prior-{digest(values['prior'])}.yaml"
    if not prior.is_file():
        work.mkdir(parents=True, exist_ok=True)
        with atomic_path(prior) as temporary:
            temporary.write_text(yaml.safe_dump(values["prior"], sort_keys=False), "utf-8")
    config = TrainingConfig.from_dict(values["training"] | {"prior": str(prior)}, "The recipe")
    return config, work / digest(training_settings(values))


def scored(model: nn.Module, values: dict[str, Any]) -> pd.DataFrame:
    """One row an individual: development cohorts, default prior, and the variant's own if other."""
    scoring = values["scoring"]
    asked = {
        DEVELOPMENT: development_questions(scoring),
        DEFAULT_PRIOR: simulated_questions(prior_of(values, "default_prior"), scoring),
    }
    if values["prior"] != values["default_prior"]:
        asked[OWN_PRIOR] = simulated_questions(prior_of(values), scoring)
    forecaster = AmortizedForecaster(model)
    parts = [score_individuals(forecaster, q, studies, scoring) for studies, q in asked.items()]
    return pd.concat(parts, ignore_index=True)
