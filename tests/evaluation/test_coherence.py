"""Autoregressive curves of known correlation; the same values with each time shuffled."""

import numpy as np
import pytest

from agmpk.errors import AgmpkError
from agmpk.evaluation.coherence import coherence


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
