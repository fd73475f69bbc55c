"""The processes that share a run: PyTorch's own launcher starts them, this file joins them.

    torchrun --standalone --nproc-per-node 4 --no-python -- agmpk train --recipe flow --run R

Without a launcher there is one process and nothing to join.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from agmpk.errors import AgmpkError


@dataclass(frozen=True)
class Processes:
    """This process' ``rank`` among ``number``; ``device`` is where its network lives."""

    rank: int = 0
    number: int = 1
    device: str = "cpu"

    @property
    def writes(self) -> bool:
        """Whether this process writes the run's files."""
        return self.rank == 0

    def add_up(self, tensors: list[Tensor]) -> None:
        """Replace each tensor by its sum over the processes, in place."""
        if self.number == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        distributed.all_reduce(flat)
        start = 0
        for tensor in tensors:
            tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
            start += tensor.numel()

    def first(self, value: float) -> float:
        """The value that the first process has, in all of them."""
        if self.number == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.broadcast(shared, 0)
        return float(shared)

    def wait(self) -> None:
        """Return when all processes have come here."""
        if self.number > 1:
            distributed.barrier()


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the processes that the launcher started, over gloo (cpu) or NCCL (cuda).

    Where they have joined already, their group is used and left as it is.

    Raises:
        AgmpkError: there is no such device.
    """
    kind = device.split(":")[0]
    if kind not in ("cpu", "cuda") or (kind == "cuda" and not torch.cuda.is_available()):
        raise AgmpkError(f"There is no device {device!r} on this machine: use --device cpu.")
    number = int(os.environ.get("WORLD_SIZE", "1"))
    if number == 1:
        yield Processes(device=device)
        return
    if kind == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    joined_before = distributed.is_initialized()
    if not joined_before:
        distributed.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield Processes(distributed.get_rank(), number, device)
    finally:
        if not joined_before:
            distributed.destroy_process_group()
