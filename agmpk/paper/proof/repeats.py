"""The same again: every sampler twice with one seed, in a process of its own, with two threads, and
with another seed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from agmpk.evaluation import benchmark_studies
from agmpk.forecasting import generate, load_forecaster
from agmpk.paper.proof import Tally
from agmpk.prior.config import load_prior
from agmpk.prior.simulate import simulate
from agmpk.prior.table import to_studies

TOLERANCE = 1e-4
"""Of ln concentration, where the order of additions differs (another number of threads)."""
SEEDS = 10


def _forecast(model: str, seed: int) -> NDArray[np.float64]:
    study = benchmark_studies()["indometacin"]
    ask = study.without("1"), study["1"].prefix(3), study["1"].times[3:]
    return np.log(load_forecaster(model).forecast(*ask, 20, seed).samples)


def _cohort(seed: int) -> NDArray[np.float64]:
    study = benchmark_studies()["indometacin"]
    found = generate(load_forecaster("flow"), study, 10, seed=seed)
    return np.log(np.concatenate([one.concentrations for one in found]))


def _simulated(seed: int) -> NDArray[np.float64]:
    studies = to_studies(simulate(load_prior("calibrated"), 4, seed))
    values = np.concatenate([one.concentrations for study in studies for one in study])
    return np.log(np.where(values > 0, values, 1.0))


SAMPLERS: dict[str, Callable[[int], NDArray[np.float64]]] = {
    "forecast naive": lambda seed: _forecast("naive", seed),
    "forecast flow": lambda seed: _forecast("flow", seed),
    "forecast aicmet": lambda seed: _forecast("aicmet", seed),
    "cohort flow": _cohort,
    "simulation": _simulated,
}
"""By name, from a seed to logarithms of concentrations, always in the same order."""


def digests(seed: int) -> dict[str, str]:
    """SHA-256 of what each sampler draws with one thread."""
    torch.set_num_threads(1)
    return {name: hashlib.sha256(draw(seed).tobytes()).hexdigest()
            for name, draw in SAMPLERS.items()}  # fmt: skip


def repeats(scale: float = 1.0, seed: int = 0) -> list[Tally]:
    """Compare, for ``scale`` times ``SEEDS`` seeds (at least one)."""
    seeds = [seed + k for k in range(max(1, round(scale * SEEDS)))]
    threads = torch.get_num_threads()
    try:
        return [
            Tally("repeats", "one seed twice: the same bytes").run(_twice(seeds)),
            Tally("repeats", "another process: the same bytes").run(_elsewhere(seeds[:2])),
            Tally("repeats", f"two threads: within {TOLERANCE:g}").run(_threads(seeds)),
            Tally("repeats", "another seed: other numbers").run(_others(seeds)),
        ]
    finally:
        torch.set_num_threads(threads)


def _each(seeds: list[int], check: Callable[[Callable, int], bool]) -> Iterator[Callable]:
    for one in seeds:
        for name, draw in SAMPLERS.items():
            yield lambda draw=draw, one=one, name=name: (
                "" if check(draw, one) else f"{name}, seed {one}"
            )


def _twice(seeds: list[int]) -> Iterator[Callable]:
    torch.set_num_threads(1)
    return _each(seeds, lambda draw, one: draw(one).tobytes() == draw(one).tobytes())


def _others(seeds: list[int]) -> Iterator[Callable]:
    def differ(draw: Callable, one: int) -> bool:
        return draw(one).tobytes() != draw(one + 1).tobytes()

    return _each(seeds, differ)


def _threads(seeds: list[int]) -> Iterator[Callable]:
    def agree(draw: Callable, one: int) -> bool:
        torch.set_num_threads(1)
        alone = draw(one)
        torch.set_num_threads(2)
        both = draw(one)
        torch.set_num_threads(1)
        return alone.shape == both.shape and bool(np.abs(alone - both).max() <= TOLERANCE)

    return _each(seeds, agree)


def _elsewhere(seeds: list[int]) -> Iterator[Callable]:
    code = "import json,sys; from agmpk.paper.proof.repeats import digests; "
    code += "print(json.dumps(digests(int(sys.argv[1]))))"
    for one in seeds:
        environment = os.environ | {"PYTHONHASHSEED": str(one + 1)}
        words = [sys.executable, "-c", code, str(one)]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        found = json.loads(done.stdout) if done.returncode == 0 else {}
        for name, digest in digests(one).items():
            yield lambda name=name, digest=digest, found=found, one=one: (
                "" if found.get(name) == digest else f"{name}, seed {one}"
            )
