"""Maximum mean discrepancy of concentration-time paths with a signature kernel.

The kernel compares whole paths, on whatever grids (Kiraly & Oberhauser 2019; Salvi et al. 2021);
computed by pysiglib.  It is normalized to k(x, x) = 1: the raw kernel grows exponentially with a
path's length, so that one long path decides everything (Chevyrev & Oberhauser 2022).  Values
depend on kernel and normalization; compare them with others of this module only.

Shapes: n real individuals, m generated for each, L points of a path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agmpk.cohorts.blocks import permutation_p, pretend
from agmpk.errors import AgmpkError


@dataclass(frozen=True)
class Discrepancy:
    """mmd2: the unbiased estimate of MMD^2 (0 where the laws are equal; may be negative), with the
    interval of a jackknife over clusters; p by permutation in blocks; null_high: 95 % of the null
    is below; n: real individuals."""

    mmd2: float
    low: float
    high: float
    p: float
    null_high: float
    n: int


def paths(
    times: Sequence[NDArray[np.float64]],
    logs: Sequence[NDArray[np.float64]],
    last: float,
    centre: float,
    spread: float,
    points: int | None = None,
) -> NDArray[np.float64]:
    """Normalized paths [n, L, 2] from each individual's times [T] h and ln concentrations [T].

    The normalization: channel 0 is time / ``last``, channel 1 is (ln y - ``centre``) / ``spread``,
    where all three come from the context: its last time, and mean and SD of its ln (y / dose).
    Every path starts at a common base point (0, 0), so that its level counts and not only its
    increments, and is padded to L by repeating its last point, which changes no signature.
    ``points`` is L (by default as many as the longest needs).
    """
    length = 1 + max(len(t) for t in times) if points is None else points
    found = np.zeros((len(times), length, 2))
    for path, t, y in zip(found, times, logs, strict=True):
        path[1 : len(t) + 1, 0], path[1 : len(t) + 1, 1] = t / last, (y - centre) / spread
        path[len(t) + 1 :] = path[len(t)]
    return found


def signature_gram(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    sigma: float = 1.0,
    dyadic_order: int = 1,
    normalize: bool = True,
) -> NDArray[np.float64]:
    """Signature kernels [n1, n2] of two sets of paths [n1, L1, 2] and [n2, L2, 2], lifted by
    exp(-|x - y|^2 / ``sigma``); ``normalize`` divides by sqrt(k(x, x) k(y, y)).

    Raises:
        AgmpkError: pysiglib is not installed.
    """
    try:
        import pysiglib
    except ImportError:
        raise AgmpkError(
            "The signature-kernel distance needs pysiglib: install agmpk[metrics]."
        ) from None
    kernel = pysiglib.sig_kernel_gram(
        np.array(first),  # it wants arrays that own their data
        np.array(second),
        dyadic_order=dyadic_order,
        static_kernel=pysiglib.RBFKernel(sigma),
        normalize=normalize,
    )
    return np.asarray(kernel)


def mmd2(
    gram: NDArray[np.float64],
    real: NDArray[np.bool_],
    made: NDArray[np.bool_],
    clusters: NDArray,
) -> NDArray[np.float64]:
    """Unbiased MMD^2 [P] (Gretton et al. 2012, eq. 3) from the kernels [N, N] of all paths.

    Column p of ``real`` and ``made`` [N, P] marks who is real and who generated in variant p.
    Only pairs of different ``clusters`` [N] count, because members of one are not independent;
    where everybody is a cluster of its own this is the usual estimator.
    """
    apart = (clusters[:, None] != clusters).astype(float)
    x, y = real.astype(float), made.astype(float)

    def mean(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return (a * ((gram * apart) @ b)).sum(0) / (a * (apart @ b)).sum(0)

    return mean(x, x) + mean(y, y) - 2 * mean(x, y)


def signature_mmd(
    blocks: NDArray[np.float64],
    clusters: ArrayLike | None = None,
    permutations: int = 199,
    sigma: float = 1.0,
    dyadic_order: int = 1,
    seed: int = 0,
) -> Discrepancy:
    """Discrepancy of real and generated individuals from paths ``blocks`` [n, 1 + m, L, 2] with
    the real one first (:func:`agmpk.cohorts.blocks.as_blocks`).

    Args:
        clusters: [n] label of each block, say its study: pairs within one are not compared, and
            the jackknife leaves out one at a time.  By default every block is its own.

    Raises:
        AgmpkError: fewer than three clusters, or pysiglib is missing.
    """
    n, members = blocks.shape[:2]
    label = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    count = int(label.max(initial=-1)) + 1
    if count < 3:
        raise AgmpkError(
            f"The signature-kernel distance needs three individuals (or studies), not {count}."
        )
    flat = blocks.reshape(n * members, *blocks.shape[2:])
    gram = signature_gram(flat, flat, sigma, dyadic_order)
    label = np.repeat(label, members)
    chosen = pretend(n, members - 1, permutations, seed)  # [P, n]
    real = (chosen[..., None] == np.arange(members)).reshape(len(chosen), -1).T
    found = mmd2(gram, real, ~real, label)
    kept = label[:, None] != np.arange(count)
    left_out = mmd2(gram, real[:, :1] & kept, ~real[:, :1] & kept, label)
    half = 1.96 * np.sqrt((count - 1) * np.var(left_out))
    return Discrepancy(
        float(found[0]),
        float(found[0] - half),
        float(found[0] + half),
        permutation_p(found),
        float(np.quantile(found[1:], 0.95)) if permutations else np.nan,
        n,
    )
