"""Matched cohorts: one real individual and the curves generated for it form a block.

If the generator is right, the real member of a block is exchangeable with its generated ones;
so a permutation test draws a pretended real one in each block.  This keeps what real and generated
share (times, dose, context), so that none of it can tell them apart.

Shapes: n blocks, m generated members each; member 0 is the real one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agmpk.errors import AgmpkError


def as_blocks(real: NDArray, generated: NDArray, seed: int = 0) -> NDArray:
    """[n, 1 + m, ...] from ``real`` [n, ...] and ``generated`` [n, m, ...], or, for a cohort that
    is matched to nobody, ``generated`` [M, ...] dealt out at random, M // n to each.

    Raises:
        AgmpkError: shapes do not fit, or fewer generated than real individuals.
    """
    real, generated = np.asarray(real), np.asarray(generated)
    if generated.ndim == real.ndim:
        order = np.random.default_rng(seed).permutation(len(generated))
        m = len(generated) // max(1, len(real))
        generated = generated[order[: m * len(real)]].reshape(len(real), m, *generated.shape[1:])
    fits = generated.shape[0] == len(real) and generated.shape[2:] == real.shape[1:]
    if not fits or not generated.shape[1]:
        raise AgmpkError(
            f"{real.shape} real and {generated.shape} generated values do not match: give as many "
            "generated individuals as real ones, or a multiple, with the same features."
        )
    return np.concatenate([real[:, None], generated], axis=1)


def pretend(n: int, m: int, permutations: int, seed: int) -> NDArray[np.int64]:
    """Which member (0 ... m) plays the real one, [1 + permutations, n]; row 0 is the truth."""
    drawn = np.random.default_rng(seed).integers(0, m + 1, size=(permutations, n))
    return np.vstack([np.zeros((1, n), dtype=np.int64), drawn])


def permutation_p(statistics: NDArray[np.float64]) -> float:
    """One-sided p of statistic 0 among all (large is extreme); NaN without permutations."""
    if len(statistics) < 2:
        return np.nan
    return float(np.mean(statistics >= statistics[0] - 1e-12))
