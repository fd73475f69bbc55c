"""Noncompartmental analysis against closed forms and published values."""

import numpy as np
import pytest

from agmpk.evaluation.exposure import auc, nca

# pkpdutils on R's Theoph, subjects 1 to 12: AUC to the last sample, to infinity, half-life.
THEOPHYLLINE = {
    "1": (147.2347, 214.9236, 14.30438),
    "2": (88.7313, 97.3779, 6.65934),
    "3": (95.8782, 106.1277, 6.76609),
    "4": (102.6336, 114.2162, 6.98125),
    "5": (118.1794, 136.3047, 8.00226),
    "6": (71.6970, 82.1759, 7.89500),
    "7": (87.9692, 100.9876, 7.84667),
    "8": (86.8066, 102.1533, 8.51004),
    "9": (83.9374, 97.5200, 8.40600),
    "10": (135.5761, 167.8600, 9.24692),
    "11": (77.8935, 86.9026, 7.26124),
    "12": (115.2202, 125.8315, 6.28651),
}


def test_theophylline_agrees_with_another_program(compounds):
    for one in compounds["theophylline"]:
        found = nca(one.times, one.concentrations)
        assert (found["AUC0_t"], found["AUC0_inf"], found["t_half"]) == pytest.approx(
            THEOPHYLLINE[one.id], rel=2e-5
        )


def test_an_exponential_is_integrated_exactly():
    t = np.array([0.0, 1, 3, 8, 20])
    y = 5 * np.exp(-0.2 * t)
    assert auc(t, y) == pytest.approx(25 * (1 - np.exp(-4)))
    # Curves of a batch have their own times, and repeated samples add nothing.
    both = np.array([[0.0, 1, 3, 8, 20, 20], [0.0, 2, 4, 4, 4, 4]])
    curves = np.stack([5 * np.exp(-0.2 * both[0]), 3 * both[1]])
    assert auc(both, curves) == pytest.approx([25 * (1 - np.exp(-4)), 24])
    found = nca(t, y)
    assert found["lambda_z"] == pytest.approx(0.2) and found["AUC0_inf"] == pytest.approx(25)


def test_no_terminal_phase_means_nan():
    found = nca(np.array([0.0, 1, 2, 3]), np.array([0.0, 1, 2, 3]))
    assert found["Tmax"] == 3 and np.isnan(found["t_half"]) and np.isnan(found["AUC0_inf"])
    assert found["AUC0_t"] == pytest.approx(4.5)
