"""Can generated individuals be told from real ones?  Two-sample tests, and coherence of curves.

* A classifier: the area under its ROC curve is 0.5 where it cannot (Lopez-Paz & Oquab 2017;
  Friedman 2003).
* The maximum mean discrepancy of concentration-time paths with a signature kernel, which compares
  whole paths on whatever grids (Kiraly & Oberhauser 2019; Salvi et al. 2021); computed by pysiglib.
  The kernel is normalized to k(x, x) = 1: the raw one grows exponentially with a path's length, so
  that one long path decides everything (Chevyrev & Oberhauser 2022).  Values depend on kernel and
  normalization; compare them with others of this module only.

* :func:`coherence`: do the points of a generated individual belong together as those of a real one
  do?

The tests take matched cohorts: one real individual and the curves generated for it form a block.
If the generator is right, the real member of a block is exchangeable with its generated ones; so a
permutation test draws a pretended real one in each block.  This keeps what real and generated share
(times, dose, context), so that none of it can tell them apart.

Shapes: n blocks (real individuals), m generated members each; member 0 is the real one; F features;
T times; L points of a path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata

from agmpk.errors import AgmpkError
from agmpk.evaluation.intervals import bootstrap_counts, cluster_mean
from agmpk.evaluation.scores import Array, pit

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

Maker = Callable[[int], "ClassifierMixin"]
FOLDS = 5
SIGMA, DYADIC_ORDER = 1.0, 1  # of the signature kernel: width of its static kernel, refinement


def _labels(clusters: ArrayLike | None, n: int) -> NDArray[np.int64]:
    """Numbers 0, 1, ... of the clusters [n]; None makes everybody a cluster of its own."""
    return np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]


def pretend(n: int, m: int, permutations: int, seed: int) -> NDArray[np.int64]:
    """Which member (0 ... m) plays the real one, [1 + permutations, n]; row 0 is the truth."""
    drawn = np.random.default_rng(seed).integers(0, m + 1, size=(permutations, n))
    return np.vstack([np.zeros((1, n), dtype=np.int64), drawn])


def permutation_p(statistics: Array) -> float:
    """One-sided p of statistic 0 among all (large is extreme); NaN without permutations."""
    if len(statistics) < 2:
        return np.nan
    return float(np.mean(statistics >= statistics[0] - 1e-12))


def classifiers() -> dict[str, Maker]:
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
    blocks: Array,
    clusters: ArrayLike | None = None,
    names: Sequence[str] = ("logistic", "neighbours", "forest"),
    repeats: int = 10,
    permutations: int = 99,
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
        blocks: [n, 1 + m, F], member 0 real; NaN allowed.
        clusters: [n] person of each real individual (never split over folds, and resampled as one
            for the interval); by default everybody is somebody else.
        names: of :func:`classifiers`.
        permutations: for p; each uses one repeat, and is compared with the first repeat.

    Returns: classifier, auc, low, high (95 %, bootstrap over people), p, null_high (95 % of the
        null below), n.

    Raises:
        AgmpkError: fewer than four people, or scikit-learn is missing.
    """
    n, members, _ = blocks.shape
    clusters = _labels(clusters, n)
    if clusters.max(initial=-1) < 3:
        raise AgmpkError(f"A classifier needs four or more real individuals, not {n}.")
    chosen = pretend(n, members - 1, permutations, seed)
    makers, rows = classifiers(), []
    for name in names:
        placed = partial(_placements, blocks, clusters, makers[name])
        truth = [placed(chosen[0], [seed, r]) for r in range(repeats)]
        null = [placed(real, [seed, 0]).mean() for real in chosen[1:]]
        ends = cluster_mean(np.mean(truth, axis=0), clusters, seed=seed)
        p = permutation_p(np.array([truth[0].mean(), *null]))
        rows.append((name, *ends, p, np.quantile(null, 0.95) if null else np.nan, n))
    columns = ["classifier", "auc", "low", "high", "p", "null_high", "n"]
    return pd.DataFrame(rows, columns=columns)


def _placements(
    blocks: Array,
    clusters: NDArray[np.int64],
    maker: Maker,
    real: NDArray[np.int64],
    entropy: list[int],
) -> Array:
    """Share [n] of the left-out generated curves that score below each left-out real one."""
    from sklearn import config_context

    rng = np.random.default_rng(entropy)
    n, members, _ = blocks.shape
    one = np.arange(n)
    # Another member than the real one, evenly: a step of 1 ... m around the circle.
    other = (real + rng.integers(1, members, size=n)) % members
    folds = min(FOLDS, int(clusters.max()) + 1)
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


class Discrepancy(NamedTuple):
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
    times: Array, logs: Array, last: float, centre: float, spread: float, points: int
) -> Array:
    """Normalized paths [n, L, 2] from ln concentrations [n, T] at ``times`` [T] h.

    The normalization: channel 0 is time / ``last``, channel 1 is (ln y - ``centre``) / ``spread``,
    where all three come from the context: its last time, and mean and SD of its ln (y / dose).
    Every path starts at a common base point (0, 0), so that its level counts and not only its
    increments, and is padded to L = ``points`` by repeating its last point, which changes no
    signature.
    """
    n, size = logs.shape
    found = np.zeros((n, points, 2))
    found[:, 1 : size + 1, 0], found[:, 1 : size + 1, 1] = times / last, (logs - centre) / spread
    found[:, size + 1 :] = found[:, size : size + 1]
    return found


def signature_gram(first: Array, second: Array) -> Array:
    """Normalized signature kernels [n1, n2] of two sets of paths [n1, L1, 2] and [n2, L2, 2],
    lifted by exp(-|x - y|^2 / ``SIGMA``).

    Raises:
        AgmpkError: pysiglib is not installed.
    """
    try:
        import pysiglib
    except ImportError:
        raise AgmpkError(
            "The signature-kernel distance needs pysiglib: install agmpk[metrics]."
        ) from None
    owned = np.array(first), np.array(second)  # it wants arrays that own their data
    about = {"static_kernel": pysiglib.RBFKernel(SIGMA), "dyadic_order": DYADIC_ORDER}
    return np.asarray(pysiglib.sig_kernel_gram(*owned, **about, normalize=True))


def mmd2(
    gram: Array,
    real: NDArray[np.bool_],
    made: NDArray[np.bool_],
    clusters: NDArray[np.int64],
) -> Array:
    """Unbiased MMD^2 [P] (Gretton et al. 2012, eq. 3) from the kernels [N, N] of all paths.

    Column p of ``real`` and ``made`` [N, P] marks who is real and who generated in variant p.
    Only pairs of different ``clusters`` [N] count, because members of one are not independent;
    where everybody is a cluster of its own this is the usual estimator.
    """
    apart = (clusters[:, None] != clusters).astype(float)
    x, y = real.astype(float), made.astype(float)

    def mean(a: Array, b: Array) -> Array:
        return (a * ((gram * apart) @ b)).sum(0) / (a * (apart @ b)).sum(0)

    return mean(x, x) + mean(y, y) - 2 * mean(x, y)


def signature_mmd(
    blocks: Array, clusters: ArrayLike | None = None, permutations: int = 199, seed: int = 0
) -> Discrepancy:
    """Discrepancy of real and generated individuals from paths ``blocks`` [n, 1 + m, L, 2] with
    the real one first.

    Args:
        clusters: [n] label of each block, say its study: pairs within one are not compared, and
            the jackknife leaves out one at a time.  By default every block is its own.

    Raises:
        AgmpkError: fewer than three clusters, or pysiglib is missing.
    """
    n, members = blocks.shape[:2]
    label = _labels(clusters, n)
    count = int(label.max(initial=-1)) + 1
    if count < 3:
        raise AgmpkError(
            f"The signature-kernel distance needs three individuals (or studies), not {count}."
        )
    flat = blocks.reshape(n * members, *blocks.shape[2:])
    gram = signature_gram(flat, flat)
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


def coherence(
    observed: Sequence[Array],
    generated: Sequence[Array],
    clusters: ArrayLike | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Correlation of consecutive scores of observed and generated curves, and their difference.

    Each point becomes a normal score, its rank among all curves generated for the same individual
    and time.  If a curve runs high at one sample, how high is it at the next?  The correlation of
    consecutive scores answers: 0 for points drawn one by one, near 1 for parallel curves, and the
    same for generated and real individuals where the model is right.

    Args:
        observed: per individual, concentrations [T]; those with T < 2 do not count.
        generated: per individual, concentrations [m, T] at the same times, m >= 2.
        clusters: [n] person of each individual; by default everybody is somebody else.

    Returns: which (``observed``, ``generated``, ``gap`` = generated - observed), value, low, high
        (95 %, bootstrap over people), n (individuals).

    Raises:
        AgmpkError: no individual has two points.
    """
    clusters = _labels(clusters, len(observed))
    keep = [k for k, one in enumerate(observed) if len(one) > 1]
    if not keep:
        raise AgmpkError("Coherence needs individuals with two observations or more.")
    sums = []  # [n, 6]
    for k in keep:
        made = generated[k]
        real = norm.ppf(pit(made, observed[k], seed + k))[None]
        scores = norm.ppf((rankdata(made, axis=0) - 0.5) / len(made))
        sums.append(np.concatenate([_sums(real), _sums(scores)]))
    by_person = np.zeros((int(clusters.max()) + 1, 6))
    np.add.at(by_person, clusters[keep], np.array(sums))
    drawn = _correlations(bootstrap_counts(len(by_person), draws, seed) @ by_person)
    low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0)
    which, value = ["observed", "generated", "gap"], _correlations(np.sum(sums, axis=0))
    found = {"which": which, "value": value, "low": low, "high": high, "n": len(keep)}
    return pd.DataFrame(found)


def _sums(scores: Array) -> Array:
    """Mean over curves [m, T] of the sums of products and squares of consecutive scores, [3]."""
    a, b = scores[:, :-1], scores[:, 1:]
    return np.array([(a * b).sum(), (a * a).sum(), (b * b).sum()]) / len(scores)


def _correlations(sums: Array) -> Array:
    """observed, generated and gap [..., 3] from sums [..., 6]; scores have mean 0 by right."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found = [sums[..., k] / np.sqrt(sums[..., k + 1] * sums[..., k + 2]) for k in (0, 3)]
    return np.stack([*found, found[1] - found[0]], axis=-1)
