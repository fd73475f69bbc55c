"""Two-sample tests: can generated individuals be told from real ones?

* A classifier: the area under its ROC curve is 0.5 where it cannot (Lopez-Paz & Oquab 2017;
  Friedman 2003).
* The maximum mean discrepancy of concentration-time paths with a signature kernel, which compares
  whole paths on whatever grids (Kiraly & Oberhauser 2019; Salvi et al. 2021); computed by pysiglib.
  The kernel is normalized to k(x, x) = 1: the raw one grows exponentially with a path's length, so
  that one long path decides everything (Chevyrev & Oberhauser 2022).  Values depend on kernel and
  normalization; compare them with others of this module only.

Both take matched cohorts: one real individual and the curves generated for it form a block.  If
the generator is right, the real member of a block is exchangeable with its generated ones; so a
permutation test draws a pretended real one in each block.  This keeps what real and generated share
(times, dose, context), so that none of it can tell them apart.

Shapes: n blocks (real individuals), m generated members each; member 0 is the real one; F features;
L points of a path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from agmpk.errors import AgmpkError
from agmpk.evaluation.intervals import cluster_mean

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

Maker = Callable[[int], "ClassifierMixin"]


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


def default_classifiers() -> dict[str, Maker]:
    """Logistic regression, nearest neighbours and a random forest, each made from a seed.

    Raises:
        AgmpkError: scikit-learn is not installed.
    """
    try:
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import LogisticRegression
        from sklearn.neighbors import KNeighborsClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError:
        raise AgmpkError(
            "The classifier two-sample test needs scikit-learn: install agmpk[metrics]."
        ) from None

    def prepared(classifier: ClassifierMixin) -> ClassifierMixin:
        # A half-life that cannot be estimated is a feature too: the indicator says so.
        fill = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
        return make_pipeline(fill, StandardScaler(), classifier)

    return {
        "logistic": lambda seed: prepared(LogisticRegression(max_iter=500)),
        "neighbours": lambda seed: prepared(KNeighborsClassifier(n_neighbors=5)),
        "forest": lambda seed: prepared(
            RandomForestClassifier(n_estimators=30, min_samples_leaf=2, random_state=seed)
        ),
    }


def classifier_auc(
    blocks: NDArray[np.float64],
    clusters: ArrayLike | None = None,
    classifiers: Mapping[str, Maker] | None = None,
    folds: int = 5,
    repeats: int = 10,
    permutations: int = 99,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Cross-validated AUC of real against generated individuals, one row a classifier.

    Every repeat trains on equal numbers: the real individuals of the training folds and one
    generated curve drawn for each; it tests on the left-out blocks, all their curves.  The AUC is
    the mean over left-out real individuals of the share of left-out generated ones that look less
    real, averaged over repeats.  It is reported as it is: below 0.5 means that generated curves
    look more like the *other* real ones than the left-out individual does, as copies of the
    context would.

    Args:
        blocks: [n, 1 + m, F], member 0 real (:func:`as_blocks`); NaN allowed.
        clusters: [n] person of each real individual (never split over folds, and resampled as one
            for the interval); by default everybody is somebody else.
        permutations: for p; each uses one repeat, and is compared with the first repeat.

    Returns: classifier, auc, low, high (bootstrap over people), p, null_high (95 % of the null
        below), n.

    Raises:
        AgmpkError: fewer than four people, or scikit-learn is missing.
    """
    n, members, _ = blocks.shape
    clusters = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    if clusters.max(initial=-1) < 3:
        raise AgmpkError(f"A classifier needs four or more real individuals, not {n}.")
    folds = min(folds, int(clusters.max()) + 1)
    chosen = pretend(n, members - 1, permutations, seed)
    rows = []
    for name, maker in (classifiers or default_classifiers()).items():
        truth = [
            _placements(blocks, chosen[0], clusters, maker, folds, [seed, r])
            for r in range(repeats)
        ]
        null = [
            _placements(blocks, real, clusters, maker, folds, [seed, 0]).mean()
            for real in chosen[1:]
        ]
        auc, low, high = cluster_mean(np.mean(truth, axis=0), clusters, level, seed=seed)
        rows.append(
            {
                "classifier": name,
                "auc": float(auc),
                "low": float(low),
                "high": float(high),
                "p": permutation_p(np.array([truth[0].mean(), *null])),
                "null_high": float(np.quantile(null, 0.95)) if null else np.nan,
                "n": n,
            }
        )
    return pd.DataFrame(rows)


def _placements(
    blocks: NDArray[np.float64],
    real: NDArray[np.int64],
    clusters: NDArray[np.int64],
    maker: Maker,
    folds: int,
    entropy: list[int],
) -> NDArray[np.float64]:
    """Share [n] of the left-out generated curves that score below each left-out real one."""
    from sklearn import config_context

    rng = np.random.default_rng(entropy)
    n, members, _ = blocks.shape
    one = np.arange(n)
    # Another member than the real one, evenly: a step of 1 ... m around the circle.
    other = (real + rng.integers(1, members, size=n)) % members
    fold = rng.permutation(np.arange(clusters.max() + 1) % folds)[clusters]
    generated = np.ones((n, members), dtype=bool)
    generated[one, real] = False
    placed = np.empty(n)
    with config_context(assume_finite=True, skip_parameter_validation=True):
        for k in range(folds):
            train, test = one[fold != k], one[fold == k]
            x = np.concatenate([blocks[train, real[train]], blocks[train, other[train]]])
            y = np.repeat([1, 0], len(train))
            model = maker(int(rng.integers(2**31))).fit(x, y)
            flat = blocks[test].reshape(-1, blocks.shape[2])
            score = model.predict_proba(flat)[:, 1].reshape(len(test), members)
            of_real = score[np.arange(len(test)), real[test]][:, None]
            rest = score[generated[test]]
            placed[test] = ((rest < of_real) + 0.5 * (rest == of_real)).mean(1)
    return placed


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
    the real one first (:func:`as_blocks`).

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
