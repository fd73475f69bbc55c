"""Bioequivalence-like trials from a prior: the design is the literature's, the drug the prior's.

A bioequivalence (BE) trial gives one oral dose of a known amount to some two dozen healthy people
and samples all of them at the same clock times.  So the design of the prior is replaced by that
one; disposition, absorption, variability and assay stay as they are.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pandas as pd

from agmpk.calibration.recorded import recorded, study_draws
from agmpk.calibration.summaries import summarize
from agmpk.prior import PriorConfig, simulate_block
from agmpk.prior.laws import Law

SUBJECTS = 24
"""Subjects of a trial: the smallest usual size, and the literature's lower quartile."""

SAMPLES = 18
"""Samples after the dose, as protocols of BE trials have them (EMA guideline, 2010)."""

NONE = Law(0.0, 0.0)


def be_trials(config: PriorConfig, horizons: tuple[float, ...]) -> PriorConfig:
    """``config`` with the design of BE trials that end at one of ``horizons`` [h]."""
    design = {
        "individuals": _like(config.design.individuals, SUBJECTS),
        "observations": (SAMPLES, SAMPLES),
        "horizons": tuple(float(h) for h in horizons),
        "peak_schedule_probability": 0.0,
        "clock_schedule_probability": 1.0,
        "deviation_probability": 0.0,
        "missed": NONE,
    }
    dosing = {
        "oral_probability": 1.0,
        "same_dose_probability": 1.0,
        "repeated_probability": 0.0,
        "per_kg_probability": 0.0,
    }
    return known(config, design=design, dosing=dosing, metabolite={"probability": 0.0})


def simulated_trials(config: PriorConfig, seed: int, blocks: int) -> pd.DataFrame:
    """Summaries of ``blocks`` blocks of trials, one row a trial."""
    return pd.concat([trial_block(config, seed, b) for b in range(blocks)], ignore_index=True)


def trial_block(config: PriorConfig, seed: int, block: int) -> pd.DataFrame:
    """Summaries of the trials of one block, with the hyper-parameters they were drawn from.

    Columns: the quantities of :func:`summarize` and "group.quantity" names.
    """
    watched = recorded(config)
    studies = simulate_block(watched, seed, block)
    columns = {**summarize(studies), **study_draws(watched, len(studies))}
    return pd.DataFrame({name: values.numpy() for name, values in columns.items()})


def known(config: PriorConfig, **groups: dict[str, Any]) -> PriorConfig:
    """``config.replace`` without the switches that this version of the prior does not have."""
    kept = {}
    for group, values in groups.items():
        names = {f.name for f in fields(getattr(config, group))}
        kept[group] = {name: value for name, value in values.items() if name in names}
    return config.replace(**kept)


def _like(counts: tuple[int, ...], n: int) -> tuple[int, ...]:
    return tuple(n for _ in counts)
