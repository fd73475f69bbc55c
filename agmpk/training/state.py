"""The state of a run on disk: weights, averaged weights, optimizer moments, step; no pickle."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from agmpk.errors import AgmpkError
from agmpk.files import atomic_path

MOMENTS = ("exp_avg", "exp_avg_sq")


def save_state(
    path: Path,
    step: int,
    model: nn.Module,
    average: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write everything that the next step needs, in one atomic file."""
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.items()}
    for name, parameter in model.named_parameters():
        for moment in MOMENTS:
            tensors[f"{moment}.{name}"] = optimizer.state[parameter][moment]
    payload = save(
        {k: v.contiguous() for k, v in tensors.items()},
        metadata={"run": json.dumps({"step": step})},
    )
    with atomic_path(path) as temporary:
        Path(temporary).write_bytes(payload)


def load_state(
    path: Path, model: nn.Module, average: dict[str, Tensor], optimizer: torch.optim.Optimizer
) -> int:
    """Restore all of it in place and return the number of finished steps.

    Raises
    ------
    AgmpkError
        If the file is not a state of this model.
    """
    try:
        tensors = load_file(path)
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length))
        step = json.loads(header["__metadata__"]["run"])["step"]
        model.load_state_dict(
            {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
        )
    except Exception as error:
        raise AgmpkError(
            f"{path} is not a state of this run ({error}): remove the run folder to start afresh."
        ) from error
    for key in average:
        average[key].copy_(tensors[f"average.{key}"])
    for name, parameter in model.named_parameters():
        optimizer.state[parameter] = {
            "step": torch.tensor(float(step)),
            **{moment: tensors[f"{moment}.{name}"].to(parameter.device) for moment in MOMENTS},
        }
    return step
