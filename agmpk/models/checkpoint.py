"""Reading a checkpoint: weights (safetensors), configuration, digests; never pickle.

Written by ``agmpk.training.checkpoint``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from agmpk.errors import AgmpkError
from agmpk.files import sha256
from agmpk.models.registry import NETWORKS, build_model, model_config

FORMAT = 3
WEIGHTS, DESCRIPTION, DIGESTS = "weights.safetensors", "checkpoint.json", "SHA256SUMS"


def describe(folder: Path) -> dict[str, Any]:
    """Verify the files of a checkpoint and return its description.

    Raises:
        AgmpkError: a file is missing or differs from its digest, or the checkpoint is of another
            format.
    """
    folder = Path(folder)
    for name in (WEIGHTS, DESCRIPTION, DIGESTS):
        if not (folder / name).is_file():
            remedy = "restore it"
            if (folder / "state.json").is_file():  # the folder of a run, see agmpk.training.folder
                remedy = f"first say agmpk train --run {folder} --export --checkpoint FOLDER"
            raise AgmpkError(f"The checkpoint {folder} lacks {name}: {remedy}.")
    for name, digest in _digests(folder / DIGESTS).items():
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
    if description.get("model") not in NETWORKS or not isinstance(description.get("size"), dict):
        raise AgmpkError(f"{folder / DESCRIPTION} does not say which model it is: restore it.")
    return description


def load_checkpoint(folder: Path, kind: str | None = None) -> nn.Module:
    """Load and verify a checkpoint; ``kind`` is the model that is wanted (None: whichever).

    Raises:
        AgmpkError: a file is missing or differs from its digest, or the checkpoint is of another
            format or of another model, or its weights are not numbers.
    """
    folder = Path(folder)
    description = describe(folder)
    found = description["model"]
    if kind is not None and found != kind:
        raise AgmpkError(f"The checkpoint {folder} holds a {found!r} model, not a {kind!r} model.")
    model = build_model(found, model_config(found, description["size"]))
    try:
        weights = {k: v.float() for k, v in load_file(folder / WEIGHTS).items()}
        model.load_state_dict(weights)
    except (RuntimeError, SafetensorError) as error:
        raise AgmpkError(
            f"{folder / WEIGHTS} does not fit its configuration: restore it."
        ) from error
    if not all(bool(torch.isfinite(v).all()) for v in weights.values()):
        raise AgmpkError(f"{folder / WEIGHTS} holds weights that are no numbers: restore it.")
    return model.eval()


def _digests(file: Path) -> dict[str, str]:
    """The digest of each file; exactly the weights and the description must have one."""
    try:
        pairs = [line.split() for line in file.read_text("utf-8").splitlines() if line.strip()]
        digests = {name: digest for digest, name in pairs}
    except (ValueError, UnicodeDecodeError):
        digests = {}
    if set(digests) != {WEIGHTS, DESCRIPTION}:
        raise AgmpkError(f"{file} does not hold the digests of {WEIGHTS} and {DESCRIPTION}.")
    return digests
