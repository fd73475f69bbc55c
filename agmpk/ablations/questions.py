"""What every variant is asked: real development cohorts and held-out simulated studies.

Never the 20 benchmark compounds: ablations are choices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from agmpk.evaluation import Case, cases, development_studies
from agmpk.forecasting.amortized import FARTHEST
from agmpk.prior import PriorConfig, simulate
from agmpk.prior.table import to_studies

# Far from the seeds of training and of its validation.
HELD_OUT = 770_000


def development_questions(scoring: Mapping[str, int]) -> list[Case]:
    """Leave one out over the first individuals of each development cohort."""
    found = []
    for name, study in development_studies().items():
        few = replace(study, individuals=study.individuals[: scoring["individuals"]])
        found += cases(name, few, scoring["prefix"])
    return [case for case in found if _answerable(case, scoring["prefix"])]


def simulated_questions(prior: PriorConfig, scoring: Mapping[str, int]) -> list[Case]:
    """The first individuals of held-out studies of the prior, each left out once."""
    batch = simulate(prior, scoring["studies"], HELD_OUT + scoring["seed"])
    found = []
    for study in to_studies(batch):
        # The order of simulated individuals is random: the first are as good as any.
        found += cases(study.compound, study, scoring["prefix"])[: scoring["targets"]]
    return [case for case in found if _answerable(case, scoring["prefix"])]


def _answerable(case: Case, prefix: int) -> bool:
    """Whether every forecaster answers: a whole prefix, something unseen, a context to compare
    with that was followed long enough."""
    context = [one for one in case.context if len(one) >= 2]
    if len(case.prefix) != prefix or not len(case.times) or not context:
        return False
    last = np.max([one.times[-1] for one in context])
    return bool(case.times[-1] <= FARTHEST * last)
