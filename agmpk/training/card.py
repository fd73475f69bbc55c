"""The model card of a checkpoint, written from its description and logs."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from agmpk.prior.simulate import BLOCK

METHOD = {
    "flow": "conditional flow matching from a Gaussian-process reference (Lipman et al. 2023)",
    "diffusion": "conditional score-based diffusion, variance-preserving (Song et al. 2021)",
    "aicmet": "latent study and individual effects, neural-process ELBO (Ojeda Marin et al. 2025)",
    "transformer": "transformer of the individual alone, no study level (a rival)",
    "node": "recurrent encoder and latent ODE, no study level (Lu et al. 2021; a rival)",
}
ALONE = "It sees the individual alone, never the other individuals of the study. "

TEXT = """# Model card: {model}

Written by `agmpk.training.card` from `checkpoint.json`, `steps.csv` and `validation.csv`.

| | |
| --- | --- |
| Model | {model}: {method} |
| Size | {parameters:,} parameters; {size} |
| Prior | preset `{prior}` (`agmpk.prior.configs/{prior}.yaml`) |
| Training | {steps} steps of {block} studies ({studies} simulated studies), peak rate {rate:g}, \
{precision}, seed {seed} |
| Cost | {hours:.2f} h on {hardware}, torch {torch} |
| Validation | {validation} |
| Weights | half precision, safetensors; loaded as single precision |

**Intended use.** {use} Research and teaching.

**Limits.** {alone}One route and one schedule of doses per study. Contexts of up to {context}
individuals were seen in training. It knows what its prior can draw (`checkpoint.json` holds the
whole prior). Real studies were never used in training. It is no basis for dosing a patient.
"""

FORECAST = (
    "Forecasting an individual's concentrations from its first samples and the other individuals "
    "of its study"
)


def write_card(folder: Path) -> str:
    """The text of the card of the checkpoint in ``folder``."""
    about = json.loads((folder / "checkpoint.json").read_text("utf-8"))
    steps, scores = (pd.read_csv(folder / name) for name in ("steps.csv", "validation.csv"))
    training, kind = about["training"], about["model"]
    alone = kind in ("transformer", "node")
    generating = "." if alone else "; generating virtual individuals of a study."
    return TEXT.format(
        model=kind,
        method=METHOD[kind],
        parameters=about["parameters"],
        size=", ".join(f"{k.replace('_', ' ')} {v}" for k, v in about["size"].items()),
        prior=training["prior"],
        steps=len(steps),
        block=BLOCK,
        studies=f"{BLOCK * len(steps):,}",
        rate=training["rate"],
        precision=training["precision"],
        seed=training["seed"],
        hours=steps.seconds.sum() / 3600,
        hardware=_hardware(about["environment"]),
        torch=about["environment"]["torch"],
        validation=_validation(scores.iloc[-1]),
        use=FORECAST + generating,
        alone=ALONE if alone else "",
        context=about["context"],
    )


def _hardware(machine: dict) -> str:
    if machine["device"] != "cpu":
        return f"{machine['processes']} x {machine['machine']}"
    share = f"{machine['processes']} process(es) of " if machine["processes"] > 1 else ""
    return f"{share}{machine['threads']} CPU thread(s), {machine['machine']}"


def _validation(last: pd.Series) -> str:
    shown = {"four samples": "", "one sample": "_prefix1"}
    return "simulated studies; " + "; ".join(
        f"{text} shown: log-RMSE {last[f'log_rmse{tail}']:.3f} "
        f"(naive {last[f'log_rmse_naive{tail}']:.3f}), CRPS {last[f'crps{tail}']:.3f}, 90 % "
        f"intervals cover {last[f'coverage_90{tail}']:.1%}"
        for text, tail in shown.items()
    )
