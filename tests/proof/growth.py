"""How time and memory grow: forecasts, cohorts, simulation, a training step and a mixed-effects fit
against individuals, samples and draws, with the exponent of each curve."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from agmpk.forecasting import generate, load_forecaster
from agmpk.prior.config import load_prior
from agmpk.prior.simulate import simulate
from agmpk.studies import Individual, Study
from proof.shipped import golden_studies

INDIVIDUALS = (8, 16, 32, 64, 128)
SAMPLES = (8, 16, 32, 64)
DRAWS = (50, 100, 200, 400, 800)
STUDIES = (4, 16, 64, 256)
PARTS = (16, 32, 64)
COLUMNS = ["what", "against", "size", "seconds", "megabytes", "exponent"]


def growth(scale: float = 1.0) -> pd.DataFrame:
    """Processor seconds of one thread and growth of the process in MB (0 where it fits into what
    was used before), one row a size; ``exponent`` b of seconds ~ size^b over the larger half of the
    sizes.  ``scale`` below 1 leaves out the largest sizes."""
    torch.set_num_threads(1)
    rows = []
    jobs = _jobs()
    for what, against, sizes, prepare in tqdm(jobs, desc="growth", disable=None):
        kept = sizes[: max(2, round(scale * len(sizes)))]
        prepare(kept[0])()  # what is made once is not counted
        found = [(size, *_measured(prepare(size))) for size in kept]
        late = np.log([row[:2] for row in found[-max(2, len(found) // 2 + 1) :]])
        exponent = np.polyfit(*late.T, 1)[0]
        rows += [(what, against, *row, exponent) for row in found]
    return pd.DataFrame(rows, columns=COLUMNS).round({"seconds": 4, "megabytes": 1, "exponent": 2})


def _measured(work: Callable[[], object]) -> tuple[float, float]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    for _ in range(2):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return min(times), grown / 1000


Job = tuple[str, str, tuple[int, ...], Callable[[int], Callable[[], object]]]


def _jobs() -> Iterable[Job]:
    from agmpk.models.registry import build_model
    from agmpk.nlme.select import select
    from agmpk.training.config import load_training_config
    from agmpk.training.data import part_generator, training_batch

    flow, prior = load_forecaster("flow"), load_prior("calibrated")
    recipe = load_training_config("flow-tiny")
    network = build_model(recipe.kind, recipe.model)

    def forecast(study: Study, draws: int = 100) -> Callable[[], object]:
        one = study.individuals[-1]
        ask = study.without(one.id), one.prefix(2), one.times[2:]
        return lambda: flow.forecast(*ask, draws, 0)

    def step(parts: int) -> Callable[[], object]:
        (task,) = training_batch(recipe.with_changes(parts=1), prior, 0)
        task = task[:parts].trimmed()
        return lambda: network.loss(task, part_generator(0, 0, 0)).backward()

    return [
        ("forecast", "individuals", INDIVIDUALS, lambda n: forecast(study_of(n))),
        ("forecast", "samples of each", SAMPLES, lambda n: forecast(study_of(8, n))),
        ("forecast", "draws", DRAWS, lambda n: forecast(study_of(8), n)),
        ("cohort", "virtual individuals", DRAWS, lambda n: lambda: generate(flow, study_of(8), n)),
        ("simulation", "studies", STUDIES, lambda n: lambda: simulate(prior, n, 0)),
        ("training step", "studies", PARTS, step),
        ("mixed-effects fit", "individuals", INDIVIDUALS[:3],
         lambda n: lambda: select(study_of(n), 0, 1)),
    ]  # fmt: skip


def study_of(individuals: int, samples: int = 11) -> Study:
    """One oral dose, one compartment, no randomness: individuals that differ, as many samples."""
    base = golden_studies()[0]
    times = np.geomspace(0.25, 24.0, samples)
    people = []
    for k in range(individuals):
        one, turn = base.individuals[k % len(base)], k // len(base)
        logs = np.interp(times, one.times, np.log(one.concentrations))
        wave = 0.05 * np.sin(1.7 * turn + np.arange(samples) + k)
        people.append(Individual(str(k), times, np.exp(logs + wave), one.doses))
    return replace(base, individuals=tuple(people))
