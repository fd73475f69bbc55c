"""A large pool of simulated trials from a broad prior, kept on disk block by block.

Each block of trials has its own setting of the switches (lag yes or no, and so on), drawn with
the prior's probabilities, so that the share of accepted trials can be read off for them as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

import agmpk.prior
from agmpk.calibration.ranges import put
from agmpk.calibration.trials import trial_block
from agmpk.files import atomic_path, sha256
from agmpk.prior import PriorConfig


def trial_pool(
    config: PriorConfig,
    switches: Mapping[str, float],
    seed: int,
    blocks: int,
    folder: Path,
    progress: bool = False,
) -> pd.DataFrame:
    """``blocks`` blocks of trials from ``config``; blocks already in ``folder`` are read.

    ``switches`` maps "group.quantity" of a probability to the chance that a block has it at 1
    (else 0); the columns of that name hold 0 or 1.  The files are named by a digest of everything
    that made them, code included, so a changed prior or seed never meets an old block.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for block in tqdm(range(blocks), desc="trials", disable=not progress):
        chosen = switch_settings(switches, seed, block)
        path = folder / f"{_digest(config, chosen, seed, block)}.csv"
        if not path.is_file():
            trials = trial_block(put(config, chosen), seed, block).assign(**chosen)
            with atomic_path(path) as temporary:
                trials.to_csv(temporary, index=False, float_format="%.8g")
        parts.append(pd.read_csv(path))
    return pd.concat(parts, ignore_index=True)


def switch_settings(switches: Mapping[str, float], seed: int, block: int) -> dict[str, float]:
    """0 or 1 for every switch of a block."""
    rng = np.random.default_rng([seed, block, 1])
    return {name: float(rng.random() < chance) for name, chance in switches.items()}


def _digest(config: PriorConfig, chosen: Mapping[str, float], seed: int, block: int) -> str:
    made_from = [config.to_dict(), dict(chosen), seed, block, _code()]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:16]


@lru_cache
def _code() -> list[str]:
    """Digests of the code that makes a block: the simulator and the summaries."""
    folders = [Path(agmpk.prior.__file__).parent, Path(__file__).parent]
    files = [folders[0].glob("*.py"), [folders[1] / f"{n}.py" for n in ("summaries", "trials")]]
    return [sha256(path) for group in files for path in sorted(group)]
