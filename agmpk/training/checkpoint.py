"""A checkpoint: weights (safetensors), configuration, digest, training log; never pickle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

import agmpk
from agmpk.errors import AgmpkError
from agmpk.files import atomic_path, sha256
from agmpk.models.flow import FlowConfig, FlowModel
from agmpk.prior.preset import load_prior
from agmpk.training.card import write_card

FORMAT = 1
WEIGHTS, DESCRIPTION, DIGESTS = "weights.safetensors", "checkpoint.json", "SHA256SUMS"


def save_checkpoint(model: FlowModel, run: Path, folder: Path, half: bool = True) -> None:
    """Write a finished model and the record of its run (``run`` folder) as a checkpoint.

    With it go the whole prior, the logs and a model card.

    ``half`` stores the weights in half precision, which halves the file and moves predictions by
    less than a thousandth.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kind = torch.float16 if half else torch.float32
    weights = {k: v.detach().to(kind).contiguous() for k, v in model.state_dict().items()}
    config = yaml.safe_load((run / "config.yaml").read_text("utf-8"))
    settings = load_prior(config["prior"])
    description = {
        "format": FORMAT,
        "model": "flow",
        "agmpk": agmpk.__version__,
        "size": model.config.to_dict(),
        "context": settings.design.individuals[1] - config["targets"],
        "training": config,
        "prior": settings.to_dict(),
        "environment": json.loads((run / "environment.json").read_text("utf-8")),
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


def load_checkpoint(folder: Path) -> FlowModel:
    """Load and verify a checkpoint.

    Raises
    ------
    AgmpkError
        If a file is missing or differs from its digest, or the checkpoint is of another format or
        of another model.
    """
    folder = Path(folder)
    for name in (WEIGHTS, DESCRIPTION, DIGESTS):
        if not (folder / name).is_file():
            raise AgmpkError(f"The checkpoint {folder} lacks {name}: restore it.")
    for line in (folder / DIGESTS).read_text("utf-8").splitlines():
        digest, name = line.split(maxsplit=1)
        if sha256(folder / name) != digest:
            raise AgmpkError(
                f"{folder / name} is damaged: its SHA-256 differs from {DIGESTS}; restore it."
            )
    description = json.loads((folder / DESCRIPTION).read_text("utf-8"))
    if description.get("format") != FORMAT:
        raise AgmpkError(
            f"The checkpoint {folder} has format {description.get('format')} and this version of "
            f"agmpk reads format {FORMAT}: use the agmpk it was made with "
            f"({description.get('agmpk')})."
        )
    if description.get("model") != "flow":
        raise AgmpkError(
            f"The checkpoint {folder} holds a {description.get('model')!r} model, not a flow."
        )
    model = FlowModel(FlowConfig(**description["size"]))
    try:
        model.load_state_dict({k: v.float() for k, v in load_file(folder / WEIGHTS).items()})
    except (RuntimeError, SafetensorError) as error:
        raise AgmpkError(f"{folder / WEIGHTS} does not fit its configuration: {error}.") from error
    return model.eval()
