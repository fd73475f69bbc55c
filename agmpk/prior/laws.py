"""Random numbers: the two laws of the prior's ranges, and independent streams to draw them from.

Every part of a block draws from a stream of its own name, so that switching one part off leaves
what the other parts draw as it was, bit for bit.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agmpk.errors import AgmpkError


@dataclass(frozen=True)
class Law:
    """A uniform law on ``[low, high]``, of the quantity itself or of its logarithm.

    Written in YAML as ``{uniform: [low, high]}`` or ``{log_uniform: [low, high]}``.

    Raises:
        AgmpkError: the bounds are not finite, not in order, or not positive for a log-uniform law.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise AgmpkError(
                f"The bounds [{self.low}, {self.high}] of a law must be finite and in order."
            )
        if self.log and self.low <= 0:
            raise AgmpkError(f"A log-uniform law needs a positive lower bound, not {self.low}.")

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Independent draws, float64, of the given shape."""
        u = torch.rand(shape, generator=generator, dtype=torch.float64)
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            return torch.exp(low + (high - low) * u)
        return self.low + (self.high - self.low) * u

    def to_plain(self) -> dict[str, list[float]]:
        """The form in which a preset file holds this law."""
        return {"log_uniform" if self.log else "uniform": [self.low, self.high]}

    @classmethod
    def from_plain(cls, value: object, where: str) -> Law:
        """Read ``{uniform: [low, high]}``; ``where`` names the entry in an error."""
        if isinstance(value, dict) and len(value) == 1:
            ((kind, bounds),) = value.items()
            if kind in ("uniform", "log_uniform") and isinstance(bounds, list) and len(bounds) == 2:
                return cls(float(bounds[0]), float(bounds[1]), log=kind == "log_uniform")
        raise AgmpkError(
            f"{where} must be written {{uniform: [low, high]}} or {{log_uniform: [low, high]}}, "
            f"not {value!r}."
        )


def draw_integer(low: int, high: int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Uniform integers on ``low..high``, both ends included, int64."""
    return torch.randint(low, high + 1, shape, generator=generator)


def draw_switch(probability: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Independent booleans that are true with the given probability."""
    return torch.rand(shape, generator=generator, dtype=torch.float64) < probability


def draw_normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Independent standard normal draws, float64."""
    return torch.randn(shape, generator=generator, dtype=torch.float64)


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
