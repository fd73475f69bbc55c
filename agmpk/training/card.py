"""The model card of a checkpoint, written from its description and logs."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from agmpk.prior.simulate import BLOCK

TEXT = """# Model card: {model}

Written by `agmpk.training.card` from `checkpoint.json`, `steps.csv` and `validation.csv`.

| | |
| --- | --- |
| Model | {model}: conditional flow matching, {size} |
| Prior | preset `{prior}` (`agmpk/prior/presets/{prior}.yaml`) |
| Training | {steps} steps of {block} studies ({studies} simulated studies), seed {seed} |
| Cost | {hours:.2f} h on {threads} CPU thread(s), {machine}, torch {torch} |
| Validation | log-RMSE {log_rmse:.3f} (naive {naive:.3f}), four samples shown, simulated studies |
| Weights | half precision, safetensors; loaded as single precision |

**Intended use.** Forecasting an individual's concentrations from its first samples and the other
individuals of its study; generating virtual individuals of a study. Research and teaching.

**Limits.** One dose per individual, one route per study, at least one other individual to generate.
Trained on contexts of up to {context} individuals. It knows what its prior can draw: linear
kinetics with lag, transit, double peaks, metabolites, polymorphism. Real studies were never used in
training. It is no basis for dosing a patient.
"""


def write_card(folder: Path) -> str:
    """The text of the card of the checkpoint in ``folder``."""
    about = json.loads((folder / "checkpoint.json").read_text("utf-8"))
    steps, scores = (pd.read_csv(folder / name) for name in ("steps.csv", "validation.csv"))
    last, training, machine = scores.iloc[-1], about["training"], about["environment"]
    return TEXT.format(
        model=about["model"],
        size=", ".join(f"{k.replace('_', ' ')} {v}" for k, v in about["size"].items()),
        prior=training["prior"],
        steps=len(steps),
        block=BLOCK,
        studies=f"{BLOCK * len(steps):,}",
        seed=training["seed"],
        hours=steps.seconds.sum() / 3600,
        threads=machine["threads"],
        machine=machine["machine"],
        torch=machine["torch"],
        log_rmse=last.log_rmse,
        naive=last.log_rmse_naive,
        context=about["context"],
    )
