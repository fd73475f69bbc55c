"""A checkpoint: weights (safetensors), configuration, digest, training log; never pickle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

import agmpk
from agmpk.errors import AgmpkError
from agmpk.files import atomic_path, sha256
from agmpk.models.registry import build_model, model_config
from agmpk.training.card import write_card
from agmpk.training.folder import ENVIRONMENT, run_config, run_prior

FORMAT = 2
WEIGHTS, DESCRIPTION, DIGESTS = "weights.safetensors", "checkpoint.json", "SHA256SUMS"


def save_checkpoint(model: nn.Module, run: Path, folder: Path, half: bool = True) -> None:
    """Write a finished model and the record of its run (``run`` folder) as a checkpoint.

    With it go the whole prior, the logs and a model card.

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
        "size": model.config.to_dict(),
        "parameters": sum(p.numel() for p in model.parameters()),
        "context": max(prior["design"]["individuals"]) - config.targets,
        "training": config.to_dict(),
        "prior": prior,
        "environment": json.loads((run / ENVIRONMENT).read_text("utf-8")),
    }
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(weights, temporary)
    with atomic_path(folder / DESCRIPTION) as temporary:
        Path(temporary).write_text(json.dumps(description, indent=1) + "\n", "utf-8")
    for log in ("steps.csv", "validation.csv"):
        with atomic_path(folder / log) as temporary:
            shutil.copyfile(run / log, temporary)
    with atomic_path(folder / "CARD.md") as temporary:
        Path(temporary).write_text(write_card(folder), "utf-8")
    sums = "".join(f"{sha256(folder / name)}  {name}\n" for name in (WEIGHTS, DESCRIPTION))
    with atomic_path(folder / DIGESTS) as temporary:
        Path(temporary).write_text(sums, "utf-8")


def describe(folder: Path) -> dict[str, Any]:
    """Verify the files of a checkpoint and return its description.

    Raises
    ------
    AgmpkError
        If a file is missing or differs from its digest, or the checkpoint is of another format.
    """
    for name in (WEIGHTS, DESCRIPTION, DIGESTS):
        if not (folder / name).is_file():
            raise AgmpkError(f"The checkpoint {folder} lacks {name}: restore it.")
    for line in (folder / DIGESTS).read_text("utf-8").splitlines():
        digest, name = line.split(maxsplit=1)
        if sha256(folder / name) != digest:
            raise AgmpkError(
                f"{folder / name} is damaged: its SHA-256 differs from {DIGESTS}; restore it."
            )
    try:
        description = json.loads((folder / DESCRIPTION).read_text("utf-8"))
        found = description.get("format")
    except (ValueError, AttributeError):
        raise AgmpkError(f"{folder / DESCRIPTION} is no description: restore it.") from None
    if found != FORMAT:
        raise AgmpkError(
            f"The checkpoint {folder} has format {found} and this version of agmpk reads format "
            f"{FORMAT}: use the agmpk it was made with ({description.get('agmpk')})."
        )
    return description


def load_checkpoint(folder: Path, kind: str | None = None) -> nn.Module:
    """Load and verify a checkpoint; ``kind`` is the model that is wanted (None: whichever).

    Raises
    ------
    AgmpkError
        If a file is missing or differs from its digest, or the checkpoint is of another format or
        of another model.
    """
    folder = Path(folder)
    description = describe(folder)
    found = description["model"]
    if kind is not None and found != kind:
        raise AgmpkError(f"The checkpoint {folder} holds a {found!r} model, not a {kind!r} model.")
    model = build_model(found, model_config(found, description["size"]))
    try:
        model.load_state_dict({k: v.float() for k, v in load_file(folder / WEIGHTS).items()})
    except (RuntimeError, SafetensorError) as error:
        raise AgmpkError(f"{folder / WEIGHTS} does not fit its configuration: {error}.") from error
    return model.eval()
