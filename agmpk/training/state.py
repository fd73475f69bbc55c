"""The state of a run on disk: weights, averaged weights, optimizer moments, step; no pickle."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import load_file, save
from torch import Tensor, nn

from agmpk.errors import AgmpkError
from agmpk.files import atomic_path
from agmpk.training.optimizer import Optimizers


def save_state(
    path: Path,
    step: int,
    model: nn.Module,
    average: dict[str, Tensor],
    optimizer: Optimizers,
) -> None:
    """Write everything that the next step needs, in one atomic file."""
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.items()}
    tensors |= {f"optimizer.{k}": v for k, v in optimizer.tensors().items()}
    payload = save(
        {k: v.contiguous() for k, v in tensors.items()},
        metadata={"run": json.dumps({"step": step})},
    )
    with atomic_path(path) as temporary:
        Path(temporary).write_bytes(payload)


def load_state(
    path: Path, model: nn.Module, average: dict[str, Tensor], optimizer: Optimizers
) -> int:
    """Restore all of it in place and return the number of finished steps.

    Raises
    ------
    AgmpkError
        If the file is not a state of this model.
    """
    try:
        tensors, step = _read(path)
        model.load_state_dict(_under("model.", tensors))
        for key, value in _under("average.", tensors).items():
            average[key].copy_(value)
        optimizer.load(_under("optimizer.", tensors), step)
    except Exception as error:
        raise _unusable(path, error) from error
    return step


def load_average(path: Path) -> dict[str, Tensor]:
    """The averaged weights alone.

    Raises
    ------
    AgmpkError
        If the file is missing or no state.
    """
    try:
        return _under("average.", _read(path)[0])
    except Exception as error:
        raise _unusable(path, error) from error


def _read(path: Path) -> tuple[dict[str, Tensor], int]:
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(length))
    return load_file(path), json.loads(header["__metadata__"]["run"])["step"]


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _unusable(path: Path, error: Exception) -> AgmpkError:
    return AgmpkError(
        f"{path} is not a state of this run ({error}): remove the run folder to start afresh."
    )
