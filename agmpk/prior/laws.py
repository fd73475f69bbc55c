"""What is random in the prior: laws of its ranges, streams to draw from, and processes in time.

Every part of a block draws from a stream of its own name, so that switching one part off leaves
what the other parts draw as it was, bit for bit.

The processes are Ornstein-Uhlenbeck deviations of log-parameters, exact on any time grid:

    d theta = -lambda (theta - mu) dt + sigma dW,

started in its stationary law; here the deviation theta - mu is drawn.  A solver that holds rates
constant in each interval needs the mean over the interval, which is not the mean of the two ends:
over 96 h a process of time scale 1 h has a mean of SD 0.14 of its own, the ends' mean one of 0.71.
So the value at the end of each interval and the mean over it are drawn together, which is a
bivariate Gaussian in closed form.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agmpk.config import read_value
from agmpk.errors import AgmpkError

SERIES = 0.03  # intervals below this many time scales: the mean's variance by its series
WAVES = 16  # of a process that a study shares
SHORT = 1e-4  # h; over shorter intervals the mean of the waves is that of the two ends


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
        u = draw_uniform(shape, generator)
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            return torch.exp(low + (high - low) * u)
        return self.low + (self.high - self.low) * u

    def to_plain(self) -> dict[str, list[float]]:
        """The form in which a preset file holds this law."""
        return {"log_uniform" if self.log else "uniform": [self.low, self.high]}

    @classmethod
    def from_plain(cls, value: object, where: str) -> Law:
        """Read ``{uniform: [low, high]}``; ``where`` names the entry in an error.

        Raises:
            AgmpkError: it is written otherwise.
        """
        if isinstance(value, dict) and len(value) == 1:
            ((kind, bounds),) = value.items()
            if kind in ("uniform", "log_uniform") and isinstance(bounds, list) and len(bounds) == 2:
                low, high = (read_value(float, bound, where) for bound in bounds)
                return cls(low, high, log=kind == "log_uniform")
        raise AgmpkError(
            f"{where} must be written {{uniform: [low, high]}} or {{log_uniform: [low, high]}}, "
            f"not {value!r}."
        )


def draw_integer(low: int, high: int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Uniform integers on ``low..high``, both ends included, int64."""
    return torch.randint(low, high + 1, shape, generator=generator)


def draw_uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Independent draws, uniform on [0, 1), float64."""
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def draw_switch(probability: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Independent booleans that are true with the given probability."""
    return draw_uniform(shape, generator) < probability


def draw_normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Independent standard normal draws, float64."""
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@dataclass(frozen=True)
class Streams:
    """The streams of block ``block`` of ``seed``; a call by name starts one anew."""

    seed: int
    block: int

    def __call__(self, part: str) -> torch.Generator:
        return seeded(self.seed, self.block, zlib.crc32(part.encode()))


def seeded(*numbers: int, device: str = "cpu") -> torch.Generator:
    """One generator for each list of numbers, independent of the others (numpy's SeedSequence)."""
    state = np.random.SeedSequence(numbers).generate_state(2, np.uint32)
    return torch.Generator(device).manual_seed(int(state[0]) << 32 | int(state[1]))


def ou_paths(
    times: Tensor, stationary_sd: Tensor, time_scale: Tensor, generator: torch.Generator
) -> Tensor:
    """Deviations [..., G, K] of K independent processes at increasing ``times`` [..., G] in hours.

    ``stationary_sd`` is [..., K] (sigma / sqrt(2 lambda)), ``time_scale`` is [...] in hours
    (1 / lambda).  Mean 0, variance stationary_sd**2, autocorrelation exp(-|t - t'| / time_scale).
    """
    noise = draw_normal((*times.shape, 2 * stationary_sd.shape[-1]), generator)
    return ou_from_noise(times, stationary_sd, time_scale, noise)[0]


def ou_from_noise(
    times: Tensor, stationary_sd: Tensor, time_scale: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor]:
    """Values at the times [..., G, K] and means over the intervals [..., G - 1, K].

    From standard normal ``noise`` [..., G, 2 K]; of the first time, K numbers count.
    """
    a = (times.diff(dim=-1) / time_scale[..., None])[..., None]
    decay, of_start, sd_end, by_end, rest = _joint(a)
    z, other = noise.chunk(2, -1)
    values = [z[..., 0, :]]
    innovation = sd_end * z[..., 1:, :]
    for k in range(times.shape[-1] - 1):
        values.append(decay[..., k, :] * values[-1] + innovation[..., k, :])
    path = torch.stack(values, dim=-2)
    mean = of_start * path[..., :-1, :] + by_end * z[..., 1:, :] + rest * other[..., 1:, :]
    sd = stationary_sd[..., None, :]
    return path * sd, mean * sd


def _joint(a: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The transition of a process of SD 1 over intervals of ``a`` time scales.

    End = decay start + sd_end z,  mean = of_start start + by_end z + rest z', with independent
    standard normal z and z'.
    """
    decay, left = torch.exp(-a), -torch.expm1(-a)
    small = a.clamp(min=1e-12)
    of_start = torch.where(a > 1e-12, left / small, 1.0)
    sd_end = torch.sqrt(left * (1 + decay))
    variance = (2 * a - 3 + 4 * decay - decay.square()) / small.square()
    series = a * (2 / 3 - a / 2 + 7 * a.square() / 30)
    variance = torch.where(a > SERIES, variance, series)
    by_end = torch.where(a > 1e-12, left.square() / small / sd_end.clamp(min=1e-12), 0.0)
    rest = torch.sqrt((variance - by_end.square()).clamp(min=0))
    return decay, of_start, sd_end, by_end, rest


def shared_waves(
    stationary_sd: Tensor, time_scale: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """K processes that all individuals of a study share, as sums of waves.

    The spectrum of the process is a Cauchy density: with angular frequencies drawn from it (one in
    each of ``WAVES`` strata) and Gaussian amplitudes, variance and autocorrelation are those of the
    process at all times, no grid needed (Rahimi & Recht 2007).

    Args:
        stationary_sd: [S, K].
        time_scale: [S] h.
        generator: the stream.

    Returns:
        Frequencies [S, WAVES] in 1/h and amplitudes [S, 2 WAVES, K] of cosines and sines.
    """
    (S, K), m = stationary_sd.shape, torch.arange(WAVES)
    u = (m + draw_uniform((S, WAVES), generator)) / WAVES
    frequency = (torch.tan(0.5 * math.pi * u) / time_scale[:, None]).clamp(1e-4, 1e4)
    z = draw_normal((S, 2 * WAVES, K), generator)
    return frequency, z * stationary_sd[:, None] / math.sqrt(WAVES)


def shared_at(frequency: Tensor, amplitude: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
    """Values [N, G, K] and means over intervals [N, G - 1, K] of the waves of N individuals.

    ``frequency`` [N, WAVES], ``amplitude`` [N, 2 WAVES, K], ``times`` [N, G] h.
    """
    phase = times[..., None] * frequency[:, None]
    cosine, sine = torch.cos(phase), torch.sin(phase)
    value = torch.cat([cosine, sine], -1) @ amplitude
    # The integral of a cos + b sin from 0 is (a sin - b (cos - 1)) / frequency.
    over = 1 / frequency[:, None]
    integral = torch.cat([sine * over, (1 - cosine) * over], -1) @ amplitude
    steps = times.diff(dim=-1)[..., None]
    middle = 0.5 * (value[:, 1:] + value[:, :-1])
    mean = integral.diff(dim=1) / steps.clamp(min=SHORT)
    return value, torch.where(steps > SHORT, mean, middle)
