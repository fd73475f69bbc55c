"""Two-sample tests: the same law, shifted, too narrow, too wide, and copies of the context.
Coherence of autoregressive curves, and of the same values with each time shuffled."""

import numpy as np
import pytest
from scipy.stats import norm

from agmpk.errors import AgmpkError
from agmpk.evaluation.two_sample import (
    SIGMA,
    classifier_auc,
    coherence,
    mmd2,
    paths,
    permutation_p,
    pretend,
    signature_gram,
    signature_mmd,
)

sklearn = pytest.importorskip("sklearn")
pysiglib = pytest.importorskip("pysiglib")


def as_blocks(real, generated):
    return np.concatenate([real[:, None], generated], axis=1)


def gaussian_blocks(n, m, shift=0.0, scale=1.0, F=3, seed=0):
    rng = np.random.default_rng(seed)
    return as_blocks(rng.normal(size=(n, F)), shift + scale * rng.normal(size=(n, m, F)))


def test_each_member_of_a_block_plays_the_real_one_equally_often():
    chosen = pretend(4, 2, 5000, seed=0)
    assert not chosen[0].any() and np.allclose((chosen[1:] == 0).mean(0), 1 / 3, atol=0.04)
    assert permutation_p(np.array([3.0, 1.0, 3.0, 2.0])) == 0.5


def test_auc_of_a_shift_equals_the_closed_form():
    # The optimal classifier of N(0, 1) against N(d, 1) has AUC Phi(d / sqrt 2).
    found = classifier_auc(
        gaussian_blocks(150, 3, shift=1.0, F=1), names=["logistic"], permutations=19
    ).iloc[0]
    assert abs(found.auc - norm.cdf(1 / np.sqrt(2))) < 0.05
    assert found.low < found.auc < found.high and found.p == 0.05


@pytest.mark.parametrize("name", ["logistic", "neighbours"])
def test_auc_of_the_same_law_is_a_half_even_for_ten(name):
    # Pooling scores over folds would put it below 0.5 for such small cohorts.
    found = [
        classifier_auc(gaussian_blocks(10, 6, seed=k), names=[name], permutations=0, repeats=2).auc[
            0
        ]
        for k in range(25)
    ]
    assert abs(np.mean(found) - 0.5) < 3.5 * np.std(found) / np.sqrt(len(found))
    assert np.std(found) < 0.2


@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_the_forest_sees_a_wrong_spread(scale):
    found = classifier_auc(
        gaussian_blocks(40, 5, scale=scale),
        names=["forest"],
        permutations=9,
        repeats=1,
    ).iloc[0]
    assert found.auc > 0.7 and found.low > 0.55 and found.p == 0.1


def test_copies_of_the_others_give_less_than_a_half():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(20, 3))
    others = [[j for j in range(20) if j != i] for i in range(20)]
    copies = np.stack([real[rng.choice(o, 8)] for o in others])
    found = classifier_auc(as_blocks(real, copies), names=["neighbours"], permutations=0, repeats=3)
    assert found.auc[0] < 0.45


def test_missing_features_clusters_and_too_few():
    blocks = gaussian_blocks(12, 4)
    blocks[::2, :, 1] = np.nan
    blocks[..., 2] = np.nan
    who = np.repeat(np.arange(6), 2)
    found = classifier_auc(blocks, who, permutations=2, repeats=1)
    assert set(found.classifier) == {"logistic", "neighbours", "forest"}
    assert np.isfinite(found[["auc", "low", "high", "p"]]).all(axis=None)
    same = classifier_auc(blocks, who, permutations=2, repeats=1)
    assert same.equals(found)
    with pytest.raises(AgmpkError, match="four"):
        classifier_auc(blocks, np.zeros(12))


TIMES = np.array([0.5, 1, 2, 4, 8, 12, 24.0])


def path_blocks(n=10, m=5, shift=0.0, scale=1.0, seed=0):
    """Bolus curves with random volume and clearance; the generated ones moved and stretched."""
    rng = np.random.default_rng(seed)

    def logs(size, by):
        level = 0.3 * by * rng.normal(size=(size, 1))
        return level - 0.1 * np.exp(0.3 * by * rng.normal(size=(size, 1)) - level) * TIMES

    def as_paths(values):
        return paths(TIMES, values, 24.0, -0.9, 1.0, 8)

    real, made = as_paths(logs(n, 1.0)), as_paths(shift + logs(n * m, scale))
    return as_blocks(real, made.reshape(n, m, *made.shape[1:]))


def test_mmd_is_the_librarys_unbiased_estimate():
    blocks = path_blocks()
    real, made = blocks[:, 0], blocks[:, 1:].reshape(-1, *blocks.shape[2:])
    every = np.concatenate([real, made])
    kernel = pysiglib.RBFKernel(1.0)
    library = float(
        pysiglib.sig_mmd(real.copy(), made.copy(), dyadic_order=1, static_kernel=kernel)
    )
    kernels = dict(dyadic_order=1, static_kernel=pysiglib.RBFKernel(SIGMA), normalize=False)
    gram = np.asarray(pysiglib.sig_kernel_gram(every.copy(), every.copy(), **kernels))
    is_real = (np.arange(len(every)) < 10)[:, None]
    found = mmd2(gram, is_real, ~is_real, np.arange(len(every)))
    assert found[0] == pytest.approx(library, rel=1e-9)
    normalized = signature_gram(every, every)
    scale = np.sqrt(np.diag(gram))
    assert np.allclose(normalized, gram / np.outer(scale, scale), atol=1e-12)


def test_padding_changes_nothing_but_the_level_counts():
    short = paths(TIMES, np.zeros((1, 7)), 24.0, 0.0, 1.0, 8)
    padded = paths(TIMES, np.zeros((1, 7)), 24.0, 0.0, 1.0, 12)
    moved = paths(TIMES, np.ones((1, 7)), 24.0, 0.0, 1.0, 8)
    # Up to the grid's own error: a repeated point changes the refined grid, not the signature.
    assert signature_gram(short, padded)[0, 0] == pytest.approx(1.0, abs=1e-9)
    assert signature_gram(short, moved)[0, 0] < 0.9


def test_mmd_of_the_same_law_is_unbiased():
    found = [signature_mmd(path_blocks(seed=k), permutations=19) for k in range(60)]
    values = np.array([one.mmd2 for one in found])
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(60)
    assert np.mean([one.p <= 0.1 for one in found]) < 0.25
    assert np.mean([one.low <= 0 <= one.high for one in found]) > 0.8


def test_mmd_is_unbiased_where_a_block_shares_something():
    # Members of a block have a common level: comparing them with each other would bias the
    # estimate by about a tenth of what they share.
    values = []
    for k in range(60):
        rng = np.random.default_rng(k)
        level = rng.normal(size=(10, 1, 1)) + 0.3 * rng.normal(size=(10, 4, 1))
        logs = (level - 0.1 * TIMES).reshape(40, -1)
        every = paths(TIMES, logs, 24.0, -0.9, 1.0, 8).reshape(10, 4, 8, 2)
        values.append(signature_mmd(every, permutations=0).mmd2)
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(60)


@pytest.mark.parametrize("change", [{"shift": 0.5}, {"scale": 0.3}, {"scale": 3.0}])
def test_mmd_sees_wrong_laws(change):
    found = signature_mmd(path_blocks(n=20, **change), permutations=99)
    assert found.p <= 0.02 and found.mmd2 > found.null_high
    with pytest.raises(AgmpkError, match="three"):
        signature_mmd(path_blocks(n=2))


def curves(n, rho, rng, points=10):
    y = [rng.standard_normal(n)]
    for _ in range(points - 1):
        y.append(rho * y[-1] + np.sqrt(1 - rho**2) * rng.standard_normal(n))
    return np.exp(np.array(y).T)


def found(rho_real, rho_made, shuffle=False, seed=0):
    rng = np.random.default_rng(seed)
    observed = list(curves(150, rho_real, rng))
    generated = [curves(60, rho_made, rng) for _ in observed]
    if shuffle:
        generated = [rng.permuted(g, axis=0) for g in generated]
    return coherence(observed, generated).set_index("which")


@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_the_correlation_is_found_and_the_gap_holds_zero(rho):
    table = found(rho, rho)
    assert table.value["observed"] == pytest.approx(rho, abs=0.06)
    assert table.value["generated"] == pytest.approx(rho, abs=0.06)
    assert table.low["gap"] < 0 < table.high["gap"]


def test_shuffled_points_are_not_coherent_though_each_is_right():
    table = found(0.8, 0.8, shuffle=True)
    assert table.value["generated"] == pytest.approx(0, abs=0.05)
    assert table.high["gap"] < -0.5


def test_curves_that_are_too_parallel_show_a_gap_above_zero():
    assert found(0.3, 0.9).low["gap"] > 0.3


def test_people_who_appear_twice_widen_the_interval():
    rng = np.random.default_rng(1)
    observed = list(curves(40, 0.5, rng)) * 4
    generated = [curves(20, 0.5, rng) for _ in observed]
    alone = coherence(observed, generated).set_index("which")
    shared = coherence(observed, generated, np.tile(np.arange(40), 4)).set_index("which")
    width = [t.high["observed"] - t.low["observed"] for t in (alone, shared)]
    assert width[1] > 1.5 * width[0]


def test_single_points_have_no_coherence():
    with pytest.raises(AgmpkError, match="two observations"):
        coherence([np.ones(1)], [np.ones((5, 1))])
