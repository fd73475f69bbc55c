"""Golden predictions: what a shipped checkpoint must answer, to three digits, on any machine.

    agmpk paper golden data/checkpoints/flow      # renew, on purpose

They catch a change of the network's code, of the frame of reference, of the sampler, of the seeds
or of the weights.  They do not catch a checkpoint that was bad from the start, nor an error that
only shows on studies unlike the one below.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from agmpk.evaluation.lineup import generative
from agmpk.forecasting.forecaster import Forecaster
from agmpk.studies import Dose, Individual, Study

FILE = "golden.csv"
TIMES = np.array([0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 24.0])


def golden_study() -> Study:
    """Eight individuals of a one-compartment oral model, without randomness."""
    people = []
    for i in range(8):
        z = np.array([np.sin(1.3 * i), np.cos(2.1 * i), np.sin(0.7 * i + 1)])
        ka, ke, V = np.exp(np.array([0.2, -1.7, 3.0]) + 0.3 * z)
        y = 100 / V * ka / (ka - ke) * (np.exp(-ke * TIMES) - np.exp(-ka * TIMES))
        noise = 1 + 0.05 * np.sin(7.0 * i + 3.0 * np.arange(len(TIMES)))
        people.append(Individual(str(i), TIMES, y * noise, (Dose(0.0, 100.0, "oral"),)))
    return Study("golden", tuple(people))


def golden_predictions(forecaster: Forecaster) -> pd.DataFrame:
    """prefix, TIME [h], PRED, Q05, Q95 of the last individual, with 0, 1 and 4 samples shown; not
    with 0 where the model does not generate."""
    study = golden_study()
    target = study["7"]
    frames = []
    for prefix in (0, 1, 4) if generative([forecaster]) else (1, 4):
        answer = forecaster.forecast(
            study.without("7"), target.prefix(prefix), TIMES[prefix:], 64, seed=0
        )
        frame = answer.to_frame()[["TIME", "PRED", "Q05", "Q95"]]
        frame.insert(0, "prefix", prefix)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)
