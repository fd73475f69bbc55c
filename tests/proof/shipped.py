"""Golden predictions: what a shipped checkpoint must answer, to three digits, on any machine.

    agmpk paper golden data/checkpoints/flow      # renew, on purpose

They catch a change of the network's code, of the frame of reference, of the sampler, of the seeds
or of the weights.  They do not catch a checkpoint that was bad from the start, nor an error that
only shows on studies unlike those below.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agmpk.forecasting.forecaster import Forecaster
from agmpk.paper.lineup import generative
from agmpk.studies import Dose, Individual, Study

FILE = "golden.csv"
TIMES = np.array([0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 24.0])
TARGET = "7"
PREFIXES = (0, 1, 4)


def golden_studies() -> tuple[Study, ...]:
    """Eight individuals of a one-compartment model, without randomness, three times: one oral dose
    for all; infusions of individual amounts, twice, with values below a limit; mixed routes."""
    oral = _study("oral", lambda i: (Dose(0.0, 100.0, "oral"),))
    infused = _study(
        "infused",
        lambda i: tuple(Dose(t, 40.0 + 20.0 * i, "iv_infusion", 0.5) for t in (0.0, 10.0)),
        lloq=0.8,
    )
    mixed = _study("mixed", lambda i: (Dose(0.0, 100.0, "oral" if i % 2 else "iv_bolus"),))
    return oral, infused, mixed


def _study(name: str, doses: Callable[[int], tuple[Dose, ...]], lloq: float | None = None) -> Study:
    people = []
    for i in range(8):
        z = np.array([np.sin(1.3 * i), np.cos(2.1 * i), np.sin(0.7 * i + 1)])
        ka, ke, V = np.exp(np.array([0.2, -1.7, 3.0]) + 0.3 * z)
        y = sum(_one_dose(dose, TIMES - dose.time, ka, ke) for dose in doses(i)) / V
        y = y * (1 + 0.05 * np.sin(7.0 * i + 3.0 * np.arange(len(TIMES))))
        below = y < (lloq or 0.0)
        y = np.where(below, lloq or 0.0, y)
        people.append(Individual(str(i), TIMES, y, doses(i), censored=below))
    return Study(name, tuple(people), lloq=lloq)


def _one_dose(dose: Dose, since: NDArray, ka: float, ke: float) -> NDArray:
    """Amount in the body [T] at times ``since`` the start of a dose."""
    t = np.clip(since, 0.0, None)
    if dose.route == "oral":
        return dose.amount * ka / (ka - ke) * (np.exp(-ke * t) - np.exp(-ka * t))
    if not dose.duration:
        return dose.amount * np.exp(-ke * t) * (since >= 0)
    run = np.minimum(t, dose.duration)
    rate = dose.amount / dose.duration
    return rate / ke * (1 - np.exp(-ke * run)) * np.exp(-ke * (t - run))


def golden_predictions(forecaster: Forecaster) -> pd.DataFrame:
    """study, prefix, TIME [h], PRED, Q05, Q95 of the last individual of each study, with 0, 1 and 4
    samples shown; not with 0 where the model does not generate."""
    frames = []
    for study in golden_studies():
        for prefix in PREFIXES if generative([forecaster]) else PREFIXES[1:]:
            answer = forecaster.forecast(
                study.without(TARGET), study[TARGET].prefix(prefix), TIMES[prefix:], 64, seed=0
            )
            frame = answer.to_frame()[["TIME", "PRED", "Q05", "Q95"]]
            frame.insert(0, "study", study.compound)
            frame.insert(1, "prefix", prefix)
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)
