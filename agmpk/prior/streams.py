"""Independent random streams: one per seed, block and part of the simulator.

Every part of a block draws from a stream of its own name, so that switching one part off leaves
what the other parts draw as it was, bit for bit.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Streams:
    """The streams of block ``block`` of ``seed``; a call by name starts one anew."""

    seed: int
    block: int

    def __call__(self, part: str) -> torch.Generator:
        return _generator([self.seed, self.block, zlib.crc32(part.encode())])


def block_generator(seed: int, block: int) -> torch.Generator:
    """One generator per (seed, block), independent of each other by numpy's SeedSequence."""
    return _generator([seed, block])


def _generator(entropy: list[int]) -> torch.Generator:
    state = np.random.SeedSequence(entropy).generate_state(2, np.uint32)
    return torch.Generator().manual_seed(int(state[0]) << 32 | int(state[1]))
