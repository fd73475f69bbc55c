"""Train a variant, score it, store it; what is stored and current is left alone."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from torch import nn

from agmpk.ablations.questions import development_questions, simulated_questions
from agmpk.ablations.score import score_individuals
from agmpk.ablations.settings import (
    default_prior_of,
    digest,
    prior_of,
    settings,
    training_settings,
)
from agmpk.ablations.store import Record, load, save
from agmpk.ablations.variants import Variant
from agmpk.files import atomic_path
from agmpk.forecasting.amortized import AmortizedForecaster
from agmpk.training.config import TrainingConfig
from agmpk.training.folder import environment
from agmpk.training.processes import Processes
from agmpk.training.run import train

DEVELOPMENT, DEFAULT_PRIOR, OWN_PRIOR = "development", "default prior", "own prior"
Report = Callable[[int, float], None]


def is_current(variant: Variant, out: Path, **training: Any) -> bool:
    """Whether the stored variant, if any, was made with today's settings.

    Raises:
        AgmpkError: its files are damaged.
    """
    stored = load(out, variant.name)
    return stored is not None and stored.record.digest == digest(settings(variant, **training))


def run_variant(
    variant: Variant, out: Path, work: Path, report: Report | None = None, **training: Any
) -> None:
    """Train (or resume, in a folder of ``work``), score and store one variant in ``out``.

    ``training`` replaces values of the recipe, see :func:`agmpk.ablations.settings.settings`.
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
        digest=digest(values),
        parameters=sum(p.numel() for p in model.parameters()),
        loss=_mean(steps[-20:], "loss"),
        training_seconds=round(_mean(steps, "seconds") * len(steps), 1),
        scoring_seconds=round(time.monotonic() - began, 1),
        environment=environment(Processes()),
        rows="",
    )
    save(out, record, individuals)


def trained(
    values: dict[str, Any], work: Path, report: Report | None = None
) -> tuple[nn.Module, Path]:
    """The trained network of these settings and the folder of its run.

    Settings that train alike share the folder: the number of sampler steps trains nothing anew.
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
    forecaster = AmortizedForecaster(model, **values["sampler"])
    parts = [score_individuals(forecaster, q, studies, scoring) for studies, q in asked.items()]
    return pd.concat(parts, ignore_index=True)


def _mean(rows: list[dict[str, str]], column: str) -> float:
    return sum(float(row[column]) for row in rows) / len(rows)
