"""How far training seeds move the benchmark: the small default, trained from each seed, scored on
the 20 compounds.

For reporting only: it says how large a difference on the benchmark the training seed alone makes,
and no choice rests on it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from agmpk.ablations.run import trained
from agmpk.ablations.settings import SCORING, digest, settings, training_settings
from agmpk.ablations.variants import VARIANTS, YARDSTICK, Variant
from agmpk.evaluation import benchmark_studies, evaluate
from agmpk.files import write_csv
from agmpk.forecasting.amortized import AmortizedForecaster

FILE = "benchmark_seeds.csv"
SAMPLES = 200


def seed_variants() -> list[Variant]:
    """The default and its other seeds."""
    return [variant for variant in VARIANTS if variant.group == YARDSTICK]


def made_with(variant: Variant) -> str:
    """Digest of what the variant's rows depend on: training, sampler and question, not code."""
    values = settings(variant)
    asked = {"sampler": values["sampler"], "prefix": SCORING["prefix"], "samples": SAMPLES}
    return digest(training_settings(values) | asked)


def score_seeds(out: Path, work: Path, say: Callable[[str], None] = print) -> None:
    """Write ``FILE`` in ``out``: the benchmark's rows of each seed, with ``made_with``.

    Networks that are still in ``work`` are not trained again.
    """
    parts = []
    for variant in seed_variants():
        values = settings(variant)
        model, _ = trained(values, work)
        forecaster = AmortizedForecaster(model, variant.name, **values["sampler"])
        rows = evaluate([forecaster], benchmark_studies(), SCORING["prefix"], SAMPLES).results
        parts.append(rows.assign(made_with=made_with(variant)))
        say(f"{variant.name}: log-RMSE {rows.groupby('compound').log_rmse.mean().mean():.3f}")
    write_csv(pd.concat(parts, ignore_index=True), out / FILE)
