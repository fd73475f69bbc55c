"""The closed forms against the matrix exponential of the compartment system."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from agmpk.errors import AgmpkError
from agmpk.nlme.structural import StructuralModel, candidates
from agmpk.nlme.structural.superposition import DoseColumn

VALUES = {"ka": 1.3, "tlag": 0.4, "CL": 2.0, "V": 8.0, "Q": 3.0, "V2": 25.0}
TIMES = np.array([0.1, 0.4, 0.9, 2.0, 3.5, 7.0, 12.0, 13.0, 20.0, 47.0])


def reference(values: dict[str, float], doses: list[DoseColumn], oral: bool) -> np.ndarray:
    """One matrix exponential per dose; state: gut, central, peripheral, infusion rate."""
    q, v2 = values.get("Q", 0.0), values.get("V2", 1.0)
    cl, v, ka = values["CL"], values["V"], values.get("ka", 0.0)
    a = np.array(
        [
            [-ka, 0, 0, 0],
            [ka, -(cl + q) / v, q / v2, 1],
            [0, q / v, -q / v2, 0],
            [0, 0, 0, 0],
        ]
    )
    total = np.zeros(len(TIMES))
    for dose in doses:
        for j, t in enumerate(TIMES - dose.time - values.get("tlag", 0.0)):
            if t < 0:
                continue
            if oral or dose.duration == 0:
                state = expm(a * t) @ (np.eye(4)[0 if oral else 1] * dose.amount)
            else:
                running = min(t, dose.duration)
                state = expm(a * running) @ (np.eye(4)[3] * dose.amount / dose.duration)
                state[3] = 0
                state = expm(a * (t - running)) @ state
            total[j] += state[1] / v
    return total


ORAL = [DoseColumn(0.0, 100.0, 0.0), DoseColumn(12.0, 50.0, 0.0)]
INTRAVENOUS = [
    DoseColumn(0.0, 100.0, 0.0),
    DoseColumn(1.0, 60.0, 2.5),
    DoseColumn(12.0, 40.0, 0.0),
]


@pytest.mark.parametrize("model", [*candidates(True), *candidates(False)], ids=lambda m: m.name)
def test_closed_form_agrees_with_matrix_exponential(model):
    values = {name: VALUES[name] for name in model.parameters}
    doses = ORAL if model.oral else INTRAVENOUS
    found = model.concentration(np.array(list(values.values())), TIMES, doses)
    np.testing.assert_allclose(found, reference(values, doses, model.oral), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("gap", [0.0, 1e-9, 1e-5, -1e-5])
def test_oral_where_ka_equals_ke(gap):
    model = StructuralModel(1, oral=True)
    ke = 0.25
    found = model.concentration(np.array([ke * (1 + gap), 2.0, 8.0]), TIMES, [ORAL[0]])
    np.testing.assert_allclose(found, 100 / 8 * ke * TIMES * np.exp(-ke * TIMES), rtol=1e-4)


def test_flip_flop_does_not_overflow():
    model = StructuralModel(1, oral=True)
    found = model.concentration(np.array([0.01, 500.0, 1.0]), np.array([1.0, 100.0]), [ORAL[0]])
    np.testing.assert_allclose(found, 100 * 0.01 / 500 * np.exp([-0.01, -1.0]), rtol=1e-3)


def test_many_parameter_vectors_at_once():
    model = StructuralModel(2, oral=True, lag=True)
    values = np.array([VALUES[name] for name in model.parameters])
    both = np.stack([values, 2 * values])
    found = model.concentration(both[:, None, :], TIMES, ORAL)
    assert found.shape == (2, len(TIMES))
    for row, one in zip(found, both, strict=True):
        np.testing.assert_allclose(row, model.concentration(one, TIMES, ORAL))


def test_names_and_nonsense():
    assert StructuralModel.named("oral-2c-lag").parameters == ("ka", "tlag", "CL", "V", "Q", "V2")
    assert StructuralModel.named("iv-1c").parameters == ("CL", "V")
    with pytest.raises(AgmpkError, match="no structural model"):
        StructuralModel(3, oral=True)
    with pytest.raises(AgmpkError, match="lag after an IV dose"):
        StructuralModel(1, oral=False, lag=True)
    with pytest.raises(AgmpkError, match="oral-9c"):
        StructuralModel.named("oral-9c")
