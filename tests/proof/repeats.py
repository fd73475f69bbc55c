"""The same again: every sampler twice with one seed, in a process of its own, with two threads, and
with another seed."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from agmpk.evaluation import benchmark_studies
from agmpk.forecasting import generate, load_forecaster
from agmpk.prior.config import load_prior
from agmpk.prior.simulate import simulate
from agmpk.prior.table import to_studies
from proof import Attempt, Command, Kinds

TOLERANCE = 1e-4
"""Of ln concentration, where the order of additions differs (another number of threads)."""


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


def digest(name: str, seed: int) -> str:
    """SHA-256 of what a sampler draws."""
    return hashlib.sha256(SAMPLERS[name](seed).tobytes()).hexdigest()


def kinds(command: Command) -> Kinds:
    """What is compared, by name: ten seeds of each sampler (two in other processes)."""
    torch.set_num_threads(1)
    checks = {
        "one seed twice: the same bytes": (10, _twice),
        "another process: the same bytes": (2, _elsewhere),
        f"two threads: within {TOLERANCE:g}": (10, _threads),
        "another seed: other numbers": (10, _other),
    }
    return {
        what: (seeds * len(SAMPLERS), lambda rng, check=check: _each(rng, check))
        for what, (seeds, check) in checks.items()
    }


def _each(rng: np.random.Generator, check: Callable[[str, int], bool]) -> Attempt:
    """Every sampler in turn with a seed, then with the next."""
    first, names = int(rng.integers(1000)), list(SAMPLERS)

    def attempt(k: int) -> str:
        name, seed = names[k % len(names)], first + k // len(names)
        return "" if check(name, seed) else f"{name}, seed {seed}"

    return attempt


def _twice(name: str, seed: int) -> bool:
    return SAMPLERS[name](seed).tobytes() == SAMPLERS[name](seed).tobytes()


def _other(name: str, seed: int) -> bool:
    return SAMPLERS[name](seed).tobytes() != SAMPLERS[name](seed + 1).tobytes()


def _threads(name: str, seed: int) -> bool:
    alone = SAMPLERS[name](seed)
    torch.set_num_threads(2)
    try:
        both = SAMPLERS[name](seed)
    finally:
        torch.set_num_threads(1)
    return alone.shape == both.shape and bool(np.abs(alone - both).max() <= TOLERANCE)


def _elsewhere(name: str, seed: int) -> bool:
    return _digests_elsewhere(seed).get(name) == digest(name, seed)


@functools.cache
def _digests_elsewhere(seed: int) -> dict[str, str]:
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r}); "
    code += "import json, torch; from proof.repeats import SAMPLERS, digest; "
    code += f"torch.set_num_threads(1); found = {{n: digest(n, {seed}) for n in SAMPLERS}}; "
    environment = os.environ | {"PYTHONHASHSEED": str(seed + 1)}
    words = [sys.executable, "-c", code + "print(json.dumps(found))"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {}
