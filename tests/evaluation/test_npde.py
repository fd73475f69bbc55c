"""npde against the closed form of a Gaussian model (decorrelated residuals)."""

import numpy as np
import pytest
from scipy.stats import norm

from agmpk.errors import AgmpkError
from agmpk.evaluation.scores import pit
from agmpk.evaluation.vpc import npde, npde_tests

RNG = np.random.default_rng(0)


def covariance(t):
    return 0.5 * np.exp(-np.abs(t[:, None] - t) / 3) + 0.1 * np.eye(len(t))


def cohort(individuals=60, shift=0.0, scale=1.0, K=1000, seed=0, correlated=False):
    """npde of individuals with 2 to 7 different times under a Gaussian process model."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(individuals):
        t = np.sort(rng.uniform(0, 10, 2 + i % 6))
        root = np.linalg.cholesky(covariance(t))
        y = root @ rng.normal(size=len(t))
        simulated = shift + scale * (rng.normal(size=(K, len(t))) @ root.T)
        ranks = norm.ppf(pit(simulated, y, i))
        found.append(ranks if correlated else npde(y, simulated, seed=i))
    return found


def test_npde_equal_the_whitened_residuals_of_a_gaussian_model():
    t = np.array([0.5, 1.0, 2.0, 5.0])
    root = np.linalg.cholesky(covariance(t))
    y = np.array([0.4, 1.0, -0.6, 0.2])
    exact = np.linalg.solve(root, y - 1.0)
    simulated = 1.0 + RNG.normal(size=(100_000, 4)) @ root.T
    assert np.allclose(npde(y, simulated), exact, atol=0.04)


def test_npde_of_the_right_model_are_standard_normal_and_uncorrelated():
    found = cohort(individuals=300)
    values = np.concatenate(found)
    n = len(values)
    assert abs(values.mean()) < 4 / np.sqrt(n) and abs(values.var() - 1) < 4 * np.sqrt(2 / n)
    lag = np.array([one[:2] for one in found])
    assert abs(np.corrcoef(lag.T)[0, 1]) < 0.2
    tests = npde_tests(values).set_index("test")["p"]
    assert tests["global"] > 0.01
    # Without the decorrelation neighbours go together: npd are not npde.
    npd = np.array([one[:2] for one in cohort(300, correlated=True)])
    assert np.corrcoef(npd.T)[0, 1] > 0.3


@pytest.mark.parametrize("K, low, high", [(40, 0.25, 0.7), (200, 0.0, 0.17)])
def test_few_simulations_reject_the_exact_law(K, low, high):
    # Ten individuals with 12 samples each, as in a trial.
    root = np.linalg.cholesky(covariance(np.linspace(0.5, 24, 12)))
    rng, p = np.random.default_rng(1), []
    for _ in range(60):
        real, made = rng.normal(size=(10, 12)) @ root.T, rng.normal(size=(10, K, 12)) @ root.T
        values = [npde(y, x, i, least=K) for i, (y, x) in enumerate(zip(real, made, strict=True))]
        p.append(npde_tests(np.concatenate(values)).set_index("test")["p"]["fisher"])
    assert low <= np.mean(np.array(p) < 0.05) <= high


def test_the_global_test_has_about_its_size():
    rejected = []
    for _ in range(300):
        rejected.append(npde_tests(RNG.normal(size=80)).set_index("test")["p"]["global"] < 0.05)
    assert np.mean(rejected) < 0.09


@pytest.mark.parametrize(
    "change, test, sign",
    [
        ({"shift": 0.5}, "wilcoxon", -1),
        ({"scale": 0.6}, "fisher", 1),
        ({"scale": 1.6}, "fisher", -1),
    ],
)
def test_wrong_models_are_rejected(change, test, sign):
    tests = npde_tests(np.concatenate(cohort(**change))).set_index("test")
    assert tests["p"][test] < 1e-4 and tests["p"]["global"] < 1e-3
    centre = 1.0 if test == "fisher" else 0.0
    assert np.sign(tests["statistic"][test] - centre) == sign


def test_a_wrong_shape_is_rejected_by_shapiro():
    values = RNG.standard_t(2, size=300)
    tests = npde_tests(values / values.std()).set_index("test")["p"]
    assert tests["shapiro"] < 1e-4 and tests["wilcoxon"] > 1e-4


def test_extremes_ties_and_few_values():
    simulated = RNG.normal(size=(200, 3))
    assert np.all(np.isfinite(npde(np.array([99.0, -99.0, 0.0]), simulated)))
    assert npde_tests(np.array([0.1, 0.2]))["p"].isna().all()
    with pytest.raises(AgmpkError, match="full-rank"):
        npde(np.zeros(3), np.repeat(simulated[:2], 100, axis=0))
    with pytest.raises(AgmpkError, match="full-rank"):
        npde(np.zeros(3), np.ones((200, 3)))
    with pytest.raises(AgmpkError, match="need 200 simulations of an individual, not 199"):
        npde(np.zeros(3), simulated[:199])
    assert len(npde(np.zeros(3), simulated[:50], least=50)) == 3
