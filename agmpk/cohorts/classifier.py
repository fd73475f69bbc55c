"""Classifier two-sample test: can a classifier tell generated individuals from real ones?

The area under its ROC curve is 0.5 where it cannot (Lopez-Paz & Oquab 2017; Friedman 2003).
Shapes: n real individuals, m generated for each, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from agmpk.cohorts.blocks import permutation_p, pretend
from agmpk.errors import AgmpkError
from agmpk.evaluation.resample import cluster_mean

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

Maker = Callable[[int], "ClassifierMixin"]


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
        blocks: [n, 1 + m, F], member 0 real (:func:`agmpk.cohorts.blocks.as_blocks`); NaN allowed.
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
