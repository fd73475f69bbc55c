"""Writing a checkpoint: weights, configuration, digests, logs and a model card.

Read by ``agmpk.models.registry``, which needs neither the simulator nor the trainer.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import save_file
from torch import nn

import agmpk
from agmpk.files import atomic_path, sha256
from agmpk.models.registry import DESCRIPTION, DIGESTS, FORMAT, WEIGHTS
from agmpk.prior.simulate import BLOCK
from agmpk.training.card import largest_context, write_card
from agmpk.training.folder import run_config, run_environment, run_prior, start_folder


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
        "model": model.kind,
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
    with atomic_path(folder / DESCRIPTION) as temporary:
        Path(temporary).write_text(json.dumps(description, indent=1) + "\n", "utf-8")
    # The digests before anything optional: what is written so far can be loaded.
    sums = "".join(f"{sha256(folder / name)}  {name}\n" for name in (WEIGHTS, DESCRIPTION))
    with atomic_path(folder / DIGESTS) as temporary:
        Path(temporary).write_text(sums, "utf-8")
    for log in ("steps.csv", "validation.csv"):
        if log == "validation.csv" and not (run / log).is_file():
            (folder / log).unlink(missing_ok=True)
            continue  # exported before the first validation
        with atomic_path(folder / log) as temporary:
            shutil.copyfile(run / log, temporary)
    with atomic_path(folder / "CARD.md") as temporary:
        Path(temporary).write_text(write_card(folder), "utf-8")


def _before(start: str) -> dict[str, float] | None:
    """What the weights that a run began with had cost: simulated studies, and hours."""
    if not start or not (start_folder(start) / DESCRIPTION).is_file():
        return None
    about = json.loads((start_folder(start) / DESCRIPTION).read_text("utf-8"))
    steps = pd.read_csv(start_folder(start) / "steps.csv")
    earlier = about.get("before") or {"studies": 0, "hours": 0.0}
    studies = BLOCK * about["training"]["blocks"] * len(steps)
    hours = round(steps.seconds.sum() / 3600, 2)
    return {"studies": earlier["studies"] + studies, "hours": earlier["hours"] + hours}
