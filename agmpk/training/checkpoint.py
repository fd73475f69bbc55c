"""Writing a checkpoint: weights, configuration, digests, logs and a model card, which is written
from the description and the logs.

Read by ``agmpk.models.registry``, which needs neither the simulator nor the trainer.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import save_file
from torch import nn

import agmpk
from agmpk.files import atomic_path, sha256, write_text
from agmpk.models.registry import (
    DESCRIPTION,
    DIGESTS,
    FORMAT,
    MODELS,
    WEIGHTS,
    build_model,
    model_config,
)
from agmpk.training.config import TrainingConfig
from agmpk.training.folder import run_config, run_environment, run_prior, start_folder

ALONE = "It sees the individual alone, never the other individuals of the study. "

TEXT = """# Model card: {model}

Written by `agmpk train` from `checkpoint.json`, `steps.csv` and `validation.csv`.

| | |
| --- | --- |
| Model | {model}: {sentence} |
| Size | {parameters:,} parameters; {size} |
| Prior | `{prior}`, whole in `checkpoint.json` |
| Training | {steps} steps of {block} studies ({studies:,} simulated studies{views}), {rates}, \
{precision}, seed {seed}{start} |
| Cost | {hours:.2f} h on {hardware}, torch {torch} |
| Validation | {validation} |
| Weights | half precision, safetensors; loaded as single precision |

**Intended use.** {use} Research and teaching.

**Limits.** {alone}Contexts of up to {context} individuals were seen in training. Any list of \
doses can be asked, individual by individual; seen in training is what the prior draws: \
{doses}. It knows what its prior can draw and nothing else; real studies were never used in \
training. Its intervals are the prior's and are not guaranteed for a real study. It is no \
basis for dosing a patient.
"""

FORECAST = (
    "Forecasting an individual's concentrations from its first samples and the other individuals "
    "of its study"
)
GENERATION = "; generating virtual individuals of a study."


def save_checkpoint(model: nn.Module, run: Path, folder: Path, half: bool = True) -> None:
    """Write a finished model and the record of its run (``run`` folder) as a checkpoint.

    ``half`` stores the weights in half precision, which halves the file and moves predictions by
    less than a thousandth.
    """
    run, folder = Path(run), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    dtype = torch.float16 if half else torch.float32
    weights = {k: v.detach().to(dtype).contiguous() for k, v in model.state_dict().items()}
    config, prior = run_config(run), run_prior(run)
    description = {
        "format": FORMAT,
        "model": config.kind,
        "agmpk": agmpk.__version__,
        "size": asdict(model.config),
        "parameters": sum(p.numel() for p in model.parameters()),
        "context": largest_context(prior, config.targets),
        "training": config.to_dict(),
        "before": _before(config.start),
        "prior": prior,
        "environment": run_environment(run),
    }
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(weights, temporary)
    write_text(folder / DESCRIPTION, json.dumps(description, indent=1) + "\n")
    # The digests before anything optional: what is written so far can be loaded.
    sums = "".join(f"{sha256(folder / name)}  {name}\n" for name in (WEIGHTS, DESCRIPTION))
    write_text(folder / DIGESTS, sums)
    for log in ("steps.csv", "validation.csv"):
        if log == "validation.csv" and not (run / log).is_file():
            (folder / log).unlink(missing_ok=True)
            continue  # exported before the first validation
        with atomic_path(folder / log) as temporary:
            shutil.copyfile(run / log, temporary)
    write_text(folder / "CARD.md", write_card(folder))


def _before(start: str) -> dict[str, float] | None:
    """What the weights that a run began with had cost: simulated studies, and hours."""
    if not start or not (start_folder(start) / DESCRIPTION).is_file():
        return None
    about = json.loads((start_folder(start) / DESCRIPTION).read_text("utf-8"))
    steps = pd.read_csv(start_folder(start) / "steps.csv")
    earlier = about.get("before") or {"studies": 0, "hours": 0.0}
    studies = TrainingConfig.from_dict(about["training"]).studies * len(steps)
    hours = round(steps.seconds.sum() / 3600, 2)
    return {"studies": earlier["studies"] + studies, "hours": earlier["hours"] + hours}


def write_card(folder: Path) -> str:
    """The text of the card of the checkpoint in ``folder``.

    Raises:
        AgmpkError: its description is of settings or of a model that this version does not know.
    """
    folder = Path(folder)
    about = json.loads((folder / "checkpoint.json").read_text("utf-8"))
    steps = pd.read_csv(folder / "steps.csv")
    training, kind = about["training"], about["model"]
    settings = TrainingConfig.from_dict(training)
    generates = build_model(kind, model_config(kind, about["size"])).generates
    return TEXT.format(
        model=kind,
        sentence=MODELS[kind].sentence,
        parameters=about["parameters"],
        size=", ".join(f"{k.replace('_', ' ')} {v}" for k, v in about["size"].items()),
        prior=about["prior"]["name"],
        steps=len(steps),
        block=settings.studies,
        studies=settings.studies * len(steps),
        views=f", each in {settings.views} views" if settings.views > 1 else "",
        rates=_rates(training),
        precision=training["precision"],
        seed=training["seed"],
        start=_start(training, about.get("before")),
        hours=steps.seconds.sum() / 3600,
        hardware=_hardware(about["environment"]),
        torch=about["environment"]["torch"],
        validation=_validation(folder / "validation.csv"),
        use=FORECAST + (GENERATION if generates else "."),
        alone="" if generates else ALONE,
        context=about["context"],
        doses=_doses(about["prior"]["dosing"]),
    )


def largest_context(prior: dict[str, Any], targets: int) -> int:
    """The most individuals that a study of the prior (plain values) shows of itself, where up to
    ``targets`` of its individuals, at most half of them, are to be forecast."""
    design = prior["design"]
    people = max(cap or max(design["individuals"]) for cap in design.get("caps") or [0])
    return people - min(max(1, people // 2), targets)


def _rates(training: dict[str, Any]) -> str:
    if training["optimizer"] != "muon":
        return f"peak rate {training['rate']:g}"
    return f"peak rates {training['matrix_rate']:g} (Muon) and {training['rate']:g} (AdamW)"


def _start(training: dict[str, Any], before: dict[str, float] | None) -> str:
    if not training.get("start"):
        return ""
    cost = f" ({before['studies']:,} studies, {before['hours']:.2f} h before)" if before else ""
    held = ", part of which were held fixed" if training.get("frozen") else ""
    return f"; begun with the weights of `{Path(training['start']).name}`{cost}{held}"


def _doses(dosing: dict[str, Any]) -> str:
    oral = dosing["oral_probability"]
    routes = [name for name, share in (("oral", oral), ("intravenous", 1 - oral)) if share > 0]
    most = [dosing["max_doses"] if dosing["repeated_probability"] else 1]
    most += [2] if dosing.get("crossover_probability") else []
    for name in ("course", "monitoring", "newborn"):
        if dosing.get(f"{name}_probability"):
            most.append(max(dosing[f"{name}_doses"]))
    return f"{' and '.join(routes)} doses, up to {max(most)} of an individual"


def _hardware(machine: dict) -> str:
    if machine["device"] != "cpu":
        return f"{machine['processes']} x {machine['machine']}"
    share = f"{machine['processes']} process(es) of " if machine["processes"] > 1 else ""
    return f"{share}{machine['threads']} CPU thread(s), {machine['machine']}"


def _validation(file: Path) -> str:
    if not file.is_file():
        return "not validated yet"
    last = pd.read_csv(file).iloc[-1]
    shown = {"four samples": "", "one sample": "_prefix1"}
    return "simulated studies; " + "; ".join(
        f"{text} shown: log-RMSE {last[f'log_rmse{tail}']:.3f} "
        f"(naive {last[f'log_rmse_naive{tail}']:.3f}), CRPS {last[f'crps{tail}']:.3f}, 90 % "
        f"intervals cover {last[f'coverage_90{tail}']:.1%}"
        for text, tail in shown.items()
    )
